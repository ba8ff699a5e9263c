#include "image/tlv_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/text.hpp"
#include "base/trim.hpp"

namespace fota::image {
namespace {

std::vector<std::string_view> fields(std::string_view text) {
    std::vector<std::string_view> out;
    while (true) {
        const auto comma = text.find(',');
        out.push_back(trim(text.substr(0, comma)));
        if (comma == std::string_view::npos) return out;
        text.remove_prefix(comma + 1);
    }
}

}  // namespace

std::string_view dependency_slot_word(std::uint8_t slot) noexcept {
    return slot != 0 && slot < dependency_slots.size() ? dependency_slots[slot] : std::string_view{};
}

Result<Dependency> parse_dependency(std::string_view text) {
    const auto bad = [&] {
        return fail(Errc::usage, fmt::format("expected a dependency such as \"1, 2.0.0\" or \"1, secondary, 2.0.0\" "
                                             "(image number, slot, least version), found \"{}\"",
                                             printable(text, 60)));
    };
    auto inner = trim(text);
    if (inner.starts_with('(') && inner.ends_with(')')) inner = inner.substr(1, inner.size() - 2);
    const auto words = fields(inner);
    if (words.size() != 2 && words.size() != 3) return bad();
    Dependency out;
    const auto* end = words[0].data() + words[0].size();
    const auto [stop, error] = std::from_chars(words[0].data(), end, out.image);
    if (error != std::errc{} || stop != end) return bad();
    if (words.size() == 3) {
        const auto* const slot = std::ranges::find(dependency_slots, words[1]);
        if (slot == dependency_slots.end()) return bad();
        out.slot = static_cast<std::uint8_t>(slot - dependency_slots.begin());
    }
    TRY(out.version, Version::parse(words.back()));
    return out;
}

Result<Bytes> custom_tlv_value(std::string_view text) {
    if (!text.starts_with("0x")) return to_bytes(as_bytes(text));
    auto out = from_hex(text.substr(2));
    if (!out)
        return fail(Errc::usage,
                    fmt::format("expected pairs of hexadecimal digits after 0x, found \"{}\"", printable(text, 60)));
    return std::move(*out);
}

}  // namespace fota::image
