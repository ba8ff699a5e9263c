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

}  // namespace fota::update
