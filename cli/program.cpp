#include "cli/program.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <csignal>

#include "base/text.hpp"
#include "cli/bundle.hpp"
#include "cli/imgtool.hpp"
#include "cli/provision.hpp"
#include "cli/release.hpp"

namespace fota::cli {
namespace {

/// "did you mean": the nearest subcommand or option name for the first argument that could not be understood.
std::string spelling_help(const CLI::App& app, const std::string& wrong) {
    std::vector<std::string> names;
    if (wrong.starts_with("-")) {
        for (const auto* each = &app; each != nullptr; each = each->get_parent())  // global options stand on the root
            for (const auto* option : each->get_options())
                for (const auto& name : option->get_lnames()) names.push_back("--" + name);
    } else {
        for (const auto* sub : app.get_subcommands([](const CLI::App*) { return true; }))
            names.push_back(sub->get_name());
    }
    return nearest(wrong.substr(0, wrong.find('=')), names);
}

/// The deepest subcommand that was reached.
const CLI::App& deepest(const CLI::App& app) {
    const auto subs = app.get_subcommands();
    return subs.empty() ? app : deepest(*subs.back());
}

std::string full_name(const CLI::App& app) {
    return app.get_parent() == nullptr ? "fotactl" : full_name(*app.get_parent()) + " " + app.get_name();
}

/// Whether the command or one above it has this option.
bool has_option(const CLI::App& app, const std::string& name) {
    return app.get_option_no_throw(name) != nullptr ||
           (app.get_parent() != nullptr && has_option(*app.get_parent(), name));
}

/// `--key=` in front of another word: CLI11 takes that word for the value. What names no option of the command is text
/// of the user's, such as the value of another option.
Result<> refuse_open_values(const CLI::App& command, std::span<const std::string_view> words) {
    for (const auto word : words) {
        if (word == "--") break;
        if (word.starts_with("--") && word.find('=') == word.size() - 1 &&
            has_option(command, std::string(word.substr(0, word.size() - 1))))
            return fail(Errc::usage, fmt::format("expected a value after {}, found none", printable(word, 80)));
    }
    return {};
}

/// An option that is given says something. A variable that is not set in a build must not turn into "no encryption",
/// "no key to check against" or "sign with the key in the file". Pairs (a custom TLV without a value) are left to their
/// commands, and so are words without an option. A note for people that says nothing is none.
Result<> refuse_empty_values(const CLI::App& app) {
    for (const auto* option : app.get_options()) {
        if (option->check_lname("note") || option->check_lname("notes")) continue;
        if (option->get_positional() || option->get_items_expected_max() == 0 || option->get_type_size_max() > 1)
            continue;
        for (const auto& value : option->results())
            if (value.empty())
                return fail(Errc::usage,
                            fmt::format("expected a value for {}, found an empty one; leave {} out where none is meant",
                                        option->get_name(), option->get_name()));
    }
    for (const auto* sub : app.get_subcommands()) TRY_VOID(refuse_empty_values(*sub));
    return {};
}

Result<> open_log(const Globals& globals) {
    try {
        if (globals.log_file.empty()) {
            spdlog::set_default_logger(spdlog::stderr_logger_st("fotactl"));
            spdlog::set_level(globals.verbose && !globals.json ? spdlog::level::debug : spdlog::level::off);
        } else {
            spdlog::set_default_logger(spdlog::basic_logger_st("fotactl", globals.log_file));
            spdlog::set_level(globals.verbose ? spdlog::level::debug : spdlog::level::info);
            spdlog::flush_on(spdlog::level::info);
        }
    } catch (const spdlog::spdlog_ex&) {
        return fail(Error(Errc::file_unwritable, "expected a writable log file, found " + printable(globals.log_file))
                        .with("file", globals.log_file));
    }
    return {};
}

/// In the order of the help text.
constexpr Entry commands[]{{"key", add_key},       {"image", add_image},     {"imgtool", add_imgtool},
                           {"layout", add_layout}, {"release", add_release}, {"push", add_push},
                           {"device", add_device}, {"sim", add_sim},         {"provision", add_provision},
                           {"serial", add_serial}, {"bundle", add_bundle},   {"config", add_config}};

}  // namespace

void add_named(CLI::App& app, Program& program, std::span<const Entry> entries, std::string_view word) {
    const auto named = std::ranges::find(entries, word, &Entry::name);
    for (const auto& each : entries)
        if (named == entries.end() || &each == &*named) each.add(app, program);
}

Program::Program() : app_("fotactl takes a firmware image to a proven update on an nRF9160", "fotactl") {
    app_.set_version_flag("--version", "fotactl " FOTACTL_VERSION);
    app_.require_subcommand(0, 1);
    app_.fallthrough();
    app_.add_flag("--json", globals.json, "one JSON object per line on stdout, the last one is the result");
    app_.add_flag("-v,--verbose", globals.verbose, "say more on stderr");
    app_.add_flag("-q,--quiet", globals.quiet, "say nothing on stderr but errors and warnings");
    app_.add_flag("--no-color", globals.no_color, "no colours (NO_COLOR does the same)");
    app_.add_option("--log-file", globals.log_file, "write a log to FILE")->type_name("FILE");
    app_.add_option("--config", globals.config_file, "read this configuration instead of fotactl.toml")
        ->type_name("FILE");
}

int Program::main(int argc, const char* const* argv) {
    // A reader that goes away (`| head`) must not kill an update in mid-transfer.
    std::signal(SIGPIPE, SIG_IGN);
    // Neither this program's options nor its configuration have a say in what a build asks of imgtool.
    if (argc > 1 && std::string_view(argv[1]) == "imgtool") return imgtool_main({argv + 2, argv + argc});
    return out.finish(run(argc, argv));
}

int Program::run(int argc, const char* const* argv) {
    words = {argv + std::min(argc, 1), argv + argc};
    if (word(0) != "--version") add_named(app_, *this, commands, word(0));
    const auto misused = [&](Error error) {
        // Flags after the offending word were not seen by CLI11; --json must shape even this error.
        globals.json = globals.json || std::ranges::find(words, "--json") != words.end();
        return out.fail(std::move(error));
    };
    try {
        app_.parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
        out.line(deepest(app_).help());
        return 0;
    } catch (const CLI::CallForAllHelp&) {
        out.line(app_.help("", CLI::AppFormatMode::All));
        return 0;
    } catch (const CLI::CallForVersion& version) {
        out.line(version.what());
        return 0;
    } catch (const CLI::ParseError& problem) {
        const auto& where = deepest(app_);
        // The cause of what the parser found, where there is one.
        if (auto open = refuse_open_values(where, words); !open) return misused(std::move(open.error()));
        std::string message = printable(problem.what(), 400);
        std::string hint = fmt::format("{} --help", full_name(where));
        if (const auto extras = app_.remaining(true); !extras.empty()) {
            const bool option = extras.front().starts_with("-");
            message = fmt::format("unknown {} {} for {}", option ? "option" : "word", printable(extras.front(), 80),
                                  full_name(where));
            if (const auto near = spelling_help(where, extras.front()); !near.empty())
                hint = fmt::format("did you mean {}?", near);
        }
        return misused(Error(Errc::usage, message).with("hint", hint));
    }
    if (auto open = refuse_open_values(deepest(app_), words); !open) return misused(std::move(open.error()));
    if (auto empty = refuse_empty_values(app_); !empty) return misused(std::move(empty.error()));
    if (auto loaded = config.load(globals.config_file); !loaded) return out.fail(loaded.error());
    if (auto opened = open_log(globals); !opened) return out.fail(opened.error());
    if (!selected_) {
        const auto& where = deepest(app_);
        if (&where == &app_ && argc <= 1) {
            out.line(app_.help());
            return 0;
        }
        return out.fail(Error(Errc::usage, fmt::format("expected a command after {}", full_name(where)))
                            .with("hint", full_name(where) + " --help"));
    }
    try {
        return selected_();
    } catch (const std::exception& bug) {
        return out.fail(Error(Errc::internal, bug.what()));
    }
}

}  // namespace fota::cli
