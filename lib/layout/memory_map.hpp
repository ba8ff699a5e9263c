// The memory map of a project: what lies where in internal and external flash (and RAM), how full it is, what is free,
// and where the SPU's blocks fall. For a terminal (render in cli/) and as SVG for a design review.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "layout/check.hpp"

namespace fota::layout {

/// Who may use an area, or what it is for; it decides the colour.
enum class AreaKind : std::uint8_t { bootloader, secure, non_secure, slot, storage, other, free };

struct Area {
    std::string name;
    std::uint64_t address = 0;  ///< bytes from the start of the device
    std::uint64_t size = 0;     ///< bytes
    AreaKind kind = AreaKind::other;
    std::string note;                    ///< "pairs with mcuboot_primary: swap-using-move"
    std::vector<Area> parts;             ///< what a slot is made of, by address
    std::optional<std::uint64_t> used;   ///< bytes that an image takes, where known
    std::optional<std::uint64_t> limit;  ///< bytes that an image may take

    std::uint64_t end() const noexcept { return address + size; }
};

struct MappedDevice {
    std::string title;        ///< "external flash MX25R6435F (spi3, CS P0.25)"
    std::uint64_t base = 0;   ///< address of its start, for RAM; 0 for flash
    std::uint64_t size = 0;   ///< bytes
    std::uint32_t block = 0;  ///< bytes that the SPU attributes together; 0 where there is no SPU
    std::vector<Area> areas;  ///< without gaps or overlaps from 0 to size: what no partition covers is free

    std::uint64_t free() const;
};

struct MemoryMap {
    std::string description;
    std::vector<MappedDevice> devices;  ///< internal flash first
};

/// config_invalid when the partitions are not known (a source tree without a static layout needs a build). The image
/// tells how full the slot is; nullptr when there is none.
Result<MemoryMap> memory_map(const Project& project, const ImageFacts* image);

/// A complete SVG document, 1100 units wide.
std::string render_svg(const MemoryMap& map);

/// "bootloader", "secure", "non-secure", "update slot", "storage", "other", "free"
std::string_view area_kind_name(AreaKind kind);

}  // namespace fota::layout
