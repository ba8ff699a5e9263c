// Swap-using-offset: the update lies one sector into the secondary slot, so each of its sectors moves down by one while
// it is swapped. Part of the model of MCUboot: bootloader.hpp. Source: MCUboot boot/bootutil/src/swap_offset.c.
#pragma once

#include "virtdev/swap_move.hpp"

namespace fota::virtdev {

/// Swaps, or goes on with `status` (two entries for each sector: primary copied out, secondary copied in). A revert
/// goes through the sectors from the last to the first. The images must fit (fota_image_limit).
Result<void> run_offset_swap(const SlotPair& pair, const SwapStatus& status);

}  // namespace fota::virtdev
