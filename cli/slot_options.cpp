#include "cli/slot_options.hpp"

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

std::uint32_t key_bytes(const image::Header& header) noexcept {
    if (!header.encrypted()) return 0;
    return (header.flags & image::flag::encrypted_aes256) != 0 ? 32 : 16;
}

}  // namespace fota::cli
