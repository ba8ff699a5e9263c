// What a release demands before a device is involved.
#pragma once

#include <optional>
#include <string>

#include "layout/slots.hpp"
#include "release/manifest.hpp"

namespace fota::update {

/// SHA-256 of what makes two layouts interchangeable for an image: addresses, sizes and flash of both slots, the swap
/// mode and the number of sectors. Names and where they were read do not count.
Digest256 slot_layout_digest(const layout::SlotLayout& slots);

/// The tree or baseline that an update is checked against, as far as it is known.
struct ReleaseContext {
    std::optional<layout::SlotLayout> slots;
    std::string board;  ///< "" when not known
    std::string soc;    ///< "" when not known
};

/// Expiry, the image's file, board and soc, slot layout. Errors: policy_refused, image_rejected, board_mismatch,
/// layout_failed. What the context does not know is not compared.
Result<> check_release(const release::Manifest& manifest, BytesView file, const ReleaseContext& context,
                       release::Timestamp now);

/// What the device's board must be: of a release's board and the one asked for (--board, a layout's) the one with more
/// qualifiers, so that a release for "nrf9160dk" does not widen "nrf9160dk/nrf9160/ns". Either may be "".
std::string narrower_board(const std::string& released, const std::string& asked);

/// The device's version against the release's range; a device that says no build is compared without builds.
std::optional<Error> range_fault(const release::VersionRange& range, const std::string& running);

}  // namespace fota::update
