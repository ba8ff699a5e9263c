#include "update/preflight.hpp"

#include <fmt/format.h>

#include "image/verify.hpp"

namespace fota::update {

Result<Checked> check_image(BytesView file, std::span<const image::PublicKey> keys,
                            const std::optional<layout::SlotLayout>& slots) {
    TRY(auto parsed, image::parse(file));
    TRY(const auto verdict, image::verify(file, parsed, keys));
    if (!verdict.signature_checked || !verdict.key_index)
        return fail(Errc::signature_invalid,
                    "expected an image signed with the given key, found none of its signatures usable");
    if (const auto name = image::development_key_name(keys[*verdict.key_index].fingerprint()); !name.empty())
        return fail(
            Errc::policy_refused,
            fmt::format("expected a key of your own, found {}: MCUboot's published development key, which everyone has",
                        name));
    Checked out;
    out.key_index = *verdict.key_index;
    out.target.image = file;
    out.target.version = parsed.header.version;
    out.target.hash = to_bytes(parsed.hash(file));
    out.target.end = parsed.end;
    if (slots) {
        TRY_VOID(layout::fit(*slots, parsed.end));
        out.slot_limit = layout::image_limit(*slots);
    }
    out.parsed = std::move(parsed);
    return out;
}

}  // namespace fota::update
