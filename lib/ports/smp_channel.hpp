// A way to exchange SMP messages with one device: a serial line, UDP, or the tests' strict fake.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace fota::ports {

/// One coroutine uses a channel at a time. Messages are whole, header included; framing, checksums and whatever else is
/// on the line are the channel's business.
class SmpChannel {
  public:
    virtual ~SmpChannel() = default;
    /// As the user named it: "/dev/ttyACM0", "udp:192.0.2.7:1337".
    virtual const std::string& name() const = 0;
    /// The longest message the way itself carries; a device's buffers may be smaller.
    virtual std::size_t longest_message() const = 0;
    /// How long the way is occupied by a message of this size; 0 where that does not matter.
    virtual Milliseconds wire_time(std::size_t message) const = 0;

    /// Ends when the system has taken the message; nothing is said of its arrival. Errors: port_unavailable, cancelled.
    virtual boost::asio::awaitable<Result<>> send(Bytes message) = 0;
    /// The next message that arrives undamaged. Errors: timed_out at `deadline`, port_unavailable, cancelled.
    virtual boost::asio::awaitable<Result<Bytes>> receive(Instant deadline) = 0;
    /// After port_unavailable: waits until the same device is there again and opens it. What was in flight is lost.
    /// Errors: port_unavailable at `deadline`, cancelled.
    virtual boost::asio::awaitable<Result<>> reopen(Instant deadline) = 0;
    /// The device was reset since the last message: whatever it had received of one is forgotten, and nothing has to be
    /// waited for on its account.
    virtual void device_was_reset() {}
};

}  // namespace fota::ports
