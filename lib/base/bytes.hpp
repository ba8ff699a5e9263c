// Byte strings, hexadecimal, and bounds-checked little-endian access.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fota {

using Bytes = std::vector<std::uint8_t>;
using BytesView = std::span<const std::uint8_t>;

inline BytesView as_bytes(std::string_view text) noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(BytesView bytes) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(BytesView view) {
    return {view.begin(), view.end()};
}

/// Lower-case hexadecimal without separators.
std::string to_hex(BytesView bytes);
/// Accepts upper and lower case; surrounding ASCII white space is ignored; nullopt on an odd count or a foreign
/// character.
std::optional<Bytes> from_hex(std::string_view text);
/// "5b1f…9c": the first four and last two digits, for people; the whole text when it is short.
std::string short_hex(BytesView bytes);

/// Constant-time comparison for authenticators.
bool equal_constant_time(BytesView a, BytesView b) noexcept;

/// Sub-range [offset, offset + length), or nullopt when it is not wholly inside; 64-bit, cannot overflow.
inline std::optional<BytesView> slice(BytesView bytes, std::uint64_t offset, std::uint64_t length) noexcept {
    if (offset > bytes.size() || length > bytes.size() - offset) return std::nullopt;
    return bytes.subspan(static_cast<std::size_t>(offset), static_cast<std::size_t>(length));
}

/// Little-endian loads; the caller has checked the bounds (slice).
inline std::uint16_t load_le16(const std::uint8_t* p) noexcept {
    return static_cast<std::uint16_t>(p[0] | (p[1] << 8));
}
inline std::uint32_t load_le32(const std::uint8_t* p) noexcept {
    return static_cast<std::uint32_t>(p[0]) | (static_cast<std::uint32_t>(p[1]) << 8) |
           (static_cast<std::uint32_t>(p[2]) << 16) | (static_cast<std::uint32_t>(p[3]) << 24);
}
void append_le16(Bytes& out, std::uint16_t value);
void append_le32(Bytes& out, std::uint32_t value);
inline void append(Bytes& out, BytesView more) {
    out.insert(out.end(), more.begin(), more.end());
}

}  // namespace fota
