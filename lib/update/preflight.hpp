// Steps 1 to 3 of an update (DESIGN.md section 3), which need no network: the image, policy, and the layout it must
// fit.
#pragma once

#include <optional>
#include <span>

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

}  // namespace fota::update
