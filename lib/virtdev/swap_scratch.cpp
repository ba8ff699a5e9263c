#include "virtdev/swap_scratch.hpp"

#include <algorithm>

namespace fota::virtdev {

namespace {

constexpr std::uint32_t steps = 3;

/// What goes through the scratch area at once: whole sectors.
struct Piece {
    std::uint32_t index;   ///< counted from 0, from the slots' end
    std::uint32_t offset;  ///< bytes from the slots' start
    std::uint32_t size;    ///< bytes
};

class ScratchSwap {
  public:
    ScratchSwap(const SlotPair& pair, const SwapStatus& status)
        : pair_(pair), scratch_(*pair.scratch), status_(status) {}

    /// `step`: the first one to do, 0 to 2.
    Result<void> piece(const Piece& piece, std::uint32_t step) {
        const auto trailer = pair_.trailer();
        const std::uint32_t trailer_begin = fota_trailer_status_offset(&trailer);
        const std::uint32_t trailer_sector = trailer_begin / pair_.sector_size() * pair_.sector_size();
        std::uint32_t copied = piece.size;
        // The image ends where the trailer begins, and the scratch area keeps room for its own trailer.
        if (piece.offset + piece.size > trailer_sector)
            copied = std::min(trailer_begin - piece.offset, scratch_status());
        const bool shared = piece.index == 0 && copied != piece.size;
        const std::uint32_t erased = shared ? trailer_sector - piece.offset : piece.size;

        if (step == 0) TRY_VOID(to_scratch(piece, copied, shared));
        if (step <= 1) {
            // From here on the primary slot alone says what is going on.
            if (piece.index == 0) TRY_VOID(erase_trailer(pair_, pair_.secondary));
            TRY_VOID(erase_sectors(pair_.secondary, piece.offset, erased));
            TRY_VOID(copy_bytes(pair_.secondary, piece.offset, pair_.primary, piece.offset, copied));
            TRY_VOID(entry(piece, 1, shared));
        }
        if (shared) TRY_VOID(erase_trailer(pair_, pair_.primary));
        TRY_VOID(erase_sectors(pair_.primary, piece.offset, erased));
        TRY_VOID(copy_bytes(pair_.primary, piece.offset, scratch_, 0, copied));
        if (shared) TRY_VOID(hand_over(piece.offset + copied));
        TRY_VOID(entry(piece, 2, false));
        // The trailer goes first: what is left of the scratch area must not be taken for a swap.
        return shared ? erase_sectors_down(scratch_) : Result<void>{};
    }

  private:
    std::uint32_t scratch_status() const {
        const auto trailer = scratch_trailer(pair_);
        return fota_trailer_status_offset(&trailer);
    }

    Result<void> entry(const Piece& piece, std::uint32_t step, bool in_scratch) {
        return in_scratch ? write_entry(scratch_, scratch_trailer(pair_), step, step + 1)
                          : write_entry(pair_.primary, pair_.trailer(), steps * piece.index + step, step + 1);
    }

    Result<void> to_scratch(const Piece& piece, std::uint32_t copied, bool shared) {
        TRY_VOID(erase_sectors(scratch_, 0, scratch_.size()));
        if (piece.index == 0) {
            // Somewhere the kind of swap must stand while the primary slot's trailer is erased.
            TRY_VOID(init_status(pair_, scratch_, status_));
            if (!shared) {
                TRY_VOID(erase_trailer(pair_, pair_.primary));
                TRY_VOID(init_status(pair_, pair_.primary, status_));
                TRY_VOID(erase_sectors(scratch_, 0, scratch_.size()));
            }
        }
        TRY_VOID(copy_bytes(scratch_, 0, pair_.secondary, piece.offset, copied));
        return entry(piece, 0, shared);
    }

