// What a person or a script sees: results on stdout, everything else on stderr; NDJSON with --json (CLI.md,
// "Everywhere").
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fota::cli {

/// Options that every command takes.
struct Globals {
    bool json = false;
    bool verbose = false;
    bool quiet = false;
    bool no_color = false;
    std::string log_file;
    std::string config_file;
};

enum class Style { plain, bold, dim, red, green, yellow };

/// Writes to the two streams of the process. Text that comes from files or devices must already be `printable`.
class Output {
  public:
    /// Looks at the streams: terminal or not, NO_COLOR, TERM=dumb, width. Reads `globals` at each call, since options
    /// are parsed after construction.
    explicit Output(const Globals& globals);

    bool json() const noexcept { return globals_.json; }
    bool verbose() const noexcept { return globals_.verbose; }
    bool quiet() const noexcept { return globals_.quiet; }
    /// stderr is a terminal that understands cursor movement: a progress bar may be redrawn.
    bool live() const noexcept { return err_live_ && !globals_.json && !globals_.quiet; }
    /// Columns of the terminal; 80 when unknown.
    int width() const noexcept { return width_; }

    /// `text` with the style's escape sequences where the stream is a terminal that wants colours; else `text`.
    std::string styled(Style style, std::string_view text, bool on_stdout = true) const;

    /// A line of the result, for a person. Nothing in JSON mode.
    void line(std::string_view text);
    /// A line about what goes on (stderr). Nothing with --quiet or in JSON mode.
    void note(std::string_view text);
    /// A line a person must see even with --quiet (stderr), nothing in JSON mode.
    void warn(std::string_view text);
    /// A redrawn line on a live terminal (no newline); the next line() or note() clears it first.
    void redraw(std::string_view text);

    /// One NDJSON event; nothing in text mode. `fields` is an object.
    void event(std::string_view name, nlohmann::json fields);
    /// Ends the command: in JSON mode the `result` event with outcome, exit and the fields. Returns `exit`.
    int result(std::string_view outcome, nlohmann::json fields, int exit = 0);
    /// Ends the command with an error: text and hints on stderr, or the `result` event with error{code,message,hints}.
    /// `outcome` defaults to "refused" for exits 4 and 5, else "failed". Returns the exit code of the error.
    int fail(const Error& error, nlohmann::json fields = nlohmann::json::object(), std::string_view outcome = {});

    /// True once result() or fail() has written the last line.
    bool ended() const noexcept { return ended_; }

    /// The process's exit code for a command that ended with `exit`: that of file_unwritable, said on stderr, when a
    /// report was asked for and could not be written. A reader that went away (`| head`) has read what it wanted: then
    /// nothing is said, and the exit code stays.
    int finish(int exit);

  private:
    void clear_live();
    void write(bool to_stdout, std::string_view text);

    const Globals& globals_;
    bool out_color_ = false;
    bool err_color_ = false;
    bool err_live_ = false;
    bool live_drawn_ = false;
    bool ended_ = false;
    int write_error_ = 0;  ///< errno of the first write to stdout that failed
    int width_ = 80;
};

}  // namespace fota::cli
