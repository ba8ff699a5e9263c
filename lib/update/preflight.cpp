#include "update/preflight.hpp"

#include <fmt/format.h>

#include <algorithm>

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

Result<FirmwareInfo> firmware_info(BytesView payload) {
    // CONFIG_FW_INFO_MAGIC_COMMON and _FIRMWARE_INFO; the third word of the magic depends on the chip.
    constexpr std::uint32_t magic_common = 0x281ee6de;
    constexpr std::uint32_t magic_firmware_info = 0x8fcebb4c;
    constexpr std::size_t version_at = 20;  // after the magic (3 words), the total size and the size
    constexpr std::size_t address_at = 24;
    for (const std::size_t offset : {0x0, 0x200, 0x400, 0x800, 0x1000}) {
        if (payload.size() < offset + address_at + 4) break;
        const auto* info = payload.data() + offset;
        if (load_le32(info) == magic_common && load_le32(info + 4) == magic_firmware_info)
            return FirmwareInfo{load_le32(info + version_at), load_le32(info + address_at)};
    }
    return fail(Errc::image_malformed,
                "expected a second-stage bootloader, which has a firmware-info structure, found an image without");
}

Result<Target> check_bootloader_images(BytesView one, BytesView other, std::span<const image::PublicKey> keys) {
    TRY(const auto first, check_image(one, keys, std::nullopt));
    TRY(const auto second, check_image(other, keys, std::nullopt));
    const auto payload = [](BytesView file, const image::Parsed& parsed) {
        const auto skip = std::min<std::size_t>(parsed.header.header_size, file.size());
        return file.subspan(skip, std::min<std::size_t>(parsed.header.image_size, file.size() - skip));
    };
    TRY(const auto first_info, firmware_info(payload(one, first.parsed)));
    TRY(const auto second_info, firmware_info(payload(other, second.parsed)));
    if (first_info.version != second_info.version)
        return fail(Errc::image_malformed, fmt::format("expected two candidates of one firmware-info version, found {} "
                                                       "and {}",
                                                       first_info.version, second_info.version));
    if (first_info.address == second_info.address)
        return fail(Errc::image_malformed,
                    fmt::format("expected one candidate for s0 and one for s1, found both linked for {:#x}",
                                first_info.address));
    const bool in_order = first_info.address < second_info.address;
    Target out = in_order ? first.target : second.target;
    out.component = Component::mcuboot;
    out.other_image = in_order ? other : one;
    out.other_hash = in_order ? second.target.hash : first.target.hash;
    out.info_version = first_info.version;
    out.label = std::to_string(first_info.version);
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
