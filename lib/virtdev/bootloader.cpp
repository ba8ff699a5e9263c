#include "virtdev/bootloader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "base/sha256.hpp"
#include "core/area.h"
#include "virtdev/security_counter.hpp"
#include "virtdev/swap_move.hpp"
#include "virtdev/swap_offset.hpp"
#include "virtdev/swap_scratch.hpp"

namespace fota::virtdev {

namespace {

const char* magic_name(fota_magic magic) {
    switch (magic) {
        case FOTA_MAGIC_GOOD:
            return "good";
        case FOTA_MAGIC_UNSET:
            return "unset";
        case FOTA_MAGIC_BAD:
            break;
    }
    return "bad";
}

const char* swap_name(fota_swap_type type) {
    switch (type) {
        case FOTA_SWAP_TEST:
            return "test";
        case FOTA_SWAP_PERMANENT:
            return "perm";
        case FOTA_SWAP_REVERT:
            return "revert";
        case FOTA_SWAP_NONE:
            break;
    }
    return "none";
}

Swap swap_of(fota_swap_type type) {
    switch (type) {
        case FOTA_SWAP_TEST:
            return Swap::test;
        case FOTA_SWAP_PERMANENT:
            return Swap::permanent;
        case FOTA_SWAP_REVERT:
            return Swap::revert;
        case FOTA_SWAP_NONE:
            break;
    }
    return Swap::none;
}

std::uint32_t limit_of(const BootConfig& config, std::uint32_t sector_size) {
    const fota_slot_geometry geometry{config.primary_size, config.secondary_size, sector_size, config.max_sectors, 4};
    return fota_image_limit(core_mode(config.mode), &geometry);
}

/// One boot: the parts stay, everything else ends with it.
class Boot {
  public:
    Boot(const BootConfig& config, const ImageCheck& image_check, NorFlash& internal, NorFlash& external)
        : config_(config),
          check_(image_check),
          primary_(internal, config.primary_offset, config.primary_size),
          secondary_(external, config.secondary_offset, config.secondary_size),
          scratch_(internal, config.scratch_offset, config.scratch_size),
          counter_(internal, config.counter_slots),
          pair_{primary_, secondary_, config.max_sectors, core_mode(config.mode), &scratch_} {}

    Result<BootResult> run() {
        log("I: Starting bootloader (a model of MCUboot, not MCUboot)");
        const auto trailer = pair_.trailer();
        if (!fota_trailer_fits(&trailer))
            return fail(Errc::internal, "expected the trailer to fit its slot, found it does not");
        if (config_.mode == SwapMode::overwrite) {
            TRY_VOID(overwrite());
        } else if (slots_compatible()) {
            TRY_VOID(swap());
        }
        return start();
    }

  private:
    template <class... Args>
    void log(fmt::format_string<Args...> text, Args&&... args) {
        result_.log += fmt::format(text, std::forward<Args>(args)...) + "\n";
    }

    bool slots_compatible() {
        const std::uint32_t primary = primary_.size() / primary_.sector_size();
        const std::uint32_t secondary = secondary_.size() / secondary_.sector_size();
        if (primary_.sector_size() != secondary_.sector_size()) {
            log("W: Cannot upgrade: not same sector layout");
            return false;
        }
        if (config_.mode == SwapMode::scratch) return scratch_compatible(primary, secondary);
        if (primary != secondary &&
            (config_.mode == SwapMode::offset ? primary + 1 != secondary : primary != secondary + 1)) {
            log("W: Cannot upgrade: not a compatible amount of sectors");
            return false;
        }
        if (primary > config_.max_sectors) {
            log("W: Cannot upgrade: more sectors than allowed");
            return false;
        }
        return true;
    }

    bool scratch_compatible(std::uint32_t primary, std::uint32_t secondary) {
        const char* reason = primary > config_.max_sectors || secondary > config_.max_sectors
                                 ? "more sectors than allowed"
                             : scratch_.size() < primary_.sector_size() ? "not all sectors fit inside scratch"
                             : primary != secondary                     ? "slots are not compatible"
                                                                        : nullptr;
        if (reason != nullptr) log("W: Cannot upgrade: {}", reason);
        return reason == nullptr;
    }

