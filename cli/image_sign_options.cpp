#include "cli/image_sign_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <optional>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/imgtool_manifest.hpp"
#include "cli/key_files.hpp"
#include "image/tlv_text.hpp"
#include "image/uuid.hpp"

namespace fota::cli {
namespace {

Failure usage(std::string message) {
    return fail(Errc::usage, std::move(message));
}

/// Decimal, or hexadecimal after 0x.
template <class Number>
std::optional<Number> parse_number(std::string_view text) {
    const bool hex = text.starts_with("0x");
    if (hex) text.remove_prefix(2);
    Number out = 0;
    const auto* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, out, hex ? 16 : 10);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return out;
}

Result<std::uint32_t> parse_counter(const std::string& text, const image::Version& version) {
    if (text == "auto") return version.security_counter();
    if (const auto out = parse_number<std::uint32_t>(text)) return *out;
    return usage(fmt::format("expected a security counter of 0 to {}, or auto, found \"{}\"",
                             std::numeric_limits<std::uint32_t>::max(), printable(text, 40)));
}

Result<std::uint32_t> parse_address(const std::string& text) {
    TRY(const auto address, parse_size(text));
    if (address > std::numeric_limits<std::uint32_t>::max())
        return usage(fmt::format("expected an address below 0x100000000, found 0x{:x}", address));
    return static_cast<std::uint32_t>(address);
}

void bind_layout(CLI::App& app, ImageOptions& o) {
    app.add_option("--version", o.version, "version of the image: 1.2.3 or 1.2.3+4")->type_name("VERSION")->required();
    app.add_option("--header-size", o.header_size, "bytes before the payload")
        ->type_name("SIZE")
        ->capture_default_str();
    app.add_flag("--pad-header", o.pad_header, "make room for the header: the payload begins with its vector table");
    app.add_option("--erased-value", o.erased_value, "value of erased flash, for padding")
        ->check(CLI::IsMember({"0xff", "0"}))
        ->capture_default_str();
    auto* load = app.add_option("--load-address", o.load_address, "RAM address the image is copied to and runs from")
                     ->type_name("ADDRESS");
    app.add_option("--rom-fixed", o.rom_fixed, "flash address the image is linked for")
        ->type_name("ADDRESS")
        ->excludes(load);
    app.add_flag("--non-bootable", o.non_bootable, "an image the bootloader never starts");
}

void bind_slot(CLI::App& app, ImageOptions& o) {
    bind_slot_options(app, o.slot);
    app.add_option("--max-align", o.max_align, "BOOT_MAX_ALIGN: 8, 16 or 32 (default: 8, or --align if larger)")
        ->type_name("N");
    app.add_flag("--pad", o.pad, "pad to the slot size and mark the image for a test boot");
    app.add_flag("--test", o.test, "as --pad; an Intel HEX output says that the image is not confirmed, too");
    app.add_flag("--confirm", o.confirm, "pad, and mark the image permanent: no revert possible");
}

void bind_protected(CLI::App& app, ImageOptions& o) {
    app.add_option("--security-counter", o.security_counter, "counter for rollback protection: a number, or auto")
        ->type_name("N|auto");
    app.add_option("--boot-record", o.boot_record, "software type in a boot record for attestation, 12 characters")
        ->type_name("TYPE");
    app.add_option("--dependency", o.dependencies,
                   "another image's least version: \"1, 2.0.0\", or with its slot \"1, secondary, 2.0.0\"; repeatable")
        ->type_name("IMAGE,[SLOT,]VERSION")
        ->allow_extra_args(false);
    app.add_option("--vid,--vendor-id", o.vendor_id, "vendor: a UUID, or a domain name to derive it from")
        ->type_name("UUID|NAME");
    app.add_option("--cid,--class-id", o.class_id, "class of the image: a UUID, or a name within the vendor's")
        ->type_name("UUID|NAME");
    app.add_option("--manifest", o.manifest, "update manifest (YAML, Nordic's tree) that lists the other images")
        ->type_name("FILE");
    app.add_option("--custom-tlv", o.custom_tlvs, "protected TLV of type 0xa0 to 0xfffe: text, or bytes after 0x")
        ->type_name("TYPE VALUE")
        ->allow_extra_args(false);
    app.add_option("--custom-tlv-file", o.custom_tlv_files, "the same with the content of a file")
        ->type_name("TYPE FILE")
        ->allow_extra_args(false);
}

void bind_crypto(CLI::App& app, ImageOptions& o) {
    app.add_option("--sha", o.hash, "hash of the image; auto is the key's")
        ->check(CLI::IsMember({"auto", "256", "384", "512"}))
        ->capture_default_str();
    app.add_flag("--pure", o.pure, "Ed25519 over the image instead of over its hash");
    app.add_option("--public-key-format", o.public_key_format,
                   "what of the key goes into the image; full for a bootloader with its key in hardware")
        ->check(CLI::IsMember({"hash", "full"}))
        ->capture_default_str();
    app.add_flag("--pad-sig", o.pad_signature, "zeros after an ECDSA signature, for MCUboot before 1.5");
    auto* recipient =
        app.add_option("--encrypt-to", o.encrypt_to, "public key of the devices: encrypt the payload for them")
            ->type_name("PUB");
    app.add_option("--encrypt-bits", o.encrypt_bits, "length of the AES key")
        ->check(CLI::IsMember({128, 256}))
        ->capture_default_str()
        ->needs(recipient);
    app.add_option("--encrypt-hmac", o.encrypt_hmac, "hash in the key exchange of X25519")
        ->check(CLI::IsMember({256, 512}))
        ->capture_default_str()
        ->needs(recipient);
    app.add_flag("--save-enctlv", o.save_encrypted_key,
                 "the bootloader's trailer keeps the key as it was wrapped (BOOT_SWAP_SAVE_ENCTLV)")
        ->needs(recipient);
    app.add_option("--compress", o.compress, "compress the payload, where that makes it smaller")
        ->check(CLI::IsMember({"lzma2", "lzma2armthumb"}));
}

Result<> read_layout(const ImageOptions& options, image::SignOptions& out) {
    TRY(out.version, image::Version::parse(options.version));
    TRY(const auto header_size, parse_size(options.header_size));
    out.header_size = static_cast<std::uint32_t>(std::min<std::uint64_t>(header_size, 0xffff'ffff));
    out.pad_header = options.pad_header;
    out.erased_value = options.erased_value == "0" ? 0x00 : 0xff;
    if (!options.load_address.empty()) {
        TRY(out.load_address, parse_address(options.load_address));
        if (out.load_address == 0) return usage("expected a load address above 0, found 0, which stands for none");
    }
    if (!options.rom_fixed.empty()) {
        TRY(out.rom_fixed, parse_address(options.rom_fixed));
    }
    out.non_bootable = options.non_bootable;
    TRY(const auto slot, to_slot(options.slot));
    out.slot_size = slot.size;
    out.boot_mode = slot.mode;
    out.sector_size = slot.sector_size;
    out.max_sectors = slot.max_sectors;
    out.align = slot.write_size;
    out.max_align = options.max_align;
    out.test = options.test;
    out.confirm = options.confirm;
    out.pad = options.pad || options.test || options.confirm;
    return {};
}

Result<> add_custom(const std::string& word, Bytes value, image::SignOptions& out) {
    const auto type = parse_number<std::uint16_t>(word);
    if (!type) return usage(fmt::format("expected a custom TLV type of 0xa0 to 0xfffe, found {}", printable(word, 40)));
    for (const auto& [other, bytes] : out.custom_tlvs)
        if (other == *type) return usage(fmt::format("expected each custom TLV once, found 0x{:x} twice", *type));
    out.custom_tlvs.emplace_back(*type, std::move(value));
    return {};
}

Result<> read_protected(const ImageOptions& options, image::SignOptions& out) {
    if (!options.security_counter.empty()) {
        TRY(out.security_counter, parse_counter(options.security_counter, out.version));
    }
    if (!options.boot_record.empty()) out.boot_record = options.boot_record;
    for (const auto& text : options.dependencies) {
        TRY(const auto dependency, image::parse_dependency(text));
        out.dependencies.push_back(dependency);
    }
    if (!options.vendor_id.empty()) {
        TRY(out.vendor_id, image::vendor_uuid(options.vendor_id));
    }
    if (!options.class_id.empty()) {
        TRY(out.class_id, image::class_uuid(options.class_id, out.vendor_id ? &*out.vendor_id : nullptr));
    }
    if (!options.manifest.empty()) {
        TRY(out.manifest, imgtool::load_manifest(options.manifest, image::ByteOrder::little));
    }
    for (const auto& [type, value] : options.custom_tlvs) {
        TRY(auto bytes, image::custom_tlv_value(value));
        TRY_VOID(add_custom(type, std::move(bytes), out));
    }
    for (const auto& [type, file] : options.custom_tlv_files) {
        TRY(auto bytes, read_file(file, small_file_limit));
        TRY_VOID(add_custom(type, std::move(bytes), out));
    }
    return {};
}

Result<> read_crypto(const ImageOptions& options, image::SignOptions& out) {
    out.pure = options.pure;
    if (options.hash != "auto") {
        if (options.pure) return usage("expected --pure or --sha, found both: a pure signature decides on its hash");
        out.hash = options.hash == "256"   ? image::HashType::sha256
                   : options.hash == "384" ? image::HashType::sha384
                                           : image::HashType::sha512;
    }
    out.full_public_key = options.public_key_format == "full";
    out.pad_signature = options.pad_signature;
    if (!options.encrypt_to.empty()) {
        TRY(auto recipient, load_public_key(options.encrypt_to));
        out.encryption = image::Encryption{.recipient = std::move(recipient), .bits = options.encrypt_bits};
        if (options.encrypt_hmac == 512) out.encryption->hmac = image::HashType::sha512;
        out.save_encrypted_key = options.save_encrypted_key;
    }
    if (!options.compress.empty())
        out.compression = image::Compression{.arm_thumb = options.compress == "lzma2armthumb"};
    return {};
}

}  // namespace

void bind_image_options(CLI::App& app, ImageOptions& options) {
    bind_layout(app, options);
    bind_slot(app, options);
    bind_protected(app, options);
    bind_crypto(app, options);
}

Result<image::SignOptions> to_sign_options(const ImageOptions& options) {
    image::SignOptions out;
    TRY_VOID(read_layout(options, out));
    TRY_VOID(read_protected(options, out));
    TRY_VOID(read_crypto(options, out));
    return out;
}

}  // namespace fota::cli
