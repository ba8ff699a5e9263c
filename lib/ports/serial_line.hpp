// A serial line as bytes: a UART behind a USB bridge, a pseudo-terminal, or the tests' strict fake.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace fota::ports {

class SerialLine {
  public:
    virtual ~SerialLine() = default;
    /// What it was opened as: "/dev/ttyACM0".
    virtual const std::string& name() const = 0;
    /// The next bytes that arrive, at least one; whatever was received and not read yet comes first.
    /// Errors: timed_out at `deadline`, port_unavailable when the port vanished (unplugged), cancelled.
    virtual boost::asio::awaitable<Result<Bytes>> read(Instant deadline) = 0;
    /// Ends when the operating system has taken every byte. Errors: port_unavailable, cancelled.
    virtual boost::asio::awaitable<Result<>> write(Bytes bytes) = 0;
};

}  // namespace fota::ports
