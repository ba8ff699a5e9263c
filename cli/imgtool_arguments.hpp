// Command lines as imgtool reads them. It is built on Python's click, whose rules differ from this program's own:
// "-kFILE" and bundled flags, the last of repeated options wins, the word after an option is its value even when it
// begins with a dash, and errors come in the order in which the options were given. Source: click 8.1, parser.py and
// core.py.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fota::cli::imgtool {

enum class Kind : std::uint8_t { argument, flag, text, choice, integer, based_integer };

/// One parameter of a command.
struct Parameter {
    std::vector<std::string>
        names;  ///< {"-k", "--key"}; of an argument {"INFILE"}. The last one is its name in Arguments
    Kind kind = Kind::text;
    std::string help;
    std::vector<std::string> choices = {};  ///< of Kind::choice
    bool required = false;
    unsigned values = 1;                                     ///< words per use
    std::function<Result<>(const std::string&)> check = {};  ///< says what is wrong with a value
};

/// What was given, by the last name of each parameter ("--key").
class Arguments {
  public:
    bool has(const std::string& name) const { return given_.contains(name); }
    /// The value of the last use; empty when there is none.
    std::string text(const std::string& name) const;
    std::optional<std::string> find(const std::string& name) const;
    /// Of an integer or based_integer.
    std::optional<std::int64_t> number(const std::string& name) const;
    /// Every use in order, each with its words.
    std::vector<std::vector<std::string>> all(const std::string& name) const;

  private:
    friend Result<Arguments> parse_arguments(std::span<const std::string>, std::span<const Parameter>);
    std::map<std::string, std::vector<std::vector<std::string>>> given_;
};

/// Help was asked for: the detail "help" of an Errc::usage error.
bool is_help_request(const Error& error) noexcept;

/// Errc::usage in click's words. The detail "bare" is set where click shows no usage line above the message.
Result<Arguments> parse_arguments(std::span<const std::string> words, std::span<const Parameter> parameters);

/// As Python's int(text, 0) when `based`, else int(text): sign, digit groups by underscores, prefixes 0x, 0o, 0b.
/// Numbers beyond 64 bits saturate.
std::optional<std::int64_t> parse_integer(std::string_view text, bool based);

/// Errc::usage: "Invalid value for '-v' / '--version': ...".
Failure bad_value(std::span<const std::string> names, std::string_view why);

/// The text of -h.
std::string help_text(std::string_view usage, std::string_view summary, std::span<const Parameter> parameters);

}  // namespace fota::cli::imgtool