    Result<fota_swap_state> trailer_of(const FlashArea& slot) const {
        fota_swap_state state{};
        TRY_VOID(check(fota_trailer_read(&slot.core(), &state), "reading a slot's trailer"));
        return state;
    }

    Result<void> read_trailers() {
        TRY(primary_state_, trailer_of(primary_));
        TRY(secondary_state_, trailer_of(secondary_));
        log_trailer("Primary image", primary_state_);
        if (config_.mode != SwapMode::scratch) log_trailer("Secondary image", secondary_state_);
        return {};
    }

    void log_trailer(const char* name, const fota_swap_state& state) {
        log("I: {}: magic={}, swap_type={:#x}, copy_done={:#x}, image_ok={:#x}", name, magic_name(state.magic),
            static_cast<unsigned>(state.swap_type), static_cast<unsigned>(state.copy_done),
            static_cast<unsigned>(state.image_ok));
    }

    Result<SwapStatus> swap_status() {
        if (config_.mode != SwapMode::scratch) return read_swap_status(pair_, primary_state_, secondary_state_);
        TRY(const auto state, trailer_of(scratch_));
        log_trailer("Scratch", state);
        return read_scratch_status(pair_, primary_state_, state);
    }

    /// Is there an image that this bootloader would start? nullopt and a reason in the log if not.
    /// `start`: where in the slot it begins.
    Result<std::optional<fota_image_extent>> validate(FlashArea& slot, const char* name, std::uint32_t start = 0) {
        fota_image_extent extent{};
        fota_area area{};
        TRY_VOID(check(fota_area_from(&area, &slot.core(), start), "looking for an image"));
        const auto status = fota_image_walk(&area.flash, area.flash.size, &extent);
        if (status == FOTA_ERR_IO) return fail(Errc::device_absent, fmt::format("the {} slot cannot be read", name));
        std::string reason;
        if (status != FOTA_OK) {
            reason = "no image that can be walked";
        } else if (extent.end > limit_of(config_, primary_.sector_size())) {
            reason = fmt::format("it ends at {}, past the limit of {} bytes", extent.end,
                                 limit_of(config_, primary_.sector_size()));
        } else if ((extent.header.flags & FOTA_IMAGE_F_NON_BOOTABLE) != 0) {
            reason = "it is marked as not bootable";
        } else {
            TRY(auto bytes, slot.read(start, extent.end));
            if (auto verdict = check_(bytes); !verdict) {
                reason = verdict.error().text();
            } else if (config_.hardware_counter) {
                TRY(reason, counter_objection(bytes));
            }
        }
        if (reason.empty()) return extent;
        log("E: Image in the {} slot is not valid! ({})", name, reason);
        return std::optional<fota_image_extent>{};
    }

    /// What the device's own security counter has against an image; empty: nothing.
    Result<std::string> counter_objection(BytesView image) {
        TRY(const auto held, counter_.value());
        const auto stated = security_counter(image);
        if (!stated) return std::string("it states no security counter");
        if (*stated < held) {
            log("E: Image security counter value {} lower than monotonic value {}", *stated, held);
            return fmt::format("its security counter {} is below the device's {}", *stated, held);
        }
        if (*stated == held) return std::string();
        TRY(const bool possible, counter_.can_rise_to(*stated));
        if (possible) return std::string();
        log("E: Security counter update is not possible, possibly the maximum number of security updates has been "
            "reached.");
        return fmt::format("the device's security counter cannot rise to {}", *stated);
    }

    /// The counter rises to that of an image that stays.
    Result<void> raise_counter(const fota_image_extent& image) {
        if (!config_.hardware_counter) return {};
        TRY(const auto bytes, primary_.read(0, image.end));
        const auto stated = security_counter(bytes);
        return stated ? counter_.raise(*stated) : Result<void>{};
    }

