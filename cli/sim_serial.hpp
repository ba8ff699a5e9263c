// The virtual nRF9160's SMP server: on a pseudo-terminal as its UART, `sim --pty LINK`, or on UDP, `sim --smp-udp
// ADDR:PORT`.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "cli/output.hpp"
#include "ports/clock.hpp"
#include "ports/smp_channel.hpp"
#include "virtdev/device.hpp"
#include "virtdev/smp_machine.hpp"

namespace fota::cli {

/// Where the server is reached; at most one of the two is set.
struct SimPort {
    std::string pty;  ///< name of a link to the terminal
    std::string udp;  ///< "127.0.0.1:0"
    bool any() const noexcept { return !pty.empty() || !udp.empty(); }
};

class SimSerial {
  public:
    /// Serves until it is destroyed. With a `device` a reset over SMP is a loss of power for it, else the board resets
    /// itself. All references outlive it. Errors: see virtdev::open_pseudo_terminal and virtdev::SmpUdpServer::open.
    static Result<std::unique_ptr<SimSerial>> open(boost::asio::io_context& io, ports::Clock& clock,
                                                   virtdev::Board& board, virtdev::Device* device,
                                                   virtdev::SmpQuirkSet quirks, const SimPort& port,
                                                   virtdev::SmpMachineEvents events = {});
    /// As a client of it says --port.
    const std::string& port() const noexcept { return port_; }
    /// Ends the service soon.
    void stop() { stop_.emit(boost::asio::cancellation_type::terminal); }

  private:
    SimSerial() = default;

    std::unique_ptr<ports::SmpChannel> channel_;
    std::unique_ptr<virtdev::SmpMachine> machine_;
    boost::asio::cancellation_signal stop_;
    std::string port_;
};

/// A board on a bench, without a network: its SMP server alone, until SIGINT or SIGTERM. The version that runs then.
Result<std::string> sim_on_a_bench(Output& out, virtdev::Board& board, virtdev::SmpQuirkSet quirks,
                                   const SimPort& port);

/// Takes the names that begin with "smp-" out of `names`. usage: one of them is unknown.
Result<virtdev::SmpQuirkSet> take_smp_quirks(std::vector<std::string>& names);

}  // namespace fota::cli
