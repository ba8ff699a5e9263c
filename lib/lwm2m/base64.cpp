#include "lwm2m/base64.hpp"

#include <array>

namespace fota::lwm2m {
namespace {

constexpr std::string_view standard_digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> digit_values = [] {
    std::array<std::int8_t, 256> table{};
    table.fill(-1);
    for (std::size_t i = 0; i < standard_digits.size(); ++i)
        table[static_cast<unsigned char>(standard_digits[i])] = static_cast<std::int8_t>(i);
    table['-'] = 62;
    table['_'] = 63;
    return table;
}();

}  // namespace

std::string to_base64(BytesView bytes, Alphabet alphabet) {
    std::string out;
    out.reserve((bytes.size() + 2) / 3 * 4);
    const auto digit = [&](std::uint32_t value) {
        value &= 63;
        if (alphabet == Alphabet::url && value >= 62) return value == 62 ? '-' : '_';
        return standard_digits[value];
    };
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto left = bytes.size() - i;
        std::uint32_t bits = static_cast<std::uint32_t>(bytes[i]) << 16;
        if (left > 1) bits |= static_cast<std::uint32_t>(bytes[i + 1]) << 8;
        if (left > 2) bits |= bytes[i + 2];
        out += digit(bits >> 18);
        out += digit(bits >> 12);
        if (left > 1) out += digit(bits >> 6);
        if (left > 2) out += digit(bits);
    }
    if (alphabet == Alphabet::standard)
        while (out.size() % 4 != 0) out += '=';
    return out;
}

std::optional<Bytes> from_base64(std::string_view text) {
    if (text.size() % 4 == 0)
        for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
    if (text.size() % 4 == 1) return std::nullopt;
    Bytes out;
    out.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    int held = 0;
    for (const auto c : text) {
        const auto value = digit_values[static_cast<unsigned char>(c)];
        if (value < 0) return std::nullopt;
        bits = (bits << 6 | static_cast<std::uint32_t>(value)) & 0xffff;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        out.push_back(static_cast<std::uint8_t>(bits >> held));
    }
    if ((bits & ((1u << held) - 1)) != 0) return std::nullopt;
    return out;
}

}  // namespace fota::lwm2m
