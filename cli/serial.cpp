#include "cli/serial.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "adapters/serial_port.hpp"
#include "adapters/smp_udp.hpp"
#include "adapters/system_clock.hpp"
#include "adapters/usb_ports.hpp"

namespace fota::cli {

void bind_serial(CLI::App& app, SerialOptions& options) {
    app.add_option("--port", options.port, "serial device, or udp:HOST[:PORT]")->type_name("DEV")->required();
    app.add_option("--baud", options.baud, "speed of the serial line")->type_name("N")->capture_default_str();
}

Result<std::unique_ptr<ports::SmpChannel>> open_smp_channel(boost::asio::any_io_executor executor, ports::Clock& clock,
                                                            const SerialOptions& options,
                                                            adapters::SmpFraming framing) {
    if (adapters::SmpUdp::is_udp(options.port)) return adapters::SmpUdp::open(executor, options.port);
    const auto known = adapters::usb_port(options.port);
    auto opener = [executor, options, known]() -> Result<std::unique_ptr<ports::SerialLine>> {
        adapters::SerialPort::Options line;
        line.device = options.port;
        line.baud = options.baud;
        // The same board may come back under another name.
        if (known)
            if (const auto now = adapters::find_again(*known)) line.device = now->device;
        return adapters::SerialPort::open(executor, std::move(line));
    };
    adapters::SmpSerial::Options channel;
    channel.framing = framing;
    channel.after_other_bytes = framing == adapters::SmpFraming::raw;  // only a probe asks for it, after all others
    channel.baud = options.baud;
    return adapters::SmpSerial::open(clock, std::move(opener), channel);
}

namespace {

/// Until the work ends; SIGINT and SIGTERM cancel it.
Result<> run_until_signal(boost::asio::io_context& io, boost::asio::awaitable<Result<>> work) {
    boost::asio::cancellation_signal stop;
    boost::asio::signal_set signals(io, SIGINT, SIGTERM);
    int received = 0;
    signals.async_wait([&](const boost::system::error_code& error, int number) {
        if (error) return;
        received = number;
        stop.emit(boost::asio::cancellation_type::terminal);
    });
    Result<> outcome;
    boost::asio::co_spawn(
        io, std::move(work),
        boost::asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr failure, Result<> end) {
            // A read may be in flight that nobody waits for any more.
            io.stop();
            if (failure) std::rethrow_exception(failure);
            outcome = std::move(end);
        }));
    io.run();
    if (!outcome && received != 0) {
        if (received == SIGINT) return fail(Errc::interrupted, "stopped by SIGINT");
        return fail(Errc::terminated, "stopped by SIGTERM");
    }
    return outcome;
}

}  // namespace

Result<> with_smp_channel(const SerialOptions& options,
                          std::function<boost::asio::awaitable<Result<>>(ports::SmpChannel&, ports::Clock&)> work) {
    boost::asio::io_context io;
    adapters::SystemClock clock(io.get_executor());
    TRY(auto channel, open_smp_channel(io.get_executor(), clock, options));
    return run_until_signal(io, work(*channel, clock));
}

Result<> with_serial_line(const SerialOptions& options,
                          std::function<boost::asio::awaitable<Result<>>(ports::SerialLine&, ports::Clock&)> work) {
    boost::asio::io_context io;
    adapters::SystemClock clock(io.get_executor());
    TRY(auto line, adapters::SerialPort::open(io.get_executor(), {.device = options.port, .baud = options.baud}));
    return run_until_signal(io, work(*line, clock));
}

void add_serial(CLI::App& root, Program& program) {
    auto* serial = root.add_subcommand("serial", "a device on a cable or on UDP: look, update, recover (SMP)");
    serial->require_subcommand(0, 1);
    add_serial_ports(*serial, program);
    add_serial_info(*serial, program);
    add_serial_control(*serial, program);
    add_serial_ask(*serial, program);
    add_serial_update(*serial, program);
}

}  // namespace fota::cli
