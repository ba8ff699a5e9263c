#include "base/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <vector>

namespace fota {
namespace {

/// Length of the valid UTF-8 sequence at the start of `text`, 0 if there is none (RFC 3629: no overlong forms, no
/// surrogates).
std::size_t utf8_length(std::string_view text) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
    const unsigned char lead = byte(0);
    if (lead < 0x80) return 1;
    if (lead >= 0xc2 && lead <= 0xdf) return continues(1) ? 2 : 0;
    if ((lead & 0xf0) == 0xe0 && continues(1) && continues(2)) {
        if (lead == 0xe0 && byte(1) < 0xa0) return 0;
        if (lead == 0xed && byte(1) > 0x9f) return 0;
        return 3;
    }
    if (lead >= 0xf0 && lead <= 0xf4 && continues(1) && continues(2) && continues(3)) {
        if (lead == 0xf0 && byte(1) < 0x90) return 0;
        if (lead == 0xf4 && byte(1) > 0x8f) return 0;
        return 4;
    }
    return 0;
}

/// Characters that act on a terminal although they are valid UTF-8: C1 controls, bidirectional overrides and isolates.
bool acts_on_terminal(std::string_view sequence) noexcept {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(sequence[i]); };
    if (sequence.size() == 2) return byte(0) == 0xc2 && byte(1) < 0xa0;
    if (sequence.size() == 3 && byte(0) == 0xe2)
        return (byte(1) == 0x80 && ((byte(2) >= 0xa8 && byte(2) <= 0xae) || byte(2) == 0x8e || byte(2) == 0x8f)) ||
               (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9);
    return false;
}

}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
    std::string out;
    std::size_t i = 0;
    while (i < text.size()) {
        if (out.size() >= limit) return out + "…";
        const auto length = utf8_length(text.substr(i));
        const auto sequence = text.substr(i, std::max<std::size_t>(length, 1));
        const auto c = static_cast<unsigned char>(text[i]);
        if (c == '\\') {
            out += "\\\\";
        } else if (length == 0 || c < 0x20 || c == 0x7f || acts_on_terminal(sequence)) {
            for (char each : sequence) out += fmt::format("\\x{:02x}", static_cast<unsigned char>(each));
        } else {
            out += sequence;
        }
        i += sequence.size();
    }
    return out;
}

std::string with_thousands(std::uint64_t value) {
    auto digits = std::to_string(value);
    for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
        digits.insert(static_cast<std::size_t>(at), ",");
    return digits;
}

std::string human_size(std::uint64_t bytes) {
    static constexpr std::array units{"B", "KiB", "MiB", "GiB", "TiB"};
    auto value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < units.size()) {
        value /= 1024;
        ++unit;
    }
    if (unit == 0 || value >= 10 || value == std::floor(value)) return fmt::format("{:.0f} {}", value, units[unit]);
    return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string human_duration(std::chrono::milliseconds span) {
    const auto ms = span.count();
    if (ms < 10'000) return fmt::format("{:.1f} s", static_cast<double>(ms) / 1000);
    const auto s = ms / 1000;
    if (s < 120) return fmt::format("{} s", s);
    if (s < 7200) return s % 60 == 0 ? fmt::format("{} min", s / 60) : fmt::format("{} min {} s", s / 60, s % 60);
    if (s < 172'800) return fmt::format("{} h {} min", s / 3600, s / 60 % 60);
    return fmt::format("{} d {} h", s / 86'400, s / 3600 % 24);
}

Result<std::uint64_t> parse_size(std::string_view text) {
    const auto bad = [&] {
        return fail(Errc::usage,
                    fmt::format("expected a size such as 4096, 0xe8000 or 928K, found \"{}\"", printable(text, 40)));
    };
    auto digits = text;
    std::uint64_t scale = 1;
    if (!digits.empty()) {
        switch (digits.back()) {
            case 'K':
            case 'k':
                scale = 1024;
                break;
            case 'M':
                scale = 1024 * 1024;
                break;
            case 'G':
                scale = 1024ULL * 1024 * 1024;
                break;
            default:
                break;
        }
        if (scale != 1) digits.remove_suffix(1);
    }
    int base = 10;
    if (digits.starts_with("0x") || digits.starts_with("0X")) {
        digits.remove_prefix(2);
        base = 16;
    }
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, base);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) return bad();
    if (value > std::numeric_limits<std::uint64_t>::max() / scale) return bad();
    return value * scale;
}

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
    const auto bad = [&] {
        return fail(Errc::usage,
                    fmt::format("expected a duration such as 90s, 5m, 2h or 1d, found \"{}\"", printable(text, 40)));
    };
    auto digits = text;
    double scale = 1000;
    if (digits.ends_with("ms")) {
        scale = 1;
        digits.remove_suffix(2);
    } else if (!digits.empty()) {
        const char unit = digits.back();
        if (unit == 'm') scale = 60'000;
        if (unit == 'h') scale = 3'600'000;
        if (unit == 'd') scale = 86'400'000;
        if (unit == 's' || scale != 1000) digits.remove_suffix(1);
    }
    double value = 0;
    const auto [end, error] =
        std::from_chars(digits.data(), digits.data() + digits.size(), value, std::chars_format::fixed);
    if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() || !(value >= 0)) return bad();
    // A hundred years: beyond use, and in nanoseconds still far from the end of the clocks it is added to.
    if (value * scale > 3.2e12) return bad();
    return std::chrono::milliseconds(static_cast<std::int64_t>(std::llround(value * scale)));
}

std::string nearest(std::string_view word, std::span<const std::string> candidates) {
    const auto distance = [](std::string_view a, std::string_view b) {
        std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
        for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
        for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
        for (std::size_t i = 1; i <= a.size(); ++i)
            for (std::size_t j = 1; j <= b.size(); ++j) {
                d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
            }
        return d[a.size()][b.size()];
    };
    if (word.size() > 64) return "";
    std::string best;
    std::size_t best_distance = std::min<std::size_t>(4, word.size());
    for (const auto& candidate : candidates) {
        if (candidate.size() > 64) continue;
        if (const auto d = distance(word, candidate); d < best_distance) {
            best_distance = d;
            best = candidate;
        }
    }
    return best;
}

}  // namespace fota