    /// No image to judge: no magic was ever written, or the header says that nothing is to be booted.
    static Result<bool> nothing_to_boot(const FlashArea& slot, std::uint32_t start) {
        constexpr std::size_t flags_offset = 16;
        TRY(const auto header, slot.read(start, FOTA_IMAGE_HEADER_SIZE));
        const bool erased = load_le32(header.data()) == 0xffffffff;
        return erased || (load_le32(header.data() + flags_offset) & FOTA_IMAGE_F_NON_BOOTABLE) != 0;
    }

    /// The secondary slot's image, if it may be swapped in. What may not is erased, so that it is judged only once.
    Result<std::optional<fota_image_extent>> candidate(fota_swap_type type, bool begun) {
        // Swap-using-offset: an update lies one sector in, what a revert brings back at the slot's start.
        const bool update = type != FOTA_SWAP_REVERT;
        const std::uint32_t start = update ? fota_upload_offset(pair_.mode, pair_.sector_size()) : 0;
        TRY(bool blank, nothing_to_boot(secondary_, start));
        // A swap that has begun may have put the previous image there itself.
        bool misplaced = false;
        if (start != 0 && !begun) {
            TRY(auto first, secondary_.read(0, 4));
            misplaced = load_le32(first.data()) == FOTA_IMAGE_MAGIC;
        }
        if (blank && !misplaced) {
            // An erase of the slot that was interrupted can leave the trailer, which would lock the slot for the
            // application.
            if (config_.mode != SwapMode::overwrite) {
                TRY_VOID(erase_trailer(pair_, secondary_));
                if (type == FOTA_SWAP_REVERT && config_.mode == SwapMode::move) {
                    TRY_VOID(erase_trailer(pair_, primary_));
                    log("I: Cleared image 0 primary slot trailer due to stuck revert");
                }
            }
            return std::optional<fota_image_extent>{};
        }
        std::optional<fota_image_extent> image;
        if (misplaced) {
            log("E: Secondary header magic detected in first sector, wrong upload address?");
            log("E: Image in the secondary slot is not valid!");
        } else {
            TRY(image, validate(secondary_, "secondary", start));
        }
        if (!image) {
            TRY_VOID(erase_secondary());
        }
        return image;
    }

    Result<void> set_image_ok() {
        TRY(auto state, trailer_of(primary_));
        if (state.image_ok != FOTA_FLAG_UNSET) return {};
        return check(fota_trailer_write_image_ok(&primary_.core()), "writing the image_ok flag");
    }

    Result<void> run_and_close(const SwapStatus& status) {
        switch (config_.mode) {
            case SwapMode::offset: {
                TRY(const auto images, offset_images(pair_, status));
                if (!images) {
                    log("W: Failed reading image headers; Image=0");
                    return {};
                }
                log("I: Starting swap using offset algorithm.");
                TRY_VOID(run_offset_swap(pair_, status, *images));
                break;
            }
            case SwapMode::scratch:
                log("I: Starting swap using scratch algorithm.");
                TRY_VOID(run_scratch_swap(pair_, status));
                break;
            default:
                log("I: Starting swap using move algorithm.");
                TRY_VOID(run_swap(pair_, status));
        }
        if (status.type == FOTA_SWAP_REVERT || status.type == FOTA_SWAP_PERMANENT) TRY_VOID(set_image_ok());
        TRY_VOID(check(fota_trailer_write_copy_done(&primary_.core()), "writing the copy_done flag"));
        result_.swap = swap_of(status.type);
        return {};
    }

    static bool lower_version(const fota_image_extent& update, const fota_image_extent& running) {
        const auto order = [](const fota_image_version& v) { return std::tuple(v.major, v.minor, v.revision); };
        return order(update.header.version) < order(running.header.version);
    }

