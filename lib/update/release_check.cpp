#include "update/release_check.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "update/decide.hpp"

namespace fota::update {
namespace {

/// "nrf9160dk" and "nrf9160dk/nrf9160/ns" are the same board; so the update compares it with the device's word.
bool same_board(std::string_view a, std::string_view b) {
    return is_board(a, b) || is_board(b, a);
}

}  // namespace

Digest256 slot_layout_digest(const layout::SlotLayout& slots) {
    const auto slot = [](const layout::Slot& each) {
        return fmt::format("{:#x} {:#x} {}", each.address, each.size, each.external ? "external" : "internal");
    };
    return sha256(
        as_bytes(fmt::format("fotactl-slots/1\nprimary {}\nsecondary {}\nmode {}\nsectors {}\n", slot(slots.primary),
                             slot(slots.secondary), layout::boot_mode_name(slots.mode), slots.max_sectors)));
}

Result<> check_release(const release::Manifest& manifest, BytesView file, const ReleaseContext& context,
                       release::Timestamp now) {
    TRY_VOID(release::check_expiry(manifest, now));
    TRY_VOID(release::check_file(manifest, file));
    if (!manifest.board.empty() && !context.board.empty() && !same_board(manifest.board, context.board))
        return fail(Errc::board_mismatch, fmt::format("expected a release for the board {}, found one for {}",
                                                      printable(context.board), printable(manifest.board)));
    if (!manifest.soc.empty() && !context.soc.empty() && manifest.soc != context.soc)
        return fail(Errc::board_mismatch, fmt::format("expected a release for {}, found one for {}",
                                                      printable(context.soc), printable(manifest.soc)));
    if (manifest.layout && context.slots) {
        const auto digest = slot_layout_digest(*context.slots);
        if (digest != *manifest.layout)
            return fail(Errc::layout_failed,
                        fmt::format("expected the slot layout that the release was made for ({}), found {}",
                                    short_hex(*manifest.layout), short_hex(digest)));
    }
    return {};
}

std::string narrower_board(const std::string& released, const std::string& asked) {
    return released.empty() || is_board(asked, released) ? asked : released;
}

std::optional<Error> range_fault(const release::VersionRange& range, const std::string& running) {
    const auto reported = parse_reported(running);
    auto compared = range;
    if (reported && !reported->has_build) {
        if (compared.min) compared.min->build = 0;
        if (compared.max) compared.max->build = 0;
    }
    return release::replace_fault(compared, reported ? std::optional(reported->version) : std::nullopt, running);
}

}  // namespace fota::update
