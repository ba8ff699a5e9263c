#include "cli/slot_options.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace fota::cli {

void bind_slot_options(CLI::App& app, SlotOptions& options) {
    app.add_option("--slot-size", options.slot_size, "size of the slot: refuse an image which it cannot swap")
        ->type_name("SIZE");
    app.add_option("--boot-mode", options.boot_mode, "how the bootloader updates: move, offset, scratch or overwrite")
        ->check(CLI::IsMember({"move", "offset", "scratch", "overwrite"}))
        ->capture_default_str();
    app.add_option("--sector-size", options.sector_size, "erase sector of the primary slot")
        ->type_name("SIZE")
        ->capture_default_str();
    app.add_option("--max-sectors", options.max_sectors,
                   "CONFIG_BOOT_MAX_IMG_SECTORS of the bootloader (default: 128 where that is enough, else 512)")
        ->type_name("N")
        ->check(CLI::Range(1, 1'000'000));
    app.add_option("--align", options.align, "write size of the flash")->type_name("N")->capture_default_str();
}

Result<image::Slot> to_slot(const SlotOptions& options) {
    image::Slot out;
    if (!options.slot_size.empty()) {
        TRY(out.size, parse_size(options.slot_size));
        if (out.size == 0) return fail(Errc::usage, "expected a slot size above 0, found 0");
    }
    out.mode = *image::mode_from_word(options.boot_mode);
    TRY(out.sector_size, parse_size(options.sector_size));
    out.max_sectors = options.max_sectors;
    out.write_size = options.align;
    return out;
}

void bind_saved_key(CLI::App& app, bool& saved_as_wrapped) {
    app.add_flag("--save-enctlv", saved_as_wrapped,
                 "the bootloader's trailer keeps the key of an encrypted image as it was wrapped "
                 "(BOOT_SWAP_SAVE_ENCTLV)");
}

std::uint32_t key_bytes(const image::Parsed& parsed, bool saved_as_wrapped) noexcept {
    const auto& header = parsed.header;
    if (!header.encrypted()) return 0;
    if (saved_as_wrapped) {
        constexpr std::array wrapped{image::tlv::enc_rsa2048, image::tlv::enc_aes_kw, image::tlv::enc_ec256,
                                     image::tlv::enc_x25519, image::tlv::enc_x25519_sha512};
        for (const auto& each : parsed.tlvs)
            if (std::ranges::find(wrapped, each.type) != wrapped.end()) return each.length;
    }
    return (header.flags & image::flag::encrypted_aes256) != 0 ? 32 : 16;
}

}  // namespace fota::cli
