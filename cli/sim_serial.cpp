#include "cli/sim_serial.hpp"

#include <fmt/format.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/system/system_error.hpp>
#include <csignal>

#include "adapters/smp_serial.hpp"
#include "adapters/system_clock.hpp"
#include "base/text.hpp"
#include "virtdev/noisy_line.hpp"
#include "virtdev/pty_line.hpp"
#include "virtdev/quirks.hpp"
#include "virtdev/smp_udp_server.hpp"

namespace fota::cli {
namespace {

/// Zephyr's defaults under UDP: a buffer is longer than a datagram may be.
constexpr virtdev::SmpBuffers udp_buffers{2048, 2};

Result<std::unique_ptr<ports::SmpChannel>> open_pty(boost::asio::io_context& io, ports::Clock& clock,
                                                    virtdev::SmpQuirkSet quirks, const std::string& link) {
    adapters::SmpSerial::Options options;
    options.side = smp::RawReader::Side::server;
    options.framing =
        quirks.has(virtdev::SmpQuirk::raw_framing) ? adapters::SmpFraming::raw : adapters::SmpFraming::console;
    auto opener = [&io, &clock, link, quirks]() -> Result<std::unique_ptr<ports::SerialLine>> {
        TRY(auto line, virtdev::PtyLine::open(io.get_executor(), clock, link));
        return std::make_unique<virtdev::NoisyLine>(std::move(line), quirks);
    };
    return adapters::SmpSerial::open(clock, std::move(opener), options);
}

}  // namespace

Result<std::unique_ptr<SimSerial>> SimSerial::open(boost::asio::io_context& io, ports::Clock& clock,
                                                   virtdev::Board& board, virtdev::Device* device,
                                                   virtdev::SmpQuirkSet quirks, const SimPort& port,
                                                   virtdev::SmpMachineEvents events) {
    auto out = std::unique_ptr<SimSerial>(new SimSerial);
    virtdev::SmpMachineConfig config;
    if (port.udp.empty()) {
        TRY(out->channel_, open_pty(io, clock, quirks, port.pty));
        out->port_ = port.pty;
    } else {
        TRY(out->channel_, virtdev::SmpUdpServer::open(io.get_executor(), port.udp));
        out->port_ = out->channel_->name();
        config.buffers = udp_buffers;
    }
    config.quirks = quirks;
    if (device != nullptr) config.reset_board = [device] { device->lose_power(); };
    out->machine_ = std::make_unique<virtdev::SmpMachine>(board, clock, std::move(config), std::move(events));
    boost::asio::co_spawn(
        io, out->machine_->run(*out->channel_),
        boost::asio::bind_cancellation_slot(out->stop_.slot(), [](std::exception_ptr failure, Result<>) {
            if (!failure) return;
            try {
                std::rethrow_exception(failure);
            } catch (const boost::system::system_error& error) {
                // stop() that arrived between two waits; anything else is a bug.
                if (error.code() != boost::asio::error::operation_aborted) throw;
            }
        }));
    return out;
}

Result<std::string> sim_on_a_bench(Output& out, virtdev::Board& board, virtdev::SmpQuirkSet quirks,
                                   const SimPort& port) {
    boost::asio::io_context io;
    adapters::SystemClock clock(io.get_executor());
    virtdev::SmpMachineEvents events;
    events.reboot = [&](const std::string& reason) {
        out.event("reboot", {{"reason", reason}});
        out.line(fmt::format("reboot      {}", reason));
    };
    events.swapped = [&](const std::string& from, const std::string& to) {
        out.event("swapped", {{"from_version", from}, {"to_version", to}});
        out.line(fmt::format("swapped     {} -> {}", from.empty() ? "?" : from, to));
    };
    events.reverted = [&](const std::string& version) {
        out.event("reverted", {{"version", version}});
        out.line(fmt::format("reverted    back to {}", version));
    };
    events.boot_log = [&](const std::string& line) {
        if (out.verbose()) out.note("bootloader  " + printable(line));
    };
    TRY(const auto serial, SimSerial::open(io, clock, board, nullptr, quirks, port, std::move(events)));
    out.event("listening", {{"port", serial->port()}});
    out.line(fmt::format("serial      SMP on {}", printable(serial->port())));
    boost::asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code& error, int) {
        if (!error) serial->stop();
    });
    io.run();
    const auto image = virtdev::image_in(board.primary());
    return image ? image->version : std::string();
}

Result<virtdev::SmpQuirkSet> take_smp_quirks(std::vector<std::string>& names) {
    virtdev::SmpQuirkSet out;
    for (const auto& name : names) {
        if (!name.starts_with("smp-")) continue;
        const auto* info = virtdev::find_smp_quirk(name);
        if (info == nullptr) return virtdev::unknown_quirk(name);
        out.add(info->quirk);
    }
    std::erase_if(names, [](const std::string& name) { return name.starts_with("smp-"); });
    return out;
}

}  // namespace fota::cli
