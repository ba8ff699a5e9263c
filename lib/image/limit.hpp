// How large an image may be: what the bootloader takes, and what imgtool would have let through.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "core/slot_limit.h"

namespace fota::image {

/// "move", "offset", "scratch", "overwrite".
std::string_view mode_word(fota_boot_mode mode) noexcept;
/// "swap-move", "swap-offset", "swap-scratch", "overwrite-only".
std::string_view mode_name(fota_boot_mode mode) noexcept;
std::optional<fota_boot_mode> mode_from_word(std::string_view word) noexcept;

struct Slot {
    fota_boot_mode mode = FOTA_BOOT_MOVE;
    std::uint64_t size = 0;  ///< bytes, of both slots
    std::uint64_t sector_size = 4096;
    std::uint64_t max_sectors = 0;  ///< CONFIG_BOOT_MAX_IMG_SECTORS; 0: default_max_sectors()
    std::uint32_t write_size = 4;
    /// Of an encrypted image: bytes that a swapping bootloader keeps of each image's key, 16 or 32; with
    /// BOOT_SWAP_SAVE_ENCTLV the length of its TLV. 0: not encrypted.
    std::uint32_t key_bytes = 0;
};

/// Where nobody says what CONFIG_BOOT_MAX_IMG_SECTORS is: 128, MCUboot's default, if that is enough for the slot; else
/// 512, as in Nordic's external-flash configurations; else as many as the slot has.
std::uint64_t default_max_sectors(std::uint64_t slot_size, std::uint64_t sector_size) noexcept;

/// Largest offset at which the last TLV may end. Errc::usage for sizes that no slot can have.
Result<std::uint64_t> image_limit(const Slot& slot);

/// Bytes imgtool reserves for the trailer (scripts/imgtool/image.py, _trailer_size). It neither rounds up to sectors
/// nor keeps the spare sector, which is why it approves images that swap-using-move refuses.
/// `key_bytes`: of an encrypted image, what a swapping bootloader keeps of each image's key; 0: not encrypted.
std::uint64_t imgtool_trailer_size(bool overwrite_only, std::uint64_t max_sectors, std::uint32_t align,
                                   std::uint32_t max_align, std::uint64_t key_bytes) noexcept;

/// image_too_large with limit, found, and whether imgtool would have accepted it, when an image that ends at `end`
/// cannot be swapped in this slot.
Result<> check_fits(std::uint64_t end, const Slot& slot);

}  // namespace fota::image
