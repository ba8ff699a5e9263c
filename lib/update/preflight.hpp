// Steps 1 to 3 of an update (DESIGN.md section 3), which need no network: the image, policy, and the layout it must
// fit.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "image/image.hpp"
#include "image/key.hpp"
#include "layout/slots.hpp"
#include "update/types.hpp"

namespace fota::update {

struct Checked {
    Target target;
    image::Parsed parsed;
    std::size_t key_index = 0;                ///< which of the keys signed it
    std::optional<std::uint32_t> slot_limit;  ///< bytes, where a layout was given
};

/// The verdict of a bootloader that trusts `keys` (at least one). Errors: image_malformed, image_rejected,
/// signature_invalid, key_mismatch; policy_refused for an image signed with a published development key;
/// image_too_large against `slots`. `file` outlives the result.
Result<Checked> check_image(BytesView file, std::span<const image::PublicKey> keys,
                            const std::optional<layout::SlotLayout>& slots);

/// A package for the modem: Nordic's delta (its magic stands at offset 4) or a full one (a zip, or COSE as the modem
/// takes it). It is not for MCUboot to judge, and names no version: `version` is what the modem will report.
/// image_malformed for anything else: unknown content is refused, not guessed.
Result<Target> check_modem_package(BytesView file, const std::string& version);

/// What a second-stage bootloader says of itself (`struct fw_info` of the nRF Connect SDK, include/fw_info.h), in the
/// payload of its MCUboot image.
struct FirmwareInfo {
    std::uint32_t version = 0;  ///< counts up; the immutable bootloader starts the higher one
    std::uint32_t address = 0;  ///< where the image was linked to run: in s0 or in s1
};
/// At one of the offsets where the immutable bootloader looks for it; image_malformed when it is at none.
Result<FirmwareInfo> firmware_info(BytesView payload);

/// The two candidates of a bootloader update, one linked for s0 and one for s1, in any order: both signed for MCUboot
/// with one of `keys`, of one firmware-info version. The target holds s0's as `image`. Errors: those of check_image;
/// image_malformed when they are no such pair. Both outlive the result.
Result<Target> check_bootloader_images(BytesView one, BytesView other, std::span<const image::PublicKey> keys);

}  // namespace fota::update
