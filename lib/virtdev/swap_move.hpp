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

    std::uint32_t sector_size() const noexcept { return primary.sector_size(); }
    fota_trailer trailer() const noexcept {
        return {primary.size(), primary.core().write_size, max_sectors, FOTA_BOOT_MOVE};
    }
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
    fota_swap_type type = FOTA_SWAP_NONE;
    std::uint32_t swap_size = 0;  ///< bytes to swap: the larger image's end

    bool fresh() const noexcept { return phase == Phase::move && index == 1 && step == 1; }
};

/// What an interrupted swap left; a fresh status when there was none. `type` and `swap_size` come from the trailer.
Result<SwapStatus> read_swap_status(const SlotPair& pair, const fota_swap_state& primary,
                                    const fota_swap_state& secondary);

/// Swaps, or goes on with `status`. The images must fit (fota_image_limit).
Result<void> run_swap(const SlotPair& pair, SwapStatus status);

}  // namespace fota::virtdev
