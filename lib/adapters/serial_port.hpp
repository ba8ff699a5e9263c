// SerialLine on a terminal device through Boost.Asio: raw, 8N1, and ours alone while it is open.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ports/serial_line.hpp"

namespace fota::adapters {

/// A process with the device open.
struct PortHolder {
    int pid = 0;
    std::string program;  ///< as the kernel knows it, safe to print: "picocom"
};

/// Which other processes have this device open, by its device number, so under any of its names. Only those are seen
/// whose /proc/PID/fd this user may read: a daemon of root stays unseen.
std::vector<PortHolder> port_holders(const std::string& device, const std::string& proc = "/proc");
/// The processes called ModemManager, which opens every modem-like port to look for a modem.
std::vector<PortHolder> modem_managers(const std::string& proc = "/proc");

class SerialPort final : public ports::SerialLine {
  public:
    struct Options {
        std::string device;  ///< "/dev/ttyACM0"
        std::uint32_t baud = 115'200;
        bool rts_cts = false;  ///< hardware flow control; what was recorded for the site, never guessed
    };

    /// Opens, locks (flock and TIOCEXCL), sets the line up and forgets what was received before. Errors:
    /// port_unavailable with the detail "device" and "reason": "absent", "permission" (with "group"), "busy" (with
    /// "pid" and "program" where the holder can be seen), "not-serial", or "vanished"; usage for a rate the system does
    /// not know. The executor's context must be run by one thread and outlive the port.
    static Result<std::unique_ptr<SerialPort>> open(boost::asio::any_io_executor executor, Options options);
    ~SerialPort() override;

    const std::string& name() const override;
    boost::asio::awaitable<Result<Bytes>> read(Instant deadline) override;
    /// A line that takes nothing for 5 s beyond the time the bytes need is port_unavailable: flow control holds it.
    boost::asio::awaitable<Result<>> write(Bytes bytes) override;

  private:
    struct State;
    explicit SerialPort(std::shared_ptr<State> state);

    std::shared_ptr<State> state_;  ///< shared with the operations in flight
};

}  // namespace fota::adapters
