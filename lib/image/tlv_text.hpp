// Contents of TLVs as people write them on a command line.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "image/builder.hpp"

namespace fota::image {

/// Names of Dependency::slot in Nordic's tree, by its value (imgtool's -d).
inline constexpr std::array<std::string_view, 3> dependency_slots{"active", "primary", "secondary"};
/// "primary" or "secondary"; empty for the active slot, which upstream's images mean, and for values nobody defined.
std::string_view dependency_slot_word(std::uint8_t slot) noexcept;

/// "1, 2.0.0" or "1, secondary, 2.0.0", with or without parentheses around it. usage: anything else.
Result<Dependency> parse_dependency(std::string_view text);

/// Bytes after "0x", else the text itself. usage: digits that are not hexadecimal, or an odd number of them.
Result<Bytes> custom_tlv_value(std::string_view text);

}  // namespace fota::image
