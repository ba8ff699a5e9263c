// A model of MCUboot, not MCUboot: it follows the behaviour of boot/bootutil (loader.c, swap_move.c, swap_misc.c,
// bootutil_public.c) on the same on-flash format, so that images padded by imgtool and trailers written by a real
// application mean the same here.
//
// Swap-using-move, swap-using-offset and swap-using-scratch with test, confirm, revert and permanent, and
// overwrite-only (its fast form, as Zephyr builds it). Every step can lose power in any flash operation and goes on at
// the next boot. One image pair, no encryption.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "core/mcuboot.h"
#include "core/slot_limit.h"
#include "virtdev/flash_area.hpp"

namespace fota::virtdev {

enum class SwapMode { move, offset, scratch, overwrite };

/// What an update must not be below (CONFIG_MCUBOOT_DOWNGRADE_PREVENTION): nothing; the running image's version,
/// without the build number; its security counter, for the modes that swap (..._SECURITY_COUNTER).
enum class Downgrade { allowed, by_version, by_counter };

/// As the firmware core names it.
fota_boot_mode core_mode(SwapMode mode) noexcept;
/// "move", "offset", "scratch", "overwrite": as object 26245 states it.
std::string swap_mode_name(SwapMode mode);

/// The nRF9160-DK with its secondary slot in external flash.
struct BootConfig {
    SwapMode mode = SwapMode::move;
    std::uint32_t primary_offset = 0x10000;  ///< in the internal flash
    std::uint32_t primary_size = 0xe8000;
    std::uint32_t secondary_offset = 0;  ///< in the external flash
    std::uint32_t secondary_size = 0xe8000;
    std::uint32_t max_sectors = 256;  ///< CONFIG_BOOT_MAX_IMG_SECTORS
    Downgrade downgrade = Downgrade::allowed;
    /// CONFIG_MCUBOOT_HARDWARE_DOWNGRADE_PREVENTION: no image may state a security counter below the one that the
    /// device holds, which rises to that of each image that stays.
    bool hardware_counter = false;
    std::uint32_t counter_slots = 240;       ///< how often it can rise
    std::uint32_t scratch_offset = 0xf9000;  ///< in the internal flash, used by SwapMode::scratch
    std::uint32_t scratch_size = 0x7000;
};

/// Judges an image as the bootloader would: from the header's first byte to the end of the last TLV. An error means
/// "not valid"; its text goes to the log.
using ImageCheck = std::function<Result<void>(BytesView image)>;
/// A bootloader without a key: the image's SHA-256 TLV must match, nothing else is asked.
ImageCheck hash_only();

enum class Swap { none, test, permanent, revert };

struct BootResult {
    bool booted = false;             ///< false: no valid image in the primary slot, the device stays in the bootloader
    fota_image_header header{};      ///< of the image that runs
    Bytes hash;                      ///< its hash TLV; empty if it has none
    Swap swap = Swap::none;          ///< what this boot did, or completed
    bool secondary_refused = false;  ///< an image was pending and not valid; the secondary slot was erased
    std::string log;                 ///< what MCUboot's console would have shown, one line each
};

/// "1.2.3+4", as 3/0/3 reports it.
std::string version_text(const fota_image_version& version);

class Bootloader {
  public:
    Bootloader(BootConfig config, ImageCheck check) : config_(config), check_(std::move(check)) {}

    /// From reset to the jump. An Error means that power failed (or a part did) on the way: power on and boot again.
    Result<BootResult> boot(NorFlash& internal, NorFlash& external) const;

    const BootConfig& config() const noexcept { return config_; }
    const ImageCheck& check() const noexcept { return check_; }
    /// The largest end of an image that this bootloader can swap.
    std::uint32_t image_limit() const noexcept;

  private:
    BootConfig config_;
    ImageCheck check_;
};

}  // namespace fota::virtdev
