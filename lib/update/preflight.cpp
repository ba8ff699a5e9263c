#include "update/preflight.hpp"

#include <fmt/format.h>

#include "base/sha256.hpp"
#include "image/dfu_zip.hpp"
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

Result<Target> check_modem_package(BytesView file, const std::string& version) {
    constexpr std::uint32_t delta_magic = 0x7544656d;
    const bool delta = file.size() > 8 && load_le32(file.data() + 4) == delta_magic;
    const bool cose = file.size() > 8 && file[0] == 0xd2 && file[1] == 0x84;
    if (!delta && !cose && !image::looks_like_zip(file))
        return fail(
            Errc::image_malformed,
            "expected a modem package (a delta with its magic 0x7544656d at offset 4, or a full one), found neither");
    Target out;
    out.image = file;
    out.component = Component::modem;
    const auto digest = sha256(file);
    out.hash.assign(digest.begin(), digest.end());
    out.end = file.size();
    out.label = version;
    return out;
}

}  // namespace fota::update
