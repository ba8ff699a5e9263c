// One run of the serial update engine: what it knows and its steps. Not part of the module's interface.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>
#include <string_view>

#include "update/serial_update.hpp"

namespace fota::update {

class SerialRunner {
  public:
    SerialRunner(ports::SmpChannel& channel, const Target& target, const SerialPolicy& policy, ports::Clock& clock,
                 SerialObserver& observer)
        : client_(channel, clock), target_(target), policy_(policy), observer_(observer) {}

    boost::asio::awaitable<Result<Outcome>> update();
    boost::asio::awaitable<Result<Outcome>> upload_only(std::optional<std::uint32_t> slot);
    /// What the device was when the run ended, for the advice: "application", "recovery", or "overwritten" for a
    /// recovery that has begun to take an image; "" before anybody answered.
    std::string_view standing() const;
    Report report;

  private:
    enum class Next : std::uint8_t { upload, test, reset, confirm, done };

    boost::asio::awaitable<Result<>> connect();
    Result<Next> plan();
    Result<std::uint32_t> image_of(std::optional<std::uint32_t> slot) const;
    boost::asio::awaitable<Result<>> upload(std::uint32_t image);
    boost::asio::awaitable<Result<>> verify_stored();
    boost::asio::awaitable<Result<>> test();
    boost::asio::awaitable<Result<>> reset();
    boost::asio::awaitable<Result<>> await_return();
    boost::asio::awaitable<Result<std::optional<Outcome>>> prove();
    boost::asio::awaitable<Result<>> confirm();
    boost::asio::awaitable<Result<>> replug(const Error& error);
    boost::asio::awaitable<Result<>> pause(Milliseconds span);
    void step(SerialStep step) { observer_.step(step); }
    bool is_target(const smp::ImageSlot* slot) const { return slot != nullptr && slot->hash == target_.hash; }

    SmpClient client_;
    const Target& target_;
    const SerialPolicy& policy_;
    SerialObserver& observer_;
    SmpDevice device_;
    bool acquainted_ = false;
    bool recovery_began_ = false;  ///< in this run: only then is a half image in the primary slot ours
    bool stored_ = false;          ///< the image is in its slot, whole
};

}  // namespace fota::update
