// Text for people and from people: escaping, sizes, durations, versions of numbers, spelling help.
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fota {

/// Makes foreign text safe for a terminal, a log line or a message: control characters, DEL, C1 controls and invalid
/// UTF-8 become \xNN; a backslash becomes \\. Longer than `limit` bytes: cut, with "…".
std::string printable(std::string_view text, std::size_t limit = 256);

/// "364,747"
std::string with_thousands(std::uint64_t value);

/// "356 KiB", "8 MiB", "1.9 KiB": binary units, at most one decimal below 10.
std::string human_size(std::uint64_t bytes);

/// "4 min 12 s", "41 s", "2 h 5 min", "3 d 2 h"
std::string human_duration(std::chrono::milliseconds span);

/// Decimal, 0x hexadecimal, K/M/G suffixes (binary). Errc::usage names expected and found.
Result<std::uint64_t> parse_size(std::string_view text);

/// "90" (seconds), "90s", "5m", "2h", "1d", "1.5h", "250ms". Errc::usage on anything else or on overflow.
Result<std::chrono::milliseconds> parse_duration(std::string_view text);

/// The candidate nearest to `word` (Damerau-Levenshtein distance at most 3 and less than the word's length), or "".
std::string nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace fota