    Result<bool> is_downgrade(const fota_image_extent& update, const fota_image_extent& running) const {
        if (config_.downgrade != Downgrade::by_counter)
            return config_.downgrade == Downgrade::by_version && lower_version(update, running);
        TRY(const auto now, primary_.read(0, running.end));
        const auto held = security_counter(now);
        if (!held) return false;
        TRY(const auto next, secondary_.read(fota_upload_offset(pair_.mode, pair_.sector_size()), update.end));
        return security_counter(next) < held;  // an update that states none is below every counter
    }

    Result<void> erase_secondary() {
        result_.secondary_refused = true;
        return erase_sectors(secondary_, 0, secondary_.size());
    }

    Result<void> swap() {
        TRY_VOID(read_trailers());
        TRY(auto status, swap_status());
        log("I: Boot source: {}", status.in_primary ? "primary slot" : status.in_scratch ? "scratch" : "none");
        if (!status.fresh()) {
            if (status.swap_size <= limit_of(config_, pair_.sector_size())) return run_and_close(status);
            log("E: Detected inconsistent status!");
            return {};
        }

        fota_image_extent running{};
        if (fota_image_walk(&primary_.core(), primary_.size(), &running) != FOTA_OK) {
            log("W: Failed reading image headers; Image=0");
            return {};
        }
        const bool begun = status.type != FOTA_SWAP_NONE;
        if (!begun) {
            status.type = fota_next_swap(pair_.mode, &primary_state_, &secondary_state_);
            log("I: Image index: 0, Swap type: {}", swap_name(status.type));
        }
        if (status.type == FOTA_SWAP_NONE) return {};
        TRY(auto image, candidate(status.type, begun));
        if (!image) {
            // A swap that the trailer already announces must not be tried again.
            return begun ? set_image_ok() : Result<void>{};
        }
        if (!begun && status.type != FOTA_SWAP_REVERT) {
            TRY(const bool lower, is_downgrade(*image, running));
            if (lower) {
                log("I: Image 0 in slot 1 erased due to downgrade prevention");
                return erase_secondary();
            }
        }
        status.swap_size = std::max(image->end, running.end);
        status.primary_tlvs = static_cast<std::uint16_t>(running.end - running.hashed_size);
        status.secondary_tlvs = static_cast<std::uint16_t>(image->end - image->hashed_size);
        if (status.swap_size > limit_of(config_, pair_.sector_size())) {
            log("W: Not enough free space to run swap upgrade");
            return {};
        }
        return run_and_close(status);
    }

    /// The fast form of overwrite-only: sectors of the image, then the trailer; the secondary slot's header and trailer
    /// go last, so an interrupted copy starts again.
    Result<void> overwrite() {
        TRY_VOID(read_trailers());
        const auto type = fota_next_swap(pair_.mode, &primary_state_, &secondary_state_);
        log("I: Image index: 0, Swap type: {}", swap_name(type));
        if (type == FOTA_SWAP_NONE) return {};
        TRY(auto image, candidate(type, false));
        if (!image) return {};

        fota_image_extent running{};
        const bool known = fota_image_walk(&primary_.core(), primary_.size(), &running) == FOTA_OK;
        if (known && config_.downgrade == Downgrade::by_version && lower_version(*image, running)) {
            log("E: Insufficient version in secondary slot");
            return erase_secondary();
        }

        log("I: Image 0 upgrade secondary slot -> primary slot");
        const std::uint32_t sector = primary_.sector_size();
        const std::uint32_t whole = (image->end + sector - 1) / sector * sector;
        log("I: Erasing the primary slot");
        TRY_VOID(erase_sectors(primary_, 0, whole));
        TRY_VOID(erase_trailer(pair_, primary_));
        const std::uint32_t block = primary_.core().write_size;
        // MCUboot's rounding: a whole block more where none is needed.
        const std::uint32_t size = (image->end / block + 1) * block;
        log("I: Image 0 copying the secondary slot to the primary slot: {:#x} bytes", size);
        TRY_VOID(copy_bytes(primary_, 0, secondary_, 0, size));
        TRY_VOID(check(fota_trailer_write_magic(&primary_.core()), "writing the magic"));
        TRY_VOID(raise_counter(*image));
        TRY_VOID(secondary_.erase(0, secondary_.sector_size()));
        TRY_VOID(secondary_.erase(secondary_.size() - secondary_.sector_size(), secondary_.sector_size()));
        result_.swap = swap_of(type);
        return {};
    }

