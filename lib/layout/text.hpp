// Text files as people and tools leave them: a byte order mark, CRLF and a missing last newline are normal.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/file_tree.hpp"
#include "base/result.hpp"
#include "base/trim.hpp"

namespace fota::layout {

/// No text file that a project or a build holds for us is longer (bytes).
inline constexpr std::uint64_t text_limit = 2U << 20;

/// The file's text without byte order mark. file_unreadable; config_invalid when it is not text (holds NUL bytes).
Result<std::string> read_text(const FileTree& tree, const std::string& path, std::uint64_t limit = text_limit);

/// config_invalid with the line as a detail, so that it can become a finding at that line.
Error at_line(unsigned line, std::string message);
/// The line that `at_line` recorded, or 0.
unsigned line_of(const Error& error) noexcept;

/// Decimal or 0x hexadecimal, the whole text; nullopt otherwise or past 64 bits.
std::optional<std::uint64_t> parse_number(std::string_view text) noexcept;

/// Calls `use(line number from 1, line without its end)` for each line.
template <class Use>
void for_each_line(std::string_view text, Use&& use) {
    unsigned number = 0;
    while (!text.empty()) {
        const auto end = text.find('\n');
        auto line = text.substr(0, end);
        if (line.ends_with('\r')) line.remove_suffix(1);
        use(++number, line);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
}

/// Last path component, and everything before it ("" when there is none).
std::string_view base_name(std::string_view path) noexcept;
std::string_view directory_of(std::string_view path) noexcept;
/// "a" + "b" = "a/b"; an empty side is left out.
std::string join(std::string_view directory, std::string_view name);

}  // namespace fota::layout
