// SPI NOR parts found on nRF91 boards, by JEDEC id.
//
// Sources: the boards' devicetrees in Zephyr (jedec-id, size) and JEDEC JEP106 for the makers. Erase sizes are those of
// the parts' SFDP tables (JESD216), ascending.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace fota::flash {

using JedecId = std::array<std::uint8_t, 3>;

struct Part {
    std::string_view name;
    JedecId id;
    std::uint32_t size;                        ///< bytes
    std::array<std::uint32_t, 3> erase_sizes;  ///< bytes, ascending
};

inline constexpr std::array<std::uint32_t, 3> common_erase_sizes{4096, 32768, 65536};

inline constexpr std::array parts{
    Part{"MX25R6435F", {0xc2, 0x28, 0x17}, 8U << 20, common_erase_sizes},
    Part{"MX25R3235F", {0xc2, 0x28, 0x16}, 4U << 20, common_erase_sizes},
    Part{"MX25R1635F", {0xc2, 0x28, 0x15}, 2U << 20, common_erase_sizes},
    Part{"MX25L25645G", {0xc2, 0x20, 0x19}, 32U << 20, common_erase_sizes},
    Part{"GD25WB256E3IR", {0xc8, 0x65, 0x19}, 32U << 20, common_erase_sizes},
    Part{"GD25LE255E", {0xc8, 0x60, 0x19}, 32U << 20, common_erase_sizes},
    Part{"W25Q32JV", {0xef, 0x40, 0x16}, 4U << 20, common_erase_sizes},
    Part{"W25Q64JV", {0xef, 0x40, 0x17}, 8U << 20, common_erase_sizes},
    Part{"W25Q128JV", {0xef, 0x40, 0x18}, 16U << 20, common_erase_sizes},
};

inline const Part* find_part(const JedecId& id) noexcept {
    for (const auto& part : parts)
        if (part.id == id) return &part;
    return nullptr;
}

/// By name, upper or lower case.
inline const Part* find_part(std::string_view name) noexcept {
    const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; };
    for (const auto& part : parts) {
        if (part.name.size() != name.size()) continue;
        bool same = true;
        for (std::size_t i = 0; i < name.size(); ++i) same = same && upper(name[i]) == part.name[i];
        if (same) return &part;
    }
    return nullptr;
}

/// Three bytes in hexadecimal, with or without separators: "c22817", "c2 28 17", "c2:28:17".
inline std::optional<JedecId> parse_jedec_id(std::string_view text) {
    std::string digits;
    for (const char c : text)
        if (c != ' ' && c != ':' && c != '-') digits += c;
    const auto bytes = from_hex(digits);
    if (!bytes || bytes->size() != 3) return std::nullopt;
    return JedecId{(*bytes)[0], (*bytes)[1], (*bytes)[2]};
}

/// 00 00 00 or ff ff ff: nothing drives the data line.
inline bool is_silent(const JedecId& id) noexcept {
    return (id[0] | id[1] | id[2]) == 0 || (id[0] & id[1] & id[2]) == 0xff;
}

/// A Winbond SPI NAND (W25N): ef aa xx, read by a NOR driver as 00 ef aa because NAND sends a dummy byte first.
inline bool is_nand(const JedecId& id) noexcept {
    return id[0] == 0x00 ? id[1] == 0xef && id[2] == 0xaa : id[0] == 0xef && id[1] == 0xaa;
}

/// "c2 28 17", as the driver prints it.
inline std::string jedec_text(const JedecId& id) {
    auto hex = to_hex(id);
    return hex.substr(0, 2) + " " + hex.substr(2, 2) + " " + hex.substr(4, 2);
}

}  // namespace fota::flash
