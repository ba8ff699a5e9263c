#include "cli/sim_modem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>

#include "base/text.hpp"
#include "virtdev/modem_terminal.hpp"

namespace fota::cli {
namespace {

int list_quirks(Program& program) {
    auto rows = nlohmann::json::array();
    const auto row = [&](std::string_view name, std::string_view help) {
        rows.push_back({{"name", name}, {"help", help}});
        program.out.line(fmt::format("{:<20} {}", name, help));
    };
    for (const auto& info : virtdev::all_modem_quirks()) row(info.name, info.help);
    row("cme-N", "refuses every write of a credential with +CME ERROR: N");
    return program.out.result("done", {{"quirks", rows}});
}

}  // namespace

int run_sim_modem(Program& program, const std::string& link, const std::string& imei,
                  const std::vector<std::string>& names) {
    auto& out = program.out;
    if (std::ranges::find(names, "list") != names.end()) return list_quirks(program);
    virtdev::ModemConfig config;
    auto quirks = virtdev::ModemQuirks::parse(names);
    if (!quirks) return out.fail(quirks.error());
    config.quirks = *quirks;
    if (!imei.empty()) config.imei = imei;
    const auto shown = printable(config.imei);
    virtdev::Modem modem(std::move(config));
    boost::asio::io_context io(1);
    boost::asio::signal_set signals(io, SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code& error, int) {
        if (!error) io.stop();
    });
    auto terminal = virtdev::ModemTerminal::open(io.get_executor(), modem, link);
    if (!terminal) return out.fail(terminal.error());
    out.event("listening", {{"port", link}, {"device", (*terminal)->device()}, {"imei", shown}});
    out.line(fmt::format("modem       {} ({}) · IMEI {} · a model of a modem, not a modem", printable(link),
                         (*terminal)->device(), shown));
    io.run();
    auto stored = nlohmann::json::array();
    for (const auto& [key, content] : modem.store) stored.push_back({{"sec_tag", key.first}, {"type", key.second}});
    return out.result("done", {{"functionality", modem.functionality()}, {"stored", std::move(stored)}});
}

}  // namespace fota::cli
