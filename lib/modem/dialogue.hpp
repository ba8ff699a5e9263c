// The AT dialogue (3GPP TS 27.007; Nordic's nRF9160 AT commands) as pure text in and out: one command, one answer.
//
// Two ways lead to the modem: firmware that forwards lines as they are (the at_host library), and a Zephyr shell whose
// `at` command does (at_shell, the modem shell). Both may mix the answer with echoes, log lines, prompts, escape
// sequences and unsolicited result codes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace fota::modem {

enum class Access : std::uint8_t {
    at,     ///< "AT+CGSN"
    shell,  ///< "at AT+CGSN"
};

/// What ends a command: at_host's CONFIG_AT_HOST_TERMINATION.
enum class LineEnd : std::uint8_t { crlf, cr, lf, nul };

struct Dialect {
    Access access = Access::at;
    LineEnd line_end = LineEnd::crlf;
    friend bool operator==(const Dialect&, const Dialect&) = default;
};
/// "AT", "AT in a shell"; with the line end where it is not CR LF.
std::string dialect_text(Dialect dialect);

/// "AT+CGSN", without line end. Secret, because a command may carry a key.
using Command = Secret<std::string>;

/// at_host's largest command (CONFIG_AT_HOST_CMD_MAX_LEN), in bytes.
inline constexpr std::size_t longest_command = 4096;

/// What to send. In a shell, quotes and line feeds are wrapped so that they reach the modem. Errors:
/// credentials_unusable for a command that cannot be sent whole: too long, or in a shell one with both kinds of quotes.
Result<Secret<Bytes>> encode(const Command& command, Dialect dialect);

struct Answer {
    enum class Kind : std::uint8_t {
        ok,
        error,      ///< "ERROR"
        cme,        ///< "+CME ERROR: n" (27.007 section 9.2)
        cms,        ///< "+CMS ERROR: n"
        no_shell,   ///< a shell answered that it does not know the command
        shell,      ///< the shell could not pass the command on; `code` is its error number
        restarted,  ///< the device booted instead of answering
    };
    Kind kind = Kind::ok;
    int code = 0;
    std::vector<std::string> lines;  ///< information text, foreign: escape before printing
};

/// Reads the answer to one command out of whatever arrives. Bounded: longer lines are cut, more lines dropped.
class AnswerReader {
  public:
    AnswerReader(const Command& command, Dialect dialect);
    /// The answer once its last line is there; bytes after it are ignored.
    std::optional<Answer> feed(BytesView bytes);
    /// Whether anything at all arrived, answer or not.
    bool heard() const noexcept { return heard_; }

  private:
    std::optional<Answer> line(std::string_view text);
    bool is_echo(std::string_view text) const;

    Command sent_;        ///< as a shell or a modem with ATE1 would echo it
    std::string prefix_;  ///< "%CMNG": of lines that belong to this answer
    std::string partial_;
    bool in_escape_ = false;
    bool escape_began_ = false;
    bool heard_ = false;
    Answer answer_;
};

}  // namespace fota::modem
