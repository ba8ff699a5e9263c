// fotactl serial ports: which serial devices are there, which board they belong to, and what answers on each.
#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "adapters/serial_port.hpp"
#include "adapters/smp_serial.hpp"
#include "adapters/system_clock.hpp"
#include "adapters/usb_ports.hpp"
#include "base/text.hpp"
#include "cli/serial.hpp"
#include "provision/at_session.hpp"
#include "update/smp_device.hpp"

namespace fota::cli {
namespace {

using boost::asio::awaitable;

struct Options {
    std::string sys = "/sys";
    std::vector<std::string> ports;
    bool no_probe = false;
};

struct Answer {
    std::string kind;  ///< application, recovery, at, at-shell, silent, unavailable
    std::string text;
    std::string note;
};

/// Quick: a server that is there answers at once, and a technician waits for the table.
constexpr update::Patience probe_patience{Milliseconds(600), 1};

std::string board_name(const adapters::UsbPort& port) {
    const auto name =
        port.product_name.empty() ? fmt::format("{:04x}:{:04x}", port.vendor, port.product) : port.product_name;
    return port.serial.empty() ? name : name + " " + port.serial;
}

std::string unavailable_note(const Error& error) {
    if (error.detail("reason") == "busy") {
        auto note = fmt::format("in use by {} (pid {})",
                                error.detail("program").empty() ? "another program" : error.detail("program"),
                                error.detail("pid").empty() ? "?" : error.detail("pid"));
        if (error.detail("program") == "ModemManager") note += ": install the udev rule of packaging/udev";
        return note;
    }
    if (error.detail("reason") == "permission")
        return fmt::format("not allowed: sudo usermod -aG {} $USER, then log in again",
                           error.detail("group").empty() ? "dialout" : error.detail("group"));
    return error.message();
}

awaitable<Answer> probe_smp(boost::asio::any_io_executor executor, ports::Clock& clock, const std::string& device,
                            adapters::SmpFraming framing) {
    SerialOptions options;
    options.port = device;
    auto channel = open_smp_channel(executor, clock, options, framing);
    if (!channel) co_return Answer{"unavailable", "-", unavailable_note(channel.error())};
    update::SmpClient client(**channel, clock);
    const auto found = co_await update::get_acquainted(client, probe_patience);
    if (!found) co_return Answer{"silent", "silent", ""};
    if (!found->manages_images)
        co_return Answer{"application", "SMP (application)", "does not manage images: CONFIG_MCUMGR_GRP_IMG=y"};
    const auto* running = found->running();
    const auto version = running == nullptr ? std::string("no image") : printable(running->version);
    if (found->mode == update::SmpMode::recovery)
        co_return Answer{"recovery", fmt::format("MCUboot recovery ({})", version), "an upload overwrites what runs"};
    co_return Answer{"application", fmt::format("SMP (application {})", version), ""};
}

awaitable<Answer> probe(boost::asio::any_io_executor executor, ports::Clock& clock, const std::string& device) {
    auto answer = co_await probe_smp(executor, clock, device, adapters::SmpFraming::console);
    if (answer.kind != "silent") co_return answer;
    adapters::SerialPort::Options options;
    options.device = device;
    auto line = adapters::SerialPort::open(executor, std::move(options));
    if (!line) co_return Answer{"unavailable", "-", unavailable_note(line.error())};
    provision::AtSession session(**line, clock);
    const auto dialect = co_await session.detect();
    if (!dialect) {
        // Last, since its bytes are noise to a modem.
        line->reset();
        answer = co_await probe_smp(executor, clock, device, adapters::SmpFraming::raw);
        co_return answer;
    }
    const bool shell = dialect->access == modem::Access::shell;
    co_return Answer{shell ? "at-shell" : "at", shell ? "modem AT, in a shell" : "modem AT", ""};
}

std::vector<adapters::UsbPort> candidates(const Options& options) {
    if (options.ports.empty()) return adapters::usb_ports(options.sys);
    std::vector<adapters::UsbPort> out;
    for (const auto& name : options.ports) {
        auto port = adapters::usb_port(name, options.sys).value_or(adapters::UsbPort{});
        port.device = name;
        out.push_back(std::move(port));
    }
    return out;
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto ports = candidates(options);
    boost::asio::io_context io;
    adapters::SystemClock clock(io.get_executor());
    auto rows = nlohmann::json::array();
    if (!ports.empty())
        out.line(
            fmt::format(" {:<16} {:<28} {:<34} {}", "port", "board", options.no_probe ? "" : "what answers", "note"));
    for (const auto& port : ports) {
        Answer answer{"unknown", "not asked", ""};
        if (!options.no_probe) {
            boost::asio::co_spawn(io, probe(io.get_executor(), clock, port.device),
                                  [&](std::exception_ptr failure, Answer found) {
                                      if (failure) std::rethrow_exception(failure);
                                      answer = std::move(found);
                                  });
            io.run();
            io.restart();
        }
        nlohmann::json row{{"port", printable(port.device)}, {"board", board_name(port)}, {"usb_serial", port.serial},
                           {"vendor", port.vendor},          {"product", port.product},   {"interface", port.interface},
                           {"answers", answer.kind},         {"text", answer.text},       {"note", answer.note}};
        out.event("port", row);
        out.line(fmt::format(" {:<16} {:<28} {:<34} {}", printable(port.device),
                             port.vendor == 0 ? "-" : board_name(port), answer.text, answer.note));
        rows.push_back(std::move(row));
    }
    if (ports.empty()) out.line("no serial device behind USB");
    const auto managers = adapters::modem_managers();
    if (!managers.empty() && !ports.empty())
        out.warn(
            fmt::format("ModemManager (pid {}) runs and opens modem-like ports for itself: the udev rule of "
                        "packaging/udev keeps it away from these boards",
                        managers.front().pid));
    return out.result("done", {{"ports", rows}});
}

}  // namespace

void add_serial_ports(CLI::App& serial, Program& program) {
    add_command<Options>(
        serial, program, "ports", "serial devices behind USB, their boards, and what answers on each",
        [](CLI::App& app, Options& o) {
            app.add_option("--port", o.ports, "look at this one only; repeatable")->type_name("DEV");
            app.add_flag("--no-probe", o.no_probe, "list, and send nothing to any of them");
            app.add_option("--sysfs", o.sys, "where sysfs is mounted")->type_name("DIR")->capture_default_str();
        },
        run);
}

}  // namespace fota::cli
