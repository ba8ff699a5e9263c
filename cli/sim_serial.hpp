// The virtual nRF9160's UART on a pseudo-terminal: an SMP server over the same board, `sim --pty LINK`.
#pragma once

#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "adapters/smp_serial.hpp"
#include "ports/clock.hpp"
#include "virtdev/device.hpp"
#include "virtdev/smp_machine.hpp"

namespace fota::cli {

class SimSerial {
  public:
    /// Serves at `link` until it is destroyed; a reset over SMP is a loss of power for `device`. All references outlive
    /// it. Errors: see virtdev::open_pseudo_terminal.
    static Result<std::unique_ptr<SimSerial>> open(boost::asio::io_context& io, ports::Clock& clock,
                                                   virtdev::Board& board, virtdev::Device& device,
                                                   virtdev::SmpQuirkSet quirks, const std::string& link);
    /// Ends the service soon.
    void stop() { stop_.emit(boost::asio::cancellation_type::terminal); }

  private:
    SimSerial() = default;

    std::unique_ptr<adapters::SmpSerial> channel_;
    std::unique_ptr<virtdev::SmpMachine> machine_;
    boost::asio::cancellation_signal stop_;
};

/// Takes the names that begin with "smp-" out of `names`. usage: one of them is unknown.
Result<virtdev::SmpQuirkSet> take_smp_quirks(std::vector<std::string>& names);

}  // namespace fota::cli
