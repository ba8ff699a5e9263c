#include "cli/output.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "base/text.hpp"
#include "cli/diagnostics.hpp"

namespace fota::cli {
namespace {

std::string_view environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view{} : std::string_view{value};
}

/// Invalid UTF-8 cannot be JSON; it is replaced rather than thrown about.
std::string dump(const nlohmann::json& document) {
    return document.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace

Output::Output(const Globals& globals) : globals_(globals) {
    const bool colours_wanted = environment("NO_COLOR").empty() && environment("TERM") != "dumb";
    out_color_ = colours_wanted && isatty(STDOUT_FILENO) == 1;
    err_color_ = colours_wanted && isatty(STDERR_FILENO) == 1;
    err_live_ = isatty(STDERR_FILENO) == 1 && environment("TERM") != "dumb" && !environment("TERM").empty();
    winsize size{};
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) width_ = size.ws_col;
}

std::string Output::styled(Style style, std::string_view text, bool on_stdout) const {
    if (!(on_stdout ? out_color_ : err_color_) || globals_.no_color || globals_.json) return std::string(text);
    switch (style) {
        case Style::plain:
            return std::string(text);
        case Style::bold:
            return fmt::format("\x1b[1m{}\x1b[0m", text);
        case Style::dim:
            return fmt::format("\x1b[2m{}\x1b[0m", text);
        case Style::red:
            return fmt::format("\x1b[1;31m{}\x1b[0m", text);
        case Style::green:
            return fmt::format("\x1b[1;32m{}\x1b[0m", text);
        case Style::yellow:
            return fmt::format("\x1b[1;33m{}\x1b[0m", text);
    }
    return std::string(text);
}

void Output::write(bool to_stdout, std::string_view text) {
    // SIGPIPE is ignored in main: what cannot be written is dropped, and finish() says so.
    std::FILE* stream = to_stdout ? stdout : stderr;
    errno = 0;
    const bool written = std::fwrite(text.data(), 1, text.size(), stream) == text.size() && std::fflush(stream) == 0;
    if (!written && to_stdout && write_error_ == 0) write_error_ = errno == 0 ? EIO : errno;
}

int Output::finish(int exit) {
    if (write_error_ == 0 || write_error_ == EPIPE) return exit;
    const Error error(Errc::file_unwritable,
                      fmt::format("expected to write to standard output, found {}", std::strerror(write_error_)));
    clear_live();
    write(false, fmt::format("{}  {}\n", styled(Style::red, "error", false), error.text()));
    return exit == 0 ? exit_code(error.code()) : exit;
}

void Output::clear_live() {
    if (!live_drawn_) return;
    write(false, "\r\x1b[K");
    live_drawn_ = false;
}

void Output::line(std::string_view text) {
    if (globals_.json) return;
    clear_live();
    write(true, fmt::format("{}\n", text));
}

void Output::note(std::string_view text) {
    if (globals_.json || globals_.quiet) return;
    clear_live();
    write(false, fmt::format("{}\n", text));
}

void Output::warn(std::string_view text) {
    if (globals_.json) return;
    clear_live();
    write(false, fmt::format("{}\n", text));
}

void Output::redraw(std::string_view text) {
    if (!live()) return;
    write(false, fmt::format("\r\x1b[K{}", text));
    live_drawn_ = true;
}

void Output::event(std::string_view name, nlohmann::json fields) {
    if (!globals_.json) return;
    nlohmann::json document = {{"event", name}};
    document.update(fields);
    write(true, dump(document) + "\n");
}

int Output::result(std::string_view outcome, nlohmann::json fields, int exit) {
    ended_ = true;
    clear_live();
    if (globals_.json) {
        nlohmann::json document = {{"event", "result"}, {"outcome", outcome}, {"exit", exit}};
        document.update(fields);
        write(true, dump(document) + "\n");
    }
    return exit;
}

int Output::fail(const Error& error, nlohmann::json fields, std::string_view outcome) {
    const int exit = exit_code(error.code());
    const auto advice = hints(error);
    if (outcome.empty()) outcome = exit == 4 || exit == 5 ? "refused" : "failed";
    if (globals_.json) {
        fields["error"] = {{"code", errc_name(error.code())}, {"message", error.text()}, {"hints", advice}};
        return result(outcome, std::move(fields), exit);
    }
    ended_ = true;
    clear_live();
    // The reader of `-o - | head` has what it wanted.
    if (!error.detail("reader-gone").empty()) return exit;
    std::string text = fmt::format("{}  {}\n", styled(Style::red, "error", false), error.text());
    for (const auto& hint : advice) text += fmt::format("{}   {}\n", styled(Style::bold, "hint", false), hint);
    write(false, text);
    return exit;
}

}  // namespace fota::cli
