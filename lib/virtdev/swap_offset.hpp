// Swap-using-offset: the update lies one sector into the secondary slot, so each of its sectors moves down by one while
// it is swapped. Part of the model of MCUboot: bootloader.hpp. Source: MCUboot boot/bootutil/src/swap_offset.c.
#pragma once

#include <optional>

#include "virtdev/swap_move.hpp"

namespace fota::virtdev {

/// Sectors of each image, by the headers as MCUboot finds them at this point of the swap.
struct OffsetImages {
    std::uint32_t primary;    ///< of the one that ran before
    std::uint32_t secondary;  ///< of the one that is to run
};

/// Nothing where a header is not there. While the last sector goes through, MCUboot takes the new image's header for
/// that of both.
Result<std::optional<OffsetImages>> offset_images(const SlotPair& pair, const SwapStatus& status);

/// Swaps, or goes on with `status` (two entries for each sector: primary copied out, secondary copied in). Sectors past
/// an image's end, but one, are not copied. A revert goes through the sectors from the last to the first. The images
/// must fit (fota_image_limit).
Result<void> run_offset_swap(const SlotPair& pair, const SwapStatus& status, const OffsetImages& images);

}  // namespace fota::virtdev
