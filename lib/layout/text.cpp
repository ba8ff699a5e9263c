#include "layout/text.hpp"

#include <charconv>

#include "base/text.hpp"

namespace fota::layout {

Result<std::string> read_text(const FileTree& tree, const std::string& path, std::uint64_t limit) {
    TRY(const auto bytes, tree.read(path, limit));
    auto text = as_text(bytes);
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
    if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
        unsigned line = 1;
        for (const char c : text.substr(0, nul)) line += c == '\n' ? 1U : 0U;
        return fail(at_line(line, "expected text, found a NUL byte"));
    }
    return std::string(text);
}

Error at_line(unsigned line, std::string message) {
    return Error(Errc::config_invalid, std::move(message)).with("line", std::to_string(line));
}

unsigned line_of(const Error& error) noexcept {
    const auto text = error.detail("line");
    unsigned line = 0;
    (void)std::from_chars(text.data(), text.data() + text.size(), line);
    return line;
}

std::optional<std::uint64_t> parse_number(std::string_view text) noexcept {
    int base = 10;
    if (text.starts_with("0x") || text.starts_with("0X")) {
        text.remove_prefix(2);
        base = 16;
    }
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::string_view base_name(std::string_view path) noexcept {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string_view directory_of(std::string_view path) noexcept {
    const auto slash = path.rfind('/');
    return slash == std::string_view::npos ? std::string_view{} : path.substr(0, slash);
}

std::string join(std::string_view directory, std::string_view name) {
    if (directory.empty()) return std::string(name);
    if (name.empty()) return std::string(directory);
    return std::string(directory) + "/" + std::string(name);
}

}  // namespace fota::layout
