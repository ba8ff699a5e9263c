// What the serial commands share: the port option, opening a channel, and running one piece of work on it.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "adapters/smp_serial.hpp"
#include "cli/program.hpp"
#include "ports/clock.hpp"
#include "ports/serial_line.hpp"
#include "ports/smp_channel.hpp"
#include "update/smp_client.hpp"

namespace fota::cli {

struct SerialOptions {
    std::string port;
    std::uint32_t baud = 115'200;
};
void bind_serial(CLI::App& app, SerialOptions& options);

/// `device`: /dev/ttyACM0 or udp:HOST[:PORT]. A serial device that vanishes is looked up again by its USB serial
/// number, under whatever name it comes back. `clock` outlives the channel.
Result<std::unique_ptr<ports::SmpChannel>> open_smp_channel(
    boost::asio::any_io_executor executor, ports::Clock& clock, const SerialOptions& options,
    adapters::SmpFraming framing = adapters::SmpFraming::learnt);

/// Opens the channel, runs `work` on it and ends when it ends; SIGINT and SIGTERM cancel it, and the error is then
/// interrupted or terminated.
Result<> with_smp_channel(const SerialOptions& options,
                          std::function<boost::asio::awaitable<Result<>>(ports::SmpChannel&, ports::Clock&)> work);

/// The same with the bare line: a serial device, never UDP. Opens it under the name given.
Result<> with_serial_line(const SerialOptions& options,
                          std::function<boost::asio::awaitable<Result<>>(ports::SerialLine&, ports::Clock&)> work);

// The commands, one per file.
void add_serial_ports(CLI::App& serial, Program& program);
void add_serial_info(CLI::App& serial, Program& program);
void add_serial_control(CLI::App& serial, Program& program);
void add_serial_ask(CLI::App& serial, Program& program);
void add_serial_update(CLI::App& serial, Program& program);

}  // namespace fota::cli