    /// The scratch area's trailer becomes the primary slot's.
    Result<void> hand_over(std::uint32_t entries) {
        const auto& slot = pair_.primary.core();
        TRY_VOID(copy_bytes(pair_.primary, entries, scratch_, scratch_status(), (steps - 1) * slot.write_size));
        fota_swap_state state{};
        TRY_VOID(check(fota_trailer_read(&scratch_.core(), &state), "reading the scratch area's trailer"));
        if (state.image_ok == FOTA_FLAG_SET) {
            TRY_VOID(check(fota_trailer_write_image_ok(&slot), "writing the image_ok flag"));
        }
        if (state.swap_type != FOTA_SWAP_NONE) {
            TRY_VOID(check(fota_trailer_write_swap_info(&slot, state.swap_type), "writing the swap info"));
        }
        TRY_VOID(check(fota_trailer_write_swap_size(&slot, pair_.mode, status_.swap_size), "writing the swap size"));
        return check(fota_trailer_write_magic(&slot), "writing the magic");
    }

    static Result<void> erase_sectors_down(FlashArea& area) {
        const std::uint32_t size = area.sector_size();
        for (std::uint32_t sector = area.size() / size; sector-- > 0;) TRY_VOID(area.erase(sector * size, size));
        return {};
    }

    const SlotPair& pair_;
    FlashArea& scratch_;
    const SwapStatus& status_;
};

/// The swap's size stands where its magic stands; the scratch area is asked first.
Result<std::uint32_t> swap_size(const SlotPair& pair, bool in_scratch) {
    const auto trailer = in_scratch ? scratch_trailer(pair) : pair.trailer();
    const auto& area = in_scratch ? *pair.scratch : pair.primary;
    TRY(auto size, area.read(fota_trailer_swap_size_offset(&trailer), 4));
    return load_le32(size.data());
}

}  // namespace

fota_trailer scratch_trailer(const SlotPair& pair) noexcept {
    return {pair.scratch->size(), pair.scratch->core().write_size, 1, FOTA_BOOT_SCRATCH};
}

Result<SwapStatus> read_scratch_status(const SlotPair& pair, const fota_swap_state& primary,
                                       const fota_swap_state& scratch) {
    SwapStatus status;
    status.in_scratch = scratch.magic == FOTA_MAGIC_GOOD;
    // A primary slot that was never swapped in has no magic, and no entries either.
    status.in_primary = !status.in_scratch && primary.magic != FOTA_MAGIC_BAD && primary.copy_done == FOTA_FLAG_UNSET;
    if (!status.in_scratch && !status.in_primary) return status;

    status.type = status.in_scratch ? scratch.swap_type : primary.swap_type;
    const auto trailer = status.in_scratch ? scratch_trailer(pair) : pair.trailer();
    const auto& area = status.in_scratch ? *pair.scratch : pair.primary;
    const std::uint32_t count = fota_trailer_status_entries(&trailer);
    TRY(auto entries, area.read(fota_trailer_status_offset(&trailer), count * trailer.write_size));
    const auto written = [&](std::uint32_t entry) { return entries[entry * trailer.write_size] != FOTA_ERASED; };
    std::uint32_t at = 0;
    while (at < count && !written(at)) at++;
    if (at == count) return status;
    while (at < count && written(at)) at++;
    status.done = at;
    TRY(status.swap_size, swap_size(pair, status.in_scratch));
    return status;
}

Result<void> run_scratch_swap(const SlotPair& pair, const SwapStatus& status) {
    const std::uint32_t sector = pair.sector_size();
    const std::uint32_t most = pair.scratch->size() / sector * sector;
    ScratchSwap swap(pair, status);
    std::uint32_t index = 0;
    for (std::uint32_t end = (status.swap_size + sector - 1) / sector * sector; end > 0; index++) {
        const std::uint32_t size = std::min(end, most);
        end -= size;
        if (index < status.done / steps) continue;
        TRY_VOID(swap.piece({index, end, size}, index == status.done / steps ? status.done % steps : 0));
    }
    return {};
}

}  // namespace fota::virtdev
