// The coroutine behind update::run, taken apart: planning (update.cpp), what the device still holds of other packages
// (runner_reset.cpp), getting the package there (runner_deliver.cpp), what comes after it (runner_return.cpp), and the
// other instances of object 33629 (runner_instances.cpp).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "lwm2m/firmware.hpp"
#include "update/decide.hpp"
#include "update/device_view.hpp"
#include "update/journal.hpp"
#include "update/types.hpp"

namespace fota::update {

class Runner {
  public:
    Runner(ports::DeviceLink& link, const Target& target, const Policy& policy, ports::Store& store,
           ports::Clock& clock, Observer& observer)
        : link_(link),
          target_(target),
          policy_(policy),
          journal_(store, link.endpoint()),
          clock_(clock),
          observer_(observer),
          view_(
              link, clock, std::max(policy.stall, Milliseconds(60'000)), policy.wait,
              [this](Milliseconds longest) { say_asleep(longest); }, [this] { return end_left_behind(); }) {}

    boost::asio::awaitable<Result<Outcome>> run();
    Report report;

  private:
    template <class T>
    using Awaitable = boost::asio::awaitable<Result<T>>;

    /// State, told by the device itself where it does so.
    struct StateWatch {
        std::unique_ptr<ports::Watch> watch;
        std::uint64_t seen = 0;  ///< notifications before State was last read
        bool tried = false;
        bool fresh = false;  ///< just begun: what was read before is older

        bool alive() const { return watch && watch->alive(); }
        void before_read() {
            fresh = false;
            if (watch) seen = watch->told();
        }
    };

    Awaitable<void> await_device();
    Awaitable<void> prepare(const DeviceFacts& facts);
    Awaitable<void> announce_terms();
    Awaitable<void> reset();
    Awaitable<void> end_left_behind();
    Awaitable<void> forget_other_package();
    Awaitable<void> reboot();
    Awaitable<std::optional<std::uint64_t>> stored_now();
    Awaitable<std::int64_t> settled_state();
    Awaitable<std::int64_t> follow_state(StateWatch& told);
    Awaitable<ports::Delivery> deliver(const Deliver& plan);
    Awaitable<ports::Delivery> push(const Deliver& plan);
    Awaitable<ports::Delivery> pull(const Deliver& plan);
    Awaitable<void> recognize_fetched(const DeviceFacts& facts);
    Awaitable<bool> await_fetching(ports::Offer* offer, std::uint64_t requests, const StateWatch* told,
                                   Instant deadline);
    Awaitable<void> watch_state(StateWatch& told);
    Awaitable<ports::Delivery> await_fetched(ports::Offer* offer);
    Awaitable<ports::Delivery> follow_fetch(ports::Offer* offer, StateWatch& told);
    Awaitable<std::optional<Outcome>> refused_after_transfer(std::int64_t state);
    Awaitable<Outcome> execute();
    Awaitable<void> tell_to_execute();
    bool awaits_execute(const DeviceFacts& facts) const;
    bool may_repeat_execute() const;
    Awaitable<std::vector<lwm2m::FirmwareObject>> named_instances(lwm2m::Path list);
    Awaitable<std::string> told_text(lwm2m::Path path);
    Awaitable<std::string> execute_arguments();
    Awaitable<bool> clear_conflicts();
    Awaitable<std::optional<std::int64_t>> withdraw_package(lwm2m::FirmwareObject other);
    Awaitable<std::string> conflict_note(std::int64_t result);
    Awaitable<std::string> linked_late();
    Error linked_failure(const std::string& late) const;
    Awaitable<Outcome> await_return(int registrations, std::optional<DeviceFacts> known);
    Awaitable<std::optional<DeviceFacts>> facts_if_told();
    Awaitable<Outcome> soak(std::uint64_t serial);
    Result<> ensure_attempt(const DeviceFacts& facts);
    Result<std::optional<Outcome>> judged(const DeviceFacts& facts, int registrations, const std::string& note);
    std::uint64_t serial() const { return link_.registration() ? link_.registration()->serial : last_serial_; }
    BytesView package() const { return second_candidate_ ? target_.other_image : target_.image; }
    void step(Step step) { observer_.step(step); }
    void say_asleep(Milliseconds longest) const;

    ports::DeviceLink& link_;
    const Target& target_;
    const Policy& policy_;
    Journal journal_;
    ports::Clock& clock_;
    Observer& observer_;
    DeviceView view_;
    lwm2m::FirmwareObject object_;       ///< chosen once, at the first registration
    Method method_ = Method::automatic;  ///< decided before the first transfer
    bool automatic_ = false;             ///< the device installs the package by itself (5/0/14)
    bool second_candidate_ = false;      ///< the bootloader runs from slot 0: slot 1's image is sent
    std::optional<OpenAttempt> attempt_;
    /// The push that an earlier run left in the middle, of this image or another; until something is sent.
    std::optional<OpenAttempt::Transfer> left_behind_;
    /// What was offered before our restart stays on offer: the device may be fetching it at this moment.
    std::unique_ptr<ports::Offer> standing_offer_;
    std::uint64_t last_serial_ = 0;
    int executions_ = 0;             ///< times the device was told to execute, each with its own attempts
    bool on_its_way_ = false;        ///< it took the last Execute, or said State 3
    std::uint64_t told_serial_ = 0;  ///< registration in which it was told last
    Instant told_at_{};
    std::uint32_t block_size_ = policy_.block_size;  ///< smaller once the device asked for that
    std::string uri_;                                ///< that the device fetches from
    int pull_failures_ = 0;                          ///< in a row; each makes the next pause longer
};

}  // namespace fota::update