    Result<BootResult> start() {
        TRY(auto image, validate(primary_, "primary"));
        if (!image) {
            log("E: Unable to find bootable image");
            return std::move(result_);
        }
        TRY(const auto state, trailer_of(primary_));
        // Not before it is sure that there is no way back: a revert must still be possible.
        if (state.magic != FOTA_MAGIC_GOOD || state.image_ok == FOTA_FLAG_SET) TRY_VOID(raise_counter(*image));
        result_.booted = true;
        result_.header = image->header;
        if (image->hash_size != 0) {
            TRY(result_.hash, primary_.read(image->hash_offset, image->hash_size));
        }
        log("I: Bootloader chainload address offset: {:#x}", config_.primary_offset);
        log("I: Image version: v{}", version_text(image->header.version));
        log("I: Jumping to the first image slot");
        return std::move(result_);
    }

    const BootConfig& config_;
    const ImageCheck& check_;
    FlashArea primary_;
    FlashArea secondary_;
    FlashArea scratch_;
    MonotonicCounter counter_;
    SlotPair pair_;
    fota_swap_state primary_state_{};
    fota_swap_state secondary_state_{};
    BootResult result_;
};

}  // namespace

fota_boot_mode core_mode(SwapMode mode) noexcept {
    switch (mode) {
        case SwapMode::move:
            return FOTA_BOOT_MOVE;
        case SwapMode::offset:
            return FOTA_BOOT_OFFSET;
        case SwapMode::scratch:
            return FOTA_BOOT_SCRATCH;
        case SwapMode::overwrite:
            break;
    }
    return FOTA_BOOT_OVERWRITE;
}

std::string swap_mode_name(SwapMode mode) {
    switch (mode) {
        case SwapMode::move:
            return "move";
        case SwapMode::offset:
            return "offset";
        case SwapMode::scratch:
            return "scratch";
        case SwapMode::overwrite:
            break;
    }
    return "overwrite";
}

ImageCheck hash_only() {
    return [](BytesView image) -> Result<void> {
        const fota_flash memory{.context = &image,
                                .read =
                                    [](void* context, std::uint32_t offset, void* data, std::size_t size) {
                                        const auto part = slice(*static_cast<BytesView*>(context), offset, size);
                                        if (part) std::ranges::copy(*part, static_cast<std::uint8_t*>(data));
                                        return part ? 0 : -1;
                                    },
                                .write = nullptr,
                                .erase = nullptr,
                                .size = static_cast<std::uint32_t>(image.size()),
                                .erase_size = 1,
                                .write_size = 1};
        fota_image_extent extent{};
        TRY_VOID(check(fota_image_walk(&memory, memory.size, &extent), "checking the image"));
        if (extent.hash_type != FOTA_TLV_SHA256) {
            return fail(Errc::image_rejected, "expected a SHA-256 TLV in the image, found none");
        }
        const auto stated = image.subspan(extent.hash_offset, extent.hash_size);
        const auto computed = sha256(image.first(extent.hashed_size));
        if (!std::ranges::equal(stated, computed)) {
            return fail(Errc::image_rejected,
                        fmt::format("expected hash {}, found {}", short_hex(stated), short_hex(computed)));
        }
        return {};
    };
}

std::string version_text(const fota_image_version& version) {
    return fmt::format("{}.{}.{}+{}", version.major, version.minor, version.revision, version.build);
}

std::uint32_t Bootloader::image_limit() const noexcept {
    return limit_of(config_, 4096);
}

Result<BootResult> Bootloader::boot(NorFlash& internal, NorFlash& external) const {
    return Boot(config_, check_, internal, external).run();
}

}  // namespace fota::virtdev
