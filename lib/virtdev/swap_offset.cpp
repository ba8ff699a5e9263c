#include "virtdev/swap_offset.hpp"

namespace fota::virtdev {

namespace {

struct Place {
    const FlashArea* area;
    std::uint32_t offset;
};

std::uint32_t sectors_of(const SlotPair& pair, const SwapStatus& status) {
    return (status.swap_size + pair.sector_size() - 1) / pair.sector_size();
}

Result<std::optional<std::uint32_t>> image_sectors(const SlotPair& pair, const Place& header, std::uint32_t tlvs) {
    TRY(const auto bytes, header.area->read(header.offset, FOTA_IMAGE_HEADER_SIZE));
    fota_image_header found{};
    if (fota_image_parse_header(bytes.data(), &found) != FOTA_OK) return std::optional<std::uint32_t>{};
    const std::uint64_t end = std::uint64_t{found.header_size} + found.image_size + found.protected_size + tlvs;
    return static_cast<std::uint32_t>((end + pair.sector_size() - 1) / pair.sector_size());
}

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

Result<std::optional<OffsetImages>> offset_images(const SlotPair& pair, const SwapStatus& status) {
    const std::uint32_t size = pair.sector_size();
    const std::uint32_t last = sectors_of(pair, status) - 1;
    const std::uint32_t index = status.done / 2;
    const bool copied_out = status.done % 2 == 1;
    const bool revert = status.type == FOTA_SWAP_REVERT;
    Place before{&pair.primary, 0};
    Place after{&pair.secondary, revert ? 0 : size};
    std::uint16_t before_tlvs = status.primary_tlvs;
    std::uint16_t after_tlvs = status.secondary_tlvs;
    if (!status.fresh()) {
        if (revert && (index > last || (index == last && copied_out))) before = {&pair.secondary, size};
        if (revert && index > last) after = {&pair.primary, 0};
        if (!revert && (index > 0 || copied_out) && index < last) before = {&pair.secondary, 0};
        if (!revert && index > 0) after = {&pair.primary, 0};
        const auto trailer = pair.trailer();
        TRY(const auto tlvs, pair.primary.read(fota_trailer_tlv_sizes_offset(&trailer), 4));
        before_tlvs = load_le16(tlvs.data());
        after_tlvs = load_le16(tlvs.data() + 2);
    }
    TRY(const auto primary, image_sectors(pair, before, before_tlvs));
    TRY(const auto secondary, image_sectors(pair, after, after_tlvs));
    if (!primary || !secondary) return std::optional<OffsetImages>{};
    return OffsetImages{*primary, *secondary};
}

Result<void> run_offset_swap(const SlotPair& pair, const SwapStatus& status, const OffsetImages& images) {
    const std::uint32_t sectors = sectors_of(pair, status);
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
            if (sector <= images.primary) TRY_VOID(replace_sector(pair.secondary, out, pair.primary, sector));
        } else {
            if (sector <= images.secondary) TRY_VOID(replace_sector(pair.primary, sector, pair.secondary, in));
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
