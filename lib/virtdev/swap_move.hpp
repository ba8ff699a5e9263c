// Swap-using-move on a pair of slots, with its status in the primary slot's trailer. Part of the model of MCUboot:
// bootloader.hpp. Source: MCUboot boot/bootutil/src/swap_move.c, swap_misc.c, loader.c (boot_write_status).
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "core/mcuboot.h"
#include "virtdev/flash_area.hpp"

namespace fota::virtdev {

struct SlotPair {
    FlashArea& primary;
    FlashArea& secondary;
    std::uint32_t max_sectors;
    fota_boot_mode mode = FOTA_BOOT_MOVE;
    FlashArea* scratch = nullptr;  ///< FOTA_BOOT_SCRATCH: its area

    std::uint32_t sector_size() const noexcept { return primary.sector_size(); }
    fota_trailer trailer() const noexcept { return {primary.size(), primary.core().write_size, max_sectors, mode}; }
};

/// Erases the sectors that hold a slot's trailer, the last one (with the magic) first.
Result<void> erase_trailer(const SlotPair& pair, FlashArea& slot);

/// How far a swap has come. Two phases over the same sectors, counted from 1: `move` copies each sector of the primary
/// slot one up, last one first; `swap` then copies each secondary sector down (step 1) and the moved one into its place
/// (step 2).
struct SwapStatus {
    enum class Phase { move, swap } phase = Phase::move;
    std::uint32_t index = 1;  ///< the sector to do next; in `move` the count of sectors done, plus one
    std::uint32_t step = 1;
    bool in_primary = false;  ///< the primary slot's trailer already holds this swap's status
    bool in_scratch = false;  ///< the scratch area's trailer does
    fota_swap_type type = FOTA_SWAP_NONE;
    std::uint32_t swap_size = 0;  ///< bytes to swap: the larger image's end
    std::uint32_t done = 0;       ///< status entries written
    /// Bytes of both images' unprotected TLVs, which swap-using-offset notes.
    std::uint16_t primary_tlvs = 0;
    std::uint16_t secondary_tlvs = 0;

    bool fresh() const noexcept { return done == 0; }
};

/// What an interrupted swap left; a fresh status when there was none. `type` and `swap_size` come from the trailer.
Result<SwapStatus> read_swap_status(const SlotPair& pair, const fota_swap_state& primary,
                                    const fota_swap_state& secondary);

/// Swaps, or goes on with `status`. The images must fit (fota_image_limit).
Result<void> run_swap(const SlotPair& pair, SwapStatus status);

/// Whole sectors, one after the other.
Result<void> erase_sectors(FlashArea& area, std::uint32_t offset, std::uint32_t size);
/// Through a buffer of 1024 bytes; `size` in whole write blocks.
Result<void> copy_bytes(FlashArea& to, std::uint32_t to_offset, const FlashArea& from, std::uint32_t from_offset,
                        std::uint32_t size);
/// Erases one sector and copies one into it.
Result<void> replace_sector(FlashArea& to, std::uint32_t to_index, const FlashArea& from, std::uint32_t from_index);
/// The trailer's fields of a swap that begins, in either slot. The magic goes last: where it stands, the others stand.
Result<void> init_status(const SlotPair& pair, FlashArea& slot, const SwapStatus& status);
/// One status entry: its first byte is the step, the rest of the write block stays erased.
Result<void> write_entry(FlashArea& area, const fota_trailer& trailer, std::uint32_t entry, std::uint32_t step);

}  // namespace fota::virtdev
