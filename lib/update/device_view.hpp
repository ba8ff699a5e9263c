// Reading a device that may be asleep, busy or away: each question is asked again when it wakes, until patience ends.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <set>
#include <vector>

#include "lwm2m/data.hpp"
#include "lwm2m/firmware.hpp"
#include "ports/clock.hpp"
#include "ports/device_link.hpp"
#include "update/types.hpp"

namespace fota::update {

class DeviceView {
  public:
    /// What can be done about a device that stays busy (5.03); once in the view's life.
    using Busy = std::function<boost::asio::awaitable<Result<>>()>;

    /// `patience`: with a device that should be listening. `sleep`: with one that sleeps by agreement (queue mode);
    /// nullopt: its lifetime and a tenth. `asleep` is told once each time it is waited for.
    DeviceView(ports::DeviceLink& link, ports::Clock& clock, Milliseconds patience, std::optional<Milliseconds> sleep,
               std::function<void(Milliseconds longest)> asleep, Busy busy = {})
        : link_(link),
          clock_(clock),
          patience_(patience),
          sleep_(sleep),
          asleep_(std::move(asleep)),
          busy_(std::move(busy)) {}

    /// The firmware object of this update; object 5 until told otherwise.
    void use(lwm2m::FirmwareObject object) { object_ = object; }
    /// Everything the plan needs: object 3, object 5, and 26245 where the device lists it.
    boost::asio::awaitable<Result<DeviceFacts>> facts();
    /// 5/0/3 and 5/0/5 alone, on top of what is known.
    boost::asio::awaitable<Result<>> refresh(DeviceFacts& facts);
    /// The value of one resource; nullopt when the device refuses to tell. Answers that may pass (5.xx, a reset) are
    /// asked for again a few times first; for what every device has (State, Result, its version) also 4.04. Errors:
    /// device_absent when patience ends, device_refused for a value that is none, cancelled.
    boost::asio::awaitable<Result<std::optional<Bytes>>> value(lwm2m::Path path, lwm2m::Format accept);
    boost::asio::awaitable<Result<std::optional<std::int64_t>>> integer(lwm2m::Path path);
    /// Every value of a resource with instances; nullopt when the device refuses to tell or tells nonsense.
    boost::asio::awaitable<Result<std::optional<std::vector<lwm2m::Entry>>>> entries(lwm2m::Path path);
    boost::asio::awaitable<Result<std::optional<std::vector<std::int64_t>>>> integers(lwm2m::Path path);
    /// `protocols`: whether it is asked for those, which only a URI has.
    boost::asio::awaitable<Result<DeliveryFacts>> delivery(bool protocols);
    /// Whether a package is installed as soon as it is there, without Execute (5/0/14). Asked only of an object that
    /// has the resource.
    boost::asio::awaitable<Result<bool>> automatic();
    /// What the policy asks for, nothing else.
    boost::asio::awaitable<Result<ConditionFacts>> condition(const Policy& policy);
    /// For writes that may be repeated: the answer, whatever it is.
    boost::asio::awaitable<Result<ports::Answer>> write(lwm2m::Path path, Bytes value, lwm2m::Format format);
    /// For operations that may be repeated, never for Update (5/x/2).
    boost::asio::awaitable<Result<ports::Answer>> execute(lwm2m::Path path);

  private:
    /// How long answers that may pass are taken for passing.
    enum class Need : std::uint8_t {
        mandatory,  ///< a resource that every device has
        optional,   ///< one that it may lack: looking for it costs no time
        act,        ///< an operation whose refusal is an answer
    };
    /// Repeats the operation while the device is busy (5.03) or away, until patience ends.
    template <class Operation>
    boost::asio::awaitable<Result<ports::Answer>> persist(Need need, Operation operation);
    boost::asio::awaitable<Result<ports::Answer>> ask(lwm2m::Path path, lwm2m::Format accept);
    Need need_of(const lwm2m::Path& path) const;

    ports::DeviceLink& link_;
    ports::Clock& clock_;
    Milliseconds patience_;
    std::optional<Milliseconds> sleep_;
    std::function<void(Milliseconds longest)> asleep_;
    Busy busy_;
    lwm2m::FirmwareObject object_;
    std::set<lwm2m::Path> missing_;  ///< was asked for in vain: not looked for so long again
};

/// How long to leave a device alone that answered so: as long as it asks for (Max-Age), within bounds.
Milliseconds busy_pause(const ports::Answer& answer);
/// Anjay answers 5.03 to everything until it gives an abandoned transfer up, after 300 s.
constexpr Milliseconds longest_busy{330'000};

/// A value that is none is the device's fault, not a file's.
Result<std::int64_t> told_integer(const lwm2m::Path& path, const ports::Answer& answer);

}  // namespace fota::update
