#include "virtdev/board.hpp"

#include <fmt/format.h>

namespace fota::virtdev {

namespace {

/// The first sector of the settings partition behind the primary slot.
constexpr std::uint32_t record_offset = 0xf8000;
constexpr std::uint32_t record_size = 4096;

}  // namespace

Board::Board(const BootConfig& config, ImageCheck image_check, FlashPart external)
    : Board(config, std::move(image_check), external, FlashStore::memory(nrf9160_internal().size),
            FlashStore::memory(external.size), true) {}

Board::Board(const BootConfig& config, ImageCheck image_check, FlashPart part, FlashStore internal, FlashStore external,
             bool blank)
    : internal_(nrf9160_internal(), std::move(internal), power_),
      external_(std::move(part), std::move(external), power_),
      bootloader_(config, std::move(image_check)),
      primary_(internal_, config.primary_offset, config.primary_size),
      secondary_(external_, config.secondary_offset, config.secondary_size),
      upload_(external_, config.secondary_offset + fota_upload_offset(core_mode(config.mode), secondary_.sector_size()),
              config.secondary_size - fota_upload_offset(core_mode(config.mode), secondary_.sector_size())),
      record_(internal_, record_offset, record_size),
      blank_(blank) {
    package_.emplace(upload_, secondary_, record_, bootloader_.image_limit());
}

Result<std::unique_ptr<Board>> Board::on_files(const std::string& directory, const BootConfig& config,
                                               ImageCheck image_check, FlashPart part) {
    TRY(auto internal, FlashStore::file(directory + "/internal.bin", nrf9160_internal().size));
    TRY(auto external, FlashStore::file(directory + "/external.bin", part.size));
    const bool blank = internal.fresh();
    return std::unique_ptr<Board>(
        new Board(config, std::move(image_check), std::move(part), std::move(internal), std::move(external), blank));
}

Result<void> Board::flash_image(BytesView image) {
    if (image.size() > primary_.size()) {
        return fail(Errc::image_too_large,
                    fmt::format("expected an image of at most {} bytes for the primary slot, found {}", primary_.size(),
                                image.size()));
    }
    const std::size_t block = primary_.core().write_size;
    Bytes padded = to_bytes(image);
    padded.resize((image.size() + block - 1) / block * block, FOTA_ERASED);
    TRY_VOID(primary_.erase(0, primary_.size()));
    TRY_VOID(primary_.program(0, padded));
    blank_ = false;
    return {};
}

Result<BootResult> Board::reboot() {
    running_.reset();
    package_.emplace(upload_, secondary_, record_, bootloader_.image_limit());
    power_->power_on();
    TRY(auto result, bootloader_.boot(internal_, external_));
    if (result.booted) running_ = result;
    return result;
}

Result<bool> Board::confirmed() const {
    fota_swap_state state{};
    TRY_VOID(check(fota_trailer_read(&primary_.core(), &state), "reading the primary slot's trailer"));
    return state.magic != FOTA_MAGIC_GOOD || state.image_ok == FOTA_FLAG_SET;
}

Result<void> Board::confirm() {
    return check(fota_mark_confirmed(&primary_.core()), "confirming the running image");
}

Result<void> Board::mark_pending(bool permanent) {
    return check(fota_mark_pending(&secondary_.core(), permanent), "asking for the secondary slot's image");
}

Result<fota_swap_type> Board::next_swap() const {
    fota_swap_state primary{};
    fota_swap_state secondary{};
    TRY_VOID(check(fota_trailer_read(&primary_.core(), &primary), "reading the primary slot's trailer"));
    TRY_VOID(check(fota_trailer_read(&secondary_.core(), &secondary), "reading the secondary slot's trailer"));
    return fota_next_swap(core_mode(bootloader_.config().mode), &primary, &secondary);
}

}  // namespace fota::virtdev
