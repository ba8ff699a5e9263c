// The two slots MCUboot swaps, how it swaps them, and the largest image that fits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "core/slot_limit.h"
#include "layout/project.hpp"

namespace fota::layout {

/// MCUboot erases and counts in pages of the internal flash of nRF91 and nRF53 (bytes).
inline constexpr std::uint32_t page_size = 4096;
/// Write block of internal flash (bytes).
inline constexpr std::uint32_t write_size = 4;

struct Slot {
    std::uint64_t address = 0;  ///< bytes from the start of its device
    std::uint64_t size = 0;     ///< bytes
    std::string device;         ///< Partition Manager's region, or the flash node's path
    bool external = false;
    Where where;

    std::uint64_t end() const noexcept { return address + size; }
};

struct SlotLayout {
    Slot primary;
    Slot secondary;
    fota_boot_mode mode = FOTA_BOOT_MOVE;
    std::uint32_t max_sectors = 128;  ///< CONFIG_BOOT_MAX_IMG_SECTORS, or slot/4096 with _AUTO
    bool max_sectors_auto = false;
};

/// MCUboot's mode by its configuration, or by sysbuild's in a source tree; swap-using-move by default.
fota_boot_mode boot_mode(const Project& project);
/// "swap-using-move", "swap-using-offset", "swap-using-scratch", "overwrite-only"
std::string_view boot_mode_name(fota_boot_mode mode);

/// Slots by Partition Manager's table, else by devicetree. config_invalid when the tree does not tell: a source tree
/// without a static layout needs a build.
Result<SlotLayout> slots(const Project& project);

/// Every placed partition. Of a devicetree layout the labelled ones, under Partition Manager's names where it has one
/// (boot_partition is mcuboot, slot0_partition mcuboot_primary), so that both kinds of project compare and draw alike.
std::vector<Partition> all_partitions(const Project& project);

/// Largest offset at which the image's last TLV may end (bytes); 0 when no image fits.
std::uint32_t image_limit(const SlotLayout& layout);

/// image_too_large, naming size and limit, when an image whose last TLV ends at `image_end` does not fit.
Result<> fit(const SlotLayout& layout, std::uint64_t image_end);

/// The public key compiled into MCUboot (build tree: mcuboot/zephyr/autogen-pubkey.c), DER as it stands there
/// (SubjectPublicKeyInfo, for RSA PKCS#1); file_unreadable when the tree has none.
Result<Bytes> pinned_key(const Project& project);

}  // namespace fota::layout
