#include "image/version.hpp"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <optional>

#include "base/text.hpp"

namespace fota::image {
namespace {

/// Digits without sign and leading zero, as imgtool's pattern ([1-9]\d*|0); nullopt on anything else. Numbers beyond 64
/// bits saturate: they are out of range for every part.
std::optional<std::uint64_t> number(std::string_view text) {
    if (text.empty() || (text.size() > 1 && text.front() == '0')) return std::nullopt;
    if (text.find_first_not_of("0123456789") != std::string_view::npos) return std::nullopt;
    std::uint64_t out = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc{} ? out : std::numeric_limits<std::uint64_t>::max();
}

template <class Part>
Result<> store(Part& part, const char* name, std::uint64_t found) {
    constexpr auto most = std::numeric_limits<Part>::max();
    if (found > most) return fail(Errc::usage, fmt::format("expected a {} of at most {}, found {}", name, most, found));
    part = static_cast<Part>(found);
    return {};
}

}  // namespace

std::string Version::text() const {
    return build == 0 ? fmt::format("{}.{}.{}", major, minor, revision) : full();
}

std::string Version::full() const {
    return fmt::format("{}.{}.{}+{}", major, minor, revision, build);
}

std::uint32_t Version::security_counter() const noexcept {
    return (static_cast<std::uint32_t>(major) << 24) + (static_cast<std::uint32_t>(minor) << 16) + revision;
}

Result<Version> Version::parse(std::string_view text) {
    const auto bad = [&] {
        return fail(Errc::usage,
                    fmt::format("expected a version such as 1.2.3 or 1.2.3+4, found \"{}\"", printable(text, 60)));
    };
    auto rest = text;
    std::string_view build_text;
    const auto plus = rest.find('+');
    if (plus != std::string_view::npos) {
        build_text = rest.substr(plus + 1);
        rest = rest.substr(0, plus);
    }
    std::uint64_t parts[3] = {};
    std::size_t count = 0;
    while (true) {
        const auto dot = rest.find('.');
        const auto value = number(rest.substr(0, dot));
        if (!value || count == 3) return bad();
        parts[count++] = *value;
        if (dot == std::string_view::npos) break;
        rest.remove_prefix(dot + 1);
    }
    Version out;
    TRY_VOID(store(out.major, "major version", parts[0]));
    TRY_VOID(store(out.minor, "minor version", parts[1]));
    TRY_VOID(store(out.revision, "revision", parts[2]));
    if (plus != std::string_view::npos) {
        const auto value = number(build_text);
        if (!value || count != 3) return bad();
        TRY_VOID(store(out.build, "build number", *value));
    }
    return out;
}

}  // namespace fota::image
