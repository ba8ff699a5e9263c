#include "cli/sim_serial.hpp"

#include <fmt/format.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/error.hpp>
#include <boost/system/system_error.hpp>

#include "virtdev/pty_line.hpp"
#include "virtdev/quirks.hpp"

namespace fota::cli {

Result<std::unique_ptr<SimSerial>> SimSerial::open(boost::asio::io_context& io, ports::Clock& clock,
                                                   virtdev::Board& board, virtdev::Device& device,
                                                   virtdev::SmpQuirkSet quirks, const std::string& link) {
    auto out = std::unique_ptr<SimSerial>(new SimSerial);
    adapters::SmpSerial::Options options;
    options.side = smp::RawReader::Side::server;
    options.framing =
        quirks.has(virtdev::SmpQuirk::raw_framing) ? adapters::SmpFraming::raw : adapters::SmpFraming::console;
    auto opener = [&io, &clock, link]() -> Result<std::unique_ptr<ports::SerialLine>> {
        return virtdev::PtyLine::open(io.get_executor(), clock, link);
    };
    TRY(out->channel_, adapters::SmpSerial::open(clock, std::move(opener), options));
    virtdev::SmpMachineConfig config;
    config.quirks = quirks;
    config.reset_board = [&device] { device.lose_power(); };
    out->machine_ = std::make_unique<virtdev::SmpMachine>(board, clock, std::move(config), virtdev::SmpMachineEvents{});
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
