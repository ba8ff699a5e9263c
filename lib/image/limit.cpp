#include "image/limit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/text.hpp"

namespace fota::image {
namespace {

struct Mode {
    fota_boot_mode mode;
    std::string_view word;
    std::string_view name;
};
constexpr std::array<Mode, 4> modes{{
    {FOTA_BOOT_MOVE, "move", "swap-move"},
    {FOTA_BOOT_OFFSET, "offset", "swap-offset"},
    {FOTA_BOOT_SCRATCH, "scratch", "swap-scratch"},
    {FOTA_BOOT_OVERWRITE, "overwrite", "overwrite-only"},
}};

/// Far above any slot, and small enough that no sum of a few of them can wrap in 64 bits.
constexpr std::uint64_t largest_slot = 0xffff'ffff;

std::uint64_t align_up(std::uint64_t value, std::uint64_t step) noexcept {
    return (value + step - 1) / step * step;
}

std::uint64_t sectors_of(const Slot& slot) noexcept {
    return slot.max_sectors != 0 ? slot.max_sectors : default_max_sectors(slot.size, slot.sector_size);
}

}  // namespace

std::string_view mode_word(fota_boot_mode mode) noexcept {
    return std::ranges::find(modes, mode, &Mode::mode)->word;
}
std::string_view mode_name(fota_boot_mode mode) noexcept {
    return std::ranges::find(modes, mode, &Mode::mode)->name;
}

std::optional<fota_boot_mode> mode_from_word(std::string_view word) noexcept {
    const auto it = std::ranges::find(modes, word, &Mode::word);
    return it == modes.end() ? std::nullopt : std::optional(it->mode);
}

std::uint64_t default_max_sectors(std::uint64_t slot_size, std::uint64_t sector_size) noexcept {
    const auto sectors = sector_size == 0 ? 0 : slot_size / sector_size + (slot_size % sector_size != 0 ? 1 : 0);
    if (sectors <= 128) return 128;
    return std::max<std::uint64_t>(sectors, 512);
}

Result<std::uint64_t> image_limit(const Slot& slot) {
    const auto in_range = [](const char* name, std::uint64_t found) -> Result<> {
        if (found >= 1 && found <= largest_slot) return {};
        return fail(Errc::usage, fmt::format("expected a {} of 1 to {} bytes, found {}", name, largest_slot, found));
    };
    TRY_VOID(in_range("slot size", slot.size));
    TRY_VOID(in_range("sector size", slot.sector_size));
    const auto sectors = sectors_of(slot);
    if (sectors > largest_slot)
        return fail(Errc::usage, fmt::format("expected at most {} sectors, found {}", largest_slot, sectors));
    const fota_slot_geometry geometry{static_cast<std::uint32_t>(slot.size), static_cast<std::uint32_t>(slot.size),
                                      static_cast<std::uint32_t>(slot.sector_size), static_cast<std::uint32_t>(sectors),
                                      slot.write_size};
    return fota_encrypted_image_limit(slot.mode, &geometry, slot.key_bytes);
}

std::uint64_t imgtool_trailer_size(bool overwrite_only, std::uint64_t max_sectors, std::uint32_t align,
                                   std::uint32_t max_align, std::uint64_t key_bytes) noexcept {
    const auto magic = align_up(16, max_align);
    if (overwrite_only) return 2ULL * max_align + magic;
    return std::min(max_sectors, largest_slot) * 3 * align + 4ULL * max_align + magic +
           2 * align_up(key_bytes, max_align);
}

Result<> check_fits(std::uint64_t end, const Slot& slot) {
    TRY(const auto limit, image_limit(slot));
    if (end <= limit) return {};
    // imgtool's default: 128 sectors, whatever the slot has.
    const auto reserved =
        imgtool_trailer_size(slot.mode == FOTA_BOOT_OVERWRITE, slot.max_sectors == 0 ? 128 : slot.max_sectors,
                             slot.write_size, std::max<std::uint32_t>(8, slot.write_size), slot.key_bytes);
    const bool passes_imgtool = end + reserved <= slot.size;
    auto message =
        fmt::format("expected at most {} bytes for {} in a slot of 0x{:x} ({} sectors of {}{}), found {}",
                    with_thousands(limit), mode_name(slot.mode), slot.size, sectors_of(slot), slot.sector_size,
                    slot.key_bytes == 0 ? "" : ", with the keys of encrypted images", with_thousands(end));
    if (passes_imgtool) message += "; imgtool would accept it, and the bootloader would then refuse to swap it";
    return fail(Error(Errc::image_too_large, std::move(message))
                    .with("limit", std::to_string(limit))
                    .with("found", std::to_string(end))
                    .with("imgtool_accepts", passes_imgtool ? "true" : "false"));
}

}  // namespace fota::image
