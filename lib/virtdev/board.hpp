// The virtual nRF9160-DK below its application: both flash parts, their supply, the bootloader, and the calls an
// application makes on them (write the secondary slot, mark it pending, confirm, reboot).
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "virtdev/bootloader.hpp"
#include "virtdev/flash_area.hpp"
#include "virtdev/nor_flash.hpp"
#include "virtdev/package_receiver.hpp"

namespace fota::virtdev {

class Board {
  public:
    /// In memory. The external part must hold the secondary slot.
    Board(const BootConfig& config, ImageCheck check, FlashPart external = mx25r6435f());
    /// On `directory`/internal.bin (1 MiB) and external.bin (of the part's size), raw; absent files are created erased.
    static Result<std::unique_ptr<Board>> on_files(const std::string& directory, const BootConfig& config,
                                                   ImageCheck check, FlashPart external = mx25r6435f());

    /// True if internal.bin was just created (and always in memory): nothing is in the primary slot yet.
    bool blank() const noexcept { return blank_; }
    /// What a debug probe does: erases the primary slot and writes the image (also one that imgtool padded) at its
    /// start.
    Result<void> flash_image(BytesView image);

    /// Resets: power on, bootloader, and if it finds an image, that one runs. An Error when the supply failed on the
    /// way.
    Result<BootResult> reboot();
    /// What the last reboot() started; nothing before the first one and when no image was bootable.
    const std::optional<BootResult>& running() const noexcept { return running_; }

    /// Will the running image be reverted at the next reset?
    Result<bool> confirmed() const;
    Result<void> confirm();
    /// The secondary slot's image at the next reset: once, or for good.
    Result<void> mark_pending(bool permanent);
    /// What the next reset would do.
    Result<fota_swap_type> next_swap() const;

    Power& power() noexcept { return *power_; }
    NorFlash& internal() noexcept { return internal_; }
    NorFlash& external() noexcept { return external_; }
    FlashArea& primary() noexcept { return primary_; }
    FlashArea& secondary() noexcept { return secondary_; }
    /// Receives the next package; starts anew with each reboot(), as the device's memory does.
    PackageReceiver& package() noexcept { return *package_; }
    const Bootloader& bootloader() const noexcept { return bootloader_; }

  private:
    Board(const BootConfig& config, ImageCheck check, FlashPart part, FlashStore internal, FlashStore external,
          bool blank);

    std::shared_ptr<Power> power_ = std::make_shared<Power>();
    NorFlash internal_;
    NorFlash external_;
    Bootloader bootloader_;
    FlashArea primary_;
    FlashArea secondary_;
    FlashArea upload_;  ///< where in the secondary slot an update goes
    FlashArea record_;
    std::optional<PackageReceiver> package_;
    std::optional<BootResult> running_;
    bool blank_;
};

}  // namespace fota::virtdev
