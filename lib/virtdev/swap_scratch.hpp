// Swap-using-scratch: each piece of the slots goes through an area of its own, the last piece first. Part of the model
// of MCUboot: bootloader.hpp. Source: MCUboot boot/bootutil/src/swap_scratch.c.
//
// Three status entries for each piece: secondary copied to scratch, primary to secondary, scratch to primary. They
// stand in the primary slot's trailer; while a piece that reaches into that trailer's sectors goes through, in a
// trailer of three entries at the end of the scratch area.
//
// As with MCUboot itself one operation is a risk in that case: the erase of the scratch area after its trailer was
// handed over, if power loss tears it so that its begin is erased and its end is not.
#pragma once

#include "virtdev/swap_move.hpp"

namespace fota::virtdev {

/// The trailer at the end of the scratch area.
fota_trailer scratch_trailer(const SlotPair& pair) noexcept;

/// As read_swap_status; `scratch` is the state of the scratch area's trailer, which wins over the primary slot's.
Result<SwapStatus> read_scratch_status(const SlotPair& pair, const fota_swap_state& primary,
                                       const fota_swap_state& scratch);

/// Swaps, or goes on with `status`. The images must fit (fota_image_limit), a sector must fit the scratch area.
Result<void> run_scratch_swap(const SlotPair& pair, const SwapStatus& status);

}  // namespace fota::virtdev
