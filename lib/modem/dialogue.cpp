#include "modem/dialogue.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/trim.hpp"

namespace fota::modem {
namespace {

constexpr std::size_t longest_line = 8 * 1024;
constexpr std::size_t most_lines = 1024;

std::string_view ending(LineEnd end) {
    switch (end) {
        case LineEnd::crlf:
            return "\r\n";
        case LineEnd::cr:
            return "\r";
        case LineEnd::lf:
            return "\n";
        case LineEnd::nul:
            return {"\0", 1};
    }
    return "\r\n";
}

Error unsendable(std::string message) {
    return Error(Errc::credentials_unusable, std::move(message));
}

/// The text behind "at " in a shell: in single quotes where the shell would otherwise take double quotes away, line
/// feeds as the two characters that at_shell turns into CR LF (CONFIG_AT_SHELL_UNESCAPE_LF).
Result<std::string> shell_argument(std::string_view command) {
    if (command.find('"') == std::string_view::npos && command.find(' ') == std::string_view::npos)
        return std::string(command);
    if (command.find('\'') != std::string_view::npos)
        return fail(
            unsendable("expected credentials without ' for a modem behind a shell, found one: the shell would end the"
                       " text there"));
    std::string out = "'";
    for (const char each : command) {
        if (each == '\r') continue;
        if (each == '\n')
            out += "\\n";
        else
            out += each;
    }
    return out + "'";
}

/// Also without zeros at the ends.
std::string_view trimmed(std::string_view text) {
    return trim(text, std::string_view(" \t\0", 3));
}

/// A Zephyr shell's prompt: "uart:~$ ", "mosh:~$ ".
std::string_view without_prompt(std::string_view text) {
    for (;;) {
        const auto end = text.find(":~$");
        if (end == std::string_view::npos || end > 16) return text;
        const auto name = text.substr(0, end);
        if (!std::ranges::all_of(name,
                                 [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || (c >= '0' && c <= '9'); }))
            return text;
        text = trimmed(text.substr(end + 3));
    }
}

/// A line of Zephyr's log: "[00:00:12.345,678] <inf> app: ...".
bool is_log(std::string_view text) {
    if (!text.starts_with('[')) return false;
    const auto close = text.find("] <");
    return close != std::string_view::npos && close > 1 &&
           text.substr(1, close - 1).find_first_not_of("0123456789:.,") == std::string_view::npos;
}

/// The number at the end of a line that begins with `prefix`; 0 when it is none.
int number_after(std::string_view text, std::size_t prefix) {
    const auto digits = trimmed(text.substr(prefix));
    int number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
}

}  // namespace

std::string dialect_text(Dialect dialect) {
    const std::string_view access = dialect.access == Access::at ? "AT" : "AT in a shell";
    switch (dialect.line_end) {
        case LineEnd::crlf:
            return std::string(access);
        case LineEnd::cr:
            return fmt::format("{}, lines end with CR", access);
        case LineEnd::lf:
            return fmt::format("{}, lines end with LF", access);
        case LineEnd::nul:
            return fmt::format("{}, lines end with NUL", access);
    }
    return std::string(access);
}

Result<Secret<Bytes>> encode(const Command& command, Dialect dialect) {
    const auto& text = command.reveal();
    if (text.size() > longest_command)
        return fail(
            unsendable(fmt::format("expected an AT command of at most {} bytes, found {}: the firmware cuts longer "
                                   "ones (a shorter certificate chain"
                                   " fits)",
                                   longest_command, text.size())));
    if (text.find('\0') != std::string::npos)
        return fail(unsendable("expected an AT command without zero bytes, found one"));
    Bytes out;
    if (dialect.access == Access::shell) {
        TRY(auto argument, shell_argument(text));
        const Secret<std::string> wiped(std::move(argument));
        append(out, as_bytes("at "));
        append(out, as_bytes(wiped.reveal()));
    } else {
        append(out, as_bytes(text));
    }
    append(out, as_bytes(ending(dialect.line_end)));
    return Secret<Bytes>(std::move(out));
}

AnswerReader::AnswerReader(const Command& command, Dialect dialect) {
    const auto& text = command.reveal();
    std::string sent = text;
    if (dialect.access == Access::shell)
        if (auto argument = shell_argument(text)) sent = "at " + *argument;
    sent_ = Command(std::move(sent));
    if (text.size() > 2) prefix_ = text.substr(2, text.find_first_of("=?", 2) - 2);
}

bool AnswerReader::is_echo(std::string_view text) const {
    // A shell breaks a long echo at its terminal's width, so a part of what was sent is an echo as well.
    return sent_.reveal().find(text) != std::string::npos;
}

std::optional<Answer> AnswerReader::line(std::string_view raw) {
    const auto text = without_prompt(trimmed(raw));
    const auto end = [this](Answer::Kind kind, int code) {
        answer_.kind = kind;
        answer_.code = code;
        return std::optional<Answer>(std::move(answer_));
    };
    if (text.empty()) return std::nullopt;
    heard_ = true;
    if (text == "OK") return end(Answer::Kind::ok, 0);
    if (text == "ERROR") return end(Answer::Kind::error, 0);
    constexpr std::string_view cme = "+CME ERROR:";
    constexpr std::string_view cms = "+CMS ERROR:";
    constexpr std::string_view unsent = "Sending AT command failed with error code";
    if (text.starts_with(cme)) return end(Answer::Kind::cme, number_after(text, cme.size()));
    if (text.starts_with(cms)) return end(Answer::Kind::cms, number_after(text, cms.size()));
    if (text.starts_with(unsent)) return end(Answer::Kind::shell, number_after(text, unsent.size()));
    if (text.ends_with(": command not found")) return end(Answer::Kind::no_shell, 0);
    if (text.starts_with("*** Booting ")) return end(Answer::Kind::restarted, 0);
    if (is_echo(text) || is_log(text)) return std::nullopt;
    if (text.front() == '+' || text.front() == '%' || text.front() == '#') {
        const auto colon = text.find(':');
        if (colon == std::string_view::npos || text.substr(0, colon) != prefix_) return std::nullopt;  // unsolicited
    }
    if (answer_.lines.size() < most_lines) answer_.lines.emplace_back(text);
    return std::nullopt;
}

std::optional<Answer> AnswerReader::feed(BytesView bytes) {
    for (const auto byte : bytes) {
        const char each = static_cast<char>(byte);
        if (in_escape_) {
            // ECMA-48: ESC alone, or ESC [ parameters and one final byte from @ to ~.
            if (escape_began_) {
                escape_began_ = false;
                in_escape_ = each == '[';
            } else if (each >= '@' && each <= '~') {
                in_escape_ = false;
            }
            continue;
        }
        if (each == '\x1b') {
            in_escape_ = true;
            escape_began_ = true;
            continue;
        }
        if (each == '\r' || each == '\n') {
            const Secret<std::string> whole(std::move(partial_));  // it may be the echo of a key
            partial_.clear();
            if (auto answer = line(whole.reveal())) return answer;
            continue;
        }
        if (partial_.size() < longest_line) partial_ += each;
    }
    return std::nullopt;
}

}  // namespace fota::modem
