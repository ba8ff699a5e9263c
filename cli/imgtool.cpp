#include "cli/imgtool.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <exception>

#include "base/text.hpp"
#include "cli/program.hpp"

namespace fota::cli {
namespace imgtool {
namespace {

constexpr std::string_view program = "fotactl imgtool";
/// The imgtool whose command line this is.
constexpr std::string_view version = "2.4.0";

using Maker = Command (*)();
struct Entry {
    std::string_view name;
    Maker make;
    std::string_view summary;
};

Command version_command() {
    return {"version",
            "Print the version of imgtool this stands for",
            {},
            [](const Arguments&, Streams& streams) -> Result<int> {
                streams.out = fmt::format("{}\n", version);
                return 0;
            }};
}

constexpr std::array<Entry, 10> commands{{
    {"create", sign_command, "another name of sign"},
    {"dumpinfo", dumpinfo_command, "show header, TLVs and trailer of an image"},
    {"getpriv", getpriv_command, "write a private key as a C array"},
    {"getpub", getpub_command, "write the public half of a key"},
    {"getpubhash", getpubhash_command, "write the SHA-256 of the public half of a key"},
    {"keygen", keygen_command, "make a private key"},
    {"keyinfo", keyinfo_command, "tell whether a file holds a private or a public key"},
    {"sign", sign_command, "make a signed or unsigned image"},
    {"verify", verify_command, "check hash and signature of an image"},
    {"version", version_command, "print the version of imgtool this stands for"},
}};

std::string group_usage() {
    return fmt::format("{} [OPTIONS] COMMAND [ARGS]...", program);
}

std::string group_help() {
    auto out =
        fmt::format("Usage: {}\n\nOptions:\n  -h, --help  show this message and exit\n\nCommands:\n", group_usage());
    for (const auto& command : commands) out += fmt::format("  {:<12}{}\n", command.name, command.summary);
    return out;
}

std::string command_usage(std::string_view name, const Command& command) {
    auto out = fmt::format("{} {} [OPTIONS]", program, name);
    for (const auto& parameter : command.parameters)
        if (parameter.kind == Kind::argument) out += " " + parameter.names.front();
    return out;
}

/// What stderr says, as click lays it out.
std::string complaint(const Error& error, std::string_view usage, std::string_view help_of) {
    std::string out;
    if (error.code() == Errc::usage && error.detail("bare").empty())
        out = fmt::format("Usage: {}\nTry '{} -h' for help.\n\n", usage, help_of);
    return out + fmt::format("Error: {}\n", error.text());
}

int exit_code(const Error& error) {
    return error.code() == Errc::usage ? 2 : 1;
}

int refuse(Streams& streams, const Error& error, std::string_view usage, std::string_view help_of) {
    streams.err += complaint(error, usage, help_of);
    return exit_code(error);
}

int run_command(const Entry& entry, std::span<const std::string> words, Streams& streams) {
    const auto command = entry.make();
    const auto usage = command_usage(entry.name, command);
    const auto name = fmt::format("{} {}", program, entry.name);
    const auto arguments = parse_arguments(words, command.parameters);
    if (!arguments && is_help_request(arguments.error())) {
        streams.out = help_text(usage, command.summary, command.parameters);
        return 0;
    }
    if (!arguments) return refuse(streams, arguments.error(), usage, name);
    const auto code = command.run(*arguments, streams);
    return code ? *code : refuse(streams, code.error(), usage, name);
}

int dispatch(std::span<const std::string> words, Streams& streams) {
    if (words.empty() || words[0] == "-h" || words[0] == "--help") {
        streams.out = group_help();
        return 0;
    }
    const auto& word = words[0];
    if (word.size() > 1 && word.starts_with('-'))
        return refuse(streams, Error(Errc::usage, fmt::format("No such option: {}", printable(word, 80))),
                      group_usage(), program);
    const auto* entry = std::ranges::find(commands, std::string_view(word), &Entry::name);
    if (entry == commands.end())
        return refuse(streams, Error(Errc::usage, fmt::format("No such command '{}'.", printable(word, 80))),
                      group_usage(), program);
    return run_command(*entry, words.subspan(1), streams);
}

bool put(std::FILE* stream, std::string_view text) {
    return std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0;
}

}  // namespace
}  // namespace imgtool

int imgtool_main(const std::vector<std::string>& words) {
    imgtool::Streams streams;
    int code = 1;
    try {
        code = imgtool::dispatch(words, streams);
    } catch (const std::exception& bug) {
        streams.err += fmt::format("Error: {}\n", bug.what());
    }
    errno = 0;
    const bool written = imgtool::put(stdout, streams.out);
    // As click: 1 and no word when the reader went away.
    if (!written && errno != EPIPE) streams.err += "Error: expected to write to standard output, it failed\n";
    imgtool::put(stderr, streams.err);
    return written ? code : std::max(code, 1);
}

void add_imgtool(CLI::App& root, Program& program) {
    auto* app = root.add_subcommand("imgtool", "the command line of MCUboot's imgtool, for builds that call it");
    app->prefix_command()->fallthrough(false)->set_help_flag();
    app->callback([app, &program] { program.select([words = app->remaining()] { return imgtool_main(words); }); });
}

}  // namespace fota::cli
