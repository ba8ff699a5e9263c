#include "virtdev/swap_offset.hpp"

namespace fota::virtdev {

namespace {

/// A revert is asked for by the primary slot's trailer, which the swap is about to erase: the wish goes to the
/// secondary slot first, where a copy_done tells it from an update's.
Result<void> secure_revert(const SlotPair& pair, const SwapStatus& status) {
    if (status.type != FOTA_SWAP_REVERT || !status.fresh()) return {};
    const auto& slot = pair.secondary.core();
    fota_swap_state state{};
    TRY_VOID(check(fota_trailer_read(&slot, &state), "reading the secondary slot's trailer"));
    if (state.magic != FOTA_MAGIC_UNSET) return {};
    TRY_VOID(erase_trailer(pair, pair.secondary));
    TRY_VOID(check(fota_trailer_write_copy_done(&slot), "writing the copy_done flag"));
    return init_status(pair, pair.secondary, status);
}

}  // namespace

Result<void> run_offset_swap(const SlotPair& pair, const SwapStatus& status) {
    const std::uint32_t sectors = (status.swap_size + pair.sector_size() - 1) / pair.sector_size();
    const bool revert = status.type == FOTA_SWAP_REVERT;
    TRY_VOID(secure_revert(pair, status));
    // Until the first sector is through: entries 0 and 1.
    if (status.done < 2) {
        if (!status.in_primary) {
            TRY_VOID(erase_trailer(pair, pair.primary));
            TRY_VOID(init_status(pair, pair.primary, status));
        }
        TRY_VOID(erase_trailer(pair, pair.secondary));
    }
    for (std::uint32_t entry = status.done; entry < 2 * sectors; entry++) {
        const std::uint32_t sector = revert ? sectors - 1 - entry / 2 : entry / 2;
        // What runs goes to where it will stay: the slot's start for the previous image, one sector in for a reverted
        // one.
        const std::uint32_t out = revert ? sector + 1 : sector;
        const std::uint32_t in = revert ? sector : sector + 1;
        if (entry % 2 == 0) {
            TRY_VOID(replace_sector(pair.secondary, out, pair.primary, sector));
        } else {
            TRY_VOID(replace_sector(pair.primary, sector, pair.secondary, in));
        }
        TRY_VOID(write_entry(pair.primary, pair.trailer(), entry, entry % 2 + 1));
    }
    if (revert) {
        TRY_VOID(pair.secondary.erase(0, pair.sector_size()));
        TRY_VOID(erase_trailer(pair, pair.secondary));
    }
    return {};
}

}  // namespace fota::virtdev
