// Time as the coroutines see it: the real clock, or the tests' virtual one.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <chrono>

#include "base/time.hpp"

namespace fota::ports {

class Clock {
  public:
    virtual ~Clock() = default;
    virtual Instant now() const = 0;
    /// For reports and expiry dates only.
    virtual std::chrono::system_clock::time_point wall() const = 0;
    /// Ends at `deadline` (at once when it has passed) with true, or with false when the operation is cancelled through
    /// Asio's per-operation cancellation. Never throws.
    virtual boost::asio::awaitable<bool> sleep_until(Instant deadline) = 0;
};

}  // namespace fota::ports
