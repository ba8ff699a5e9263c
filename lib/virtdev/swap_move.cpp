#include "virtdev/swap_move.hpp"

#include <algorithm>

namespace fota::virtdev {

namespace {

constexpr std::uint32_t copy_buffer = 1024;

/// One entry for each sector moved, then two for each sector swapped.
Result<void> write_status(const SlotPair& pair, const SwapStatus& status) {
    return write_entry(pair.primary, pair.trailer(),
                       status.phase == SwapStatus::Phase::move
                           ? status.index - 1
                           : pair.max_sectors + 2 * (status.index - 1) + status.step - 1,
                       status.step);
}

/// A revert is asked for by the primary slot's trailer, which the swap is about to erase. So that a reset just then
/// loses nothing, the wish is written to the secondary slot first, as a permanent swap.
Result<void> secure_revert(const SlotPair& pair, const SwapStatus& status) {
    if (status.type != FOTA_SWAP_REVERT || !status.fresh()) return {};
    const auto& slot = pair.secondary.core();
    fota_swap_state state{};
    TRY_VOID(check(fota_trailer_read(&slot, &state), "reading the secondary slot's trailer"));
    if (state.magic != FOTA_MAGIC_UNSET) return {};
    TRY_VOID(erase_trailer(pair, pair.secondary));
    TRY_VOID(check(fota_trailer_write_image_ok(&slot), "writing the image_ok flag"));
    TRY_VOID(check(fota_trailer_write_swap_size(&slot, FOTA_BOOT_MOVE, status.swap_size), "writing the swap size"));
    return check(fota_trailer_write_magic(&slot), "writing the magic");
}

Result<void> move_up(const SlotPair& pair, SwapStatus& status, std::uint32_t sector) {
    if (status.index == 1) {
        if (!status.in_primary) {
            TRY_VOID(erase_trailer(pair, pair.primary));
            TRY_VOID(init_status(pair, pair.primary, status));
        }
        TRY_VOID(erase_trailer(pair, pair.secondary));
    }
    TRY_VOID(replace_sector(pair.primary, sector, pair.primary, sector - 1));
    TRY_VOID(write_status(pair, status));
    status.index++;
    return {};
}

Result<void> swap_sector(const SlotPair& pair, SwapStatus& status) {
    const std::uint32_t sector = status.index - 1;
    if (status.step == 1) {
        TRY_VOID(replace_sector(pair.primary, sector, pair.secondary, sector));
        TRY_VOID(write_status(pair, status));
        status.step = 2;
    }
    TRY_VOID(replace_sector(pair.secondary, sector, pair.primary, sector + 1));
    TRY_VOID(write_status(pair, status));
    status.step = 1;
    status.index++;
    return {};
}

}  // namespace

Result<void> erase_sectors(FlashArea& area, std::uint32_t offset, std::uint32_t size) {
    for (std::uint32_t at = 0; at < size; at += area.sector_size()) {
        TRY_VOID(area.erase(offset + at, area.sector_size()));
    }
    return {};
}

Result<void> copy_bytes(FlashArea& to, std::uint32_t to_offset, const FlashArea& from, std::uint32_t from_offset,
                        std::uint32_t size) {
    for (std::uint32_t at = 0; at < size; at += copy_buffer) {
        TRY(auto bytes, from.read(from_offset + at, std::min(copy_buffer, size - at)));
        TRY_VOID(to.program(to_offset + at, bytes));
    }
    return {};
}

Result<void> replace_sector(FlashArea& to, std::uint32_t to_index, const FlashArea& from, std::uint32_t from_index) {
    const std::uint32_t size = to.sector_size();
    TRY_VOID(to.erase(to_index * size, size));
    return copy_bytes(to, to_index * size, from, from_index * size, size);
}

Result<void> write_entry(FlashArea& area, const fota_trailer& trailer, std::uint32_t entry, std::uint32_t step) {
    Bytes bytes(trailer.write_size, FOTA_ERASED);
    bytes[0] = static_cast<std::uint8_t>(step);
    return area.program(fota_trailer_status_offset(&trailer) + entry * trailer.write_size, bytes);
}

Result<void> init_status(const SlotPair& pair, FlashArea& area, const SwapStatus& status) {
    const auto& slot = area.core();
    fota_swap_state secondary{};
    TRY_VOID(check(fota_trailer_read(&pair.secondary.core(), &secondary), "reading the secondary slot's trailer"));
    if (status.type != FOTA_SWAP_NONE) {
        TRY_VOID(check(fota_trailer_write_swap_info(&slot, status.type), "writing the swap info"));
    }
    // In the secondary slot itself there is nothing to take over.
    if (&area != &pair.secondary && secondary.image_ok == FOTA_FLAG_SET) {
        TRY_VOID(check(fota_trailer_write_image_ok(&slot), "writing the image_ok flag"));
    }
    TRY_VOID(check(fota_trailer_write_swap_size(&slot, pair.mode, status.swap_size), "writing the swap size"));
    if (pair.mode == FOTA_BOOT_OFFSET) {
        TRY_VOID(check(fota_trailer_write_tlv_sizes(&slot, status.primary_tlvs, status.secondary_tlvs),
                       "writing the TLV sizes"));
    }
    return check(fota_trailer_write_magic(&slot), "writing the magic");
}

Result<void> erase_trailer(const SlotPair& pair, FlashArea& slot) {
    fota_trailer trailer = pair.trailer();
    trailer.slot_size = slot.size();
    const std::uint32_t size = slot.sector_size();
    const std::uint32_t first = fota_trailer_status_offset(&trailer) / size;
    for (std::uint32_t sector = slot.size() / size; sector-- > first;) TRY_VOID(slot.erase(sector * size, size));
    return {};
}

Result<SwapStatus> read_swap_status(const SlotPair& pair, const fota_swap_state& primary,
                                    const fota_swap_state& secondary) {
    SwapStatus status;
    status.in_primary =
        primary.magic == FOTA_MAGIC_GOOD && primary.copy_done == FOTA_FLAG_UNSET && secondary.magic != FOTA_MAGIC_GOOD;
    if (!status.in_primary) return status;

    status.type = primary.swap_type;
    const auto trailer = pair.trailer();
    TRY(auto size, pair.primary.read(fota_trailer_swap_size_offset(&trailer), 4));
    status.swap_size = load_le32(size.data());
    TRY(auto entries, pair.primary.read(fota_trailer_status_offset(&trailer),
                                        fota_trailer_status_entries(&trailer) * trailer.write_size));
    std::uint32_t done = fota_trailer_status_entries(&trailer);
    while (done > 0 && entries[(done - 1) * trailer.write_size] == FOTA_ERASED) done--;
    status.done = done;
    if (done == 0 || pair.mode != FOTA_BOOT_MOVE) return status;
    if (done < pair.max_sectors) {
        status.index = done + 1;
    } else {
        status.phase = SwapStatus::Phase::swap;
        status.index = (done - pair.max_sectors) / 2 + 1;
        status.step = (done - pair.max_sectors) % 2 + 1;
    }
    return status;
}

Result<void> run_swap(const SlotPair& pair, SwapStatus status) {
    const std::uint32_t sectors = (status.swap_size + pair.sector_size() - 1) / pair.sector_size();
    TRY_VOID(secure_revert(pair, status));
    if (status.phase == SwapStatus::Phase::move) {
        while (status.index <= sectors) TRY_VOID(move_up(pair, status, sectors - status.index + 1));
        status.index = 1;
        status.phase = SwapStatus::Phase::swap;
    }
    while (status.index <= sectors) TRY_VOID(swap_sector(pair, status));
    return {};
}

}  // namespace fota::virtdev
