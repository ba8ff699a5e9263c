// fotactl serial echo|groups|stat|setting|file|shell|erase-storage: one question to an application's SMP server, beyond
// images. Which of them it answers depends on its build.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "cli/diagnostics.hpp"
#include "cli/serial.hpp"
#include "smp/refusal.hpp"
#include "update/smp_device.hpp"

namespace fota::cli {
namespace {

using boost::asio::awaitable;
using smp::Json;

struct Options {
    SerialOptions serial;
    std::string name;
    std::vector<std::string> words;
    bool yes = false;
};

Result<Json> ask(const Options& options, const smp::Command& command, update::Patience patience = {}) {
    Json answer;
    TRY_VOID(
        with_smp_channel(options.serial, [&](ports::SmpChannel& channel, ports::Clock& clock) -> awaitable<Result<>> {
            update::SmpClient client(channel, clock);
            CO_TRY_VOID(co_await update::greet(client));
            CO_TRY(answer, co_await client.ask(command, patience));
            co_return Result<>{};
        }));
    return answer;
}

/// Asks, and lets `show` print the answer and give the fields of the result.
template <class Show>
int answered(Program& program, const Options& options, const smp::Command& command, Show show,
             update::Patience patience = {}) {
    auto fields = [&]() -> Result<nlohmann::json> {
        TRY(const auto answer, ask(options, command, patience));
        return show(answer);
    }();
    if (!fields) {
        auto error = std::move(fields.error());
        if (smp::is_unsupported(error))
            (void)std::move(error).with("hint", fmt::format("this firmware cannot {}; what it can: fotactl serial "
                                                            "groups --port {}",
                                                            command.what, printable(options.serial.port)));
        return program.out.fail(error, {{"port", options.serial.port}});
    }
    (*fields)["port"] = options.serial.port;
    return program.out.result("done", std::move(*fields));
}

int run_echo(Program& program, const Options& options) {
    return answered(program, options, smp::echo(options.name), [&](const Json& answer) -> Result<nlohmann::json> {
        const auto back = smp::text(answer, "r").value_or("");
        if (back != options.name)
            return fail(Errc::message_malformed,
                        fmt::format("expected \"{}\" back, found \"{}\"", printable(options.name), printable(back)));
        program.out.line(printable(back));
        return nlohmann::json{{"text", printable(back)}};
    });
}

int run_groups(Program& program, const Options& options) {
    return answered(program, options, smp::groups(), [&](const Json& answer) -> Result<nlohmann::json> {
        TRY(const auto groups, smp::parse_groups(answer));
        for (const auto group : groups) program.out.line(fmt::format("{:>5}  {}", group, smp::group_name(group)));
        return nlohmann::json{{"groups", groups}};
    });
}

int run_stat(Program& program, const Options& options) {
    if (options.name.empty())
        return answered(program, options, smp::statistics_groups(), [&](const Json& answer) -> Result<nlohmann::json> {
            TRY(const auto names, smp::parse_statistics_groups(answer));
            auto shown = nlohmann::json::array();
            for (const auto& name : names) {
                program.out.line(printable(name));
                shown.push_back(printable(name));
            }
            return nlohmann::json{{"statistics", std::move(shown)}};
        });
    return answered(program, options, smp::statistics(options.name), [&](const Json& answer) -> Result<nlohmann::json> {
        const auto fields = answer.find("fields");
        if (fields == answer.end() || !fields->is_object())
            return fail(Errc::message_malformed, "expected statistics in the answer, found none");
        auto shown = nlohmann::json::object();
        for (const auto& [name, value] : fields->items()) {
            if (!value.is_number_unsigned()) continue;
            program.out.line(fmt::format("{:<24} {}", printable(name), value.get<std::uint64_t>()));
            shown[printable(name)] = value;
        }
        return nlohmann::json{{"fields", std::move(shown)}};
    });
}

int run_setting(Program& program, const Options& options) {
    return answered(program, options, smp::setting(options.name), [&](const Json& answer) -> Result<nlohmann::json> {
        const auto value = smp::bytes(answer, "val");
        if (!value) return fail(Errc::message_malformed, "expected a value in the answer, found none");
        const bool is_text = std::ranges::all_of(*value, [](std::uint8_t c) { return c >= 0x20 && c < 0x7f; });
        program.out.line(is_text ? std::string(as_text(*value)) : to_hex(*value));
        return nlohmann::json{{"value", to_hex(*value)}};
    });
}

int run_file(Program& program, const Options& options) {
    return answered(program, options, smp::file_status(options.name),
                    [&](const Json& answer) -> Result<nlohmann::json> {
                        const auto length = smp::number(answer, "len");
                        if (!length)
                            return fail(Errc::message_malformed, "expected a length in the answer, found none");
                        program.out.line(fmt::format("{} bytes", with_thousands(*length)));
                        return nlohmann::json{{"size", *length}};
                    });
}

/// A shell's lines, each made safe.
std::string printable_lines(std::string_view text) {
    std::string out;
    while (!text.empty()) {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        if (line.ends_with('\r')) line.remove_suffix(1);
        out += (out.empty() ? "" : "\n") + printable(line, 1024);
    }
    return out;
}

int run_shell(Program& program, const Options& options) {
    std::int64_t returned = 0;
    const int exit = answered(
        program, options, smp::shell(options.words),
        [&](const Json& answer) -> Result<nlohmann::json> {
            TRY(const auto shell, smp::parse_shell(answer));
            returned = shell.returned;
            const auto text = printable_lines(shell.output);
            if (!text.empty()) program.out.line(text);
            if (returned != 0)
                return fail(
                    Error(Errc::device_refused, fmt::format("expected the command to return 0, found {}", returned))
                        .with("hint", "what the device's shell knows: fotactl serial shell help --port " +
                                          printable(options.serial.port)));
            return nlohmann::json{{"output", text}, {"returned", returned}};
        },
        // A command may take its time; carried out twice it may do harm.
        {Milliseconds(15'000), 1});
    return exit;
}

int run_erase_storage(Program& program, const Options& options) {
    if (!options.yes)
        return program.out.fail(
            Error(Errc::usage,
                  "expected --yes: this erases every setting of the device, its server account and "
                  "bonds among them; found none")
                .with("hint", "fotactl serial erase-storage --yes --port " + printable(options.serial.port)));
    return answered(
        program, options, smp::erase_storage(),
        [&](const Json&) -> Result<nlohmann::json> {
            program.out.line("the settings are erased; they are made anew at the next start: fotactl serial reset");
            return nlohmann::json::object();
        },
        {Milliseconds(60'000), 1});
}

}  // namespace

void add_serial_ask(CLI::App& serial, Program& program) {
    const auto one = [&](const char* name, const char* help, const char* argument, const char* what, bool required,
                         int (*run)(Program&, const Options&)) {
        add_command<Options>(
            serial, program, name, help,
            [=](CLI::App& app, Options& o) {
                bind_serial(app, o.serial);
                if (*argument == '\0') return;
                auto* option = app.add_option(argument, o.name, what);
                if (required) option->required();
            },
            run);
    };
    one("echo", "send a text and get it back: whether the way there and back works", "TEXT", "any text", true,
        run_echo);
    one("groups", "which groups of commands the firmware has", "", "", false, run_groups);
    one("stat", "names of the device's statistics, or one group of them", "GROUP", "which group", false, run_stat);
    one("setting", "read a setting", "NAME", "its key, as in id/serial", true, run_setting);
    one("file", "length of a file on the device", "PATH", "as in /lfs1/log.txt", true, run_file);
    add_command<Options>(
        serial, program, "shell", "run a command of the device's shell",
        [](CLI::App& app, Options& o) {
            bind_serial(app, o.serial);
            app.add_option("COMMAND", o.words, "the command and its arguments; behind -- where they begin with a dash")
                ->required();
        },
        run_shell);
    add_command<Options>(
        serial, program, "erase-storage", "erase the device's settings",
        [](CLI::App& app, Options& o) {
            bind_serial(app, o.serial);
            app.add_flag("--yes", o.yes, "it is meant");
        },
        run_erase_storage);
}

}  // namespace fota::cli
