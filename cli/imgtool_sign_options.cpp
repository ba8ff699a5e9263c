#include "cli/imgtool_sign_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/imgtool_edt.hpp"
#include "cli/imgtool_files.hpp"
#include "cli/imgtool_manifest.hpp"
#include "image/tlv_text.hpp"
#include "image/uuid.hpp"

namespace fota::cli::imgtool {
namespace {

constexpr std::int64_t smallest_header = 32;

Failure usage(std::string message) {
    return fail(Errc::usage, std::move(message));
}

/// What imgtool finds only when it writes the field, and answers with a traceback.
Failure overflow(std::string_view what, std::uint64_t most, const std::string& found) {
    return fail(Errc::image_malformed,
                fmt::format("expected a {} of 0 to {}, found {}", what, most, printable(found, 40)));
}

/// A pattern alone: numbers of any size, as imgtool's callback sees it.
bool looks_like_version(std::string_view text) {
    std::size_t parts = 1;
    bool build = false;
    std::string_view part;
    const auto good = [&] { return !part.empty() && (part.size() == 1 || part.front() != '0'); };
    std::size_t begin = 0;
    for (std::size_t i = 0; i <= text.size(); ++i) {
        const char c = i < text.size() ? text[i] : '\0';
        if (c >= '0' && c <= '9') continue;
        part = text.substr(begin, i - begin);
        if (!good()) return false;
        if (i == text.size()) break;
        if (c == '.' && !build && parts < 3) {
            ++parts;
        } else if (c == '+' && !build && parts == 3) {
            build = true;
        } else {
            return false;
        }
        begin = i + 1;
    }
    return true;
}

Result<> check_version(const std::string& text) {
    if (looks_like_version(text)) return {};
    return usage("Invalid version number, should be maj.min.rev+build with later parts optional");
}

Result<image::Version> read_version(const std::string& text) {
    auto version = image::Version::parse(text);
    if (!version) return fail(std::move(version.error()).as(Errc::image_malformed));
    return version;
}

std::string not_an_integer(const std::string& value) {
    return fmt::format(
        "{} is not a valid integer. Please use code literals prefixed with 0b/0B, 0o/0O, or 0x/0X as necessary.",
        printable(value, 80));
}

bool is_auto(std::string value) {
    std::ranges::transform(value, value.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
    return value == "auto";
}

Result<> check_counter(const std::string& value) {
    if (is_auto(value) || parse_integer(value, true)) return {};
    return usage(not_an_integer(value));
}

Result<> check_header_size(const std::string& value) {
    if (is_auto(value)) return {};
    const auto size = parse_integer(value, true);
    if (!size) return usage(not_an_integer(value));
    if (*size < smallest_header) return usage(fmt::format("Minimum value for -H/--header-size is {}", smallest_header));
    return {};
}

std::optional<std::uint32_t> to_u32(std::int64_t value) {
    if (value < 0 || value > std::numeric_limits<std::uint32_t>::max()) return std::nullopt;
    return static_cast<std::uint32_t>(value);
}

Result<std::uint32_t> field(const Arguments& arguments, const std::string& name, std::string_view what) {
    const auto value = to_u32(arguments.number(name).value_or(0));
    if (!value) return overflow(what, std::numeric_limits<std::uint32_t>::max(), arguments.text(name));
    return *value;
}

Result<> read_layout(const Arguments& arguments, image::SignOptions& out) {
    const auto header = arguments.text("--header-size");
    out.header_size = 32;
    if (!is_auto(header)) {
        const auto size = *parse_integer(header, true);
        if (size > 0xffff) return overflow("header size", 0xffff, header);
        out.header_size = static_cast<std::uint32_t>(size);
    }
    const auto pad_value = arguments.text("--pad-value");
    out.erased_value = (pad_value.empty() ? arguments.text("--erased-val") : pad_value) == "0" ? 0x00 : 0xff;
    out.pad_header = arguments.has("--pad-header") || !pad_value.empty();
    if (arguments.text("--endian") == "big") out.byte_order = image::ByteOrder::big;

    TRY(out.load_address, field(arguments, "--load-addr", "load address"));
    TRY(const auto rom, field(arguments, "--rom-fixed", "flash address"));
    if (rom != 0 && out.load_address != 0) return usage("Can not set rom_fixed and load_addr at the same time");
    if (rom != 0) out.rom_fixed = rom;
    out.non_bootable = arguments.has("--non-bootable");

    // A size of 0 or less switches the check off.
    out.slot_size = static_cast<std::uint64_t>(std::max<std::int64_t>(0, arguments.number("--slot-size").value_or(0)));
    out.boot_mode = arguments.has("--overwrite-only") ? FOTA_BOOT_OVERWRITE : FOTA_BOOT_MOVE;
    out.align = static_cast<std::uint32_t>(arguments.number("--align").value_or(1));
    out.max_align = static_cast<std::uint32_t>(arguments.number("--max-align").value_or(0));
    out.test = arguments.has("--test");
    out.confirm = arguments.has("--confirm");
    out.pad = arguments.has("--pad") || out.test || out.confirm;
    out.save_encrypted_key = arguments.has("--save-enctlv");
    if (const auto sectors = arguments.number("--max-sectors")) {
        // The trailer ends the slot whatever room it has; a number below 0 makes it begin beyond that.
        if (*sectors < 0 && out.pad && out.boot_mode != FOTA_BOOT_OVERWRITE)
            return fail(Errc::image_malformed, fmt::format("expected a number of sectors above 0, found {}", *sectors));
        out.max_sectors = static_cast<std::uint64_t>(std::max<std::int64_t>(1, *sectors));
    }
    return {};
}

/// RFC 4122, appendix C.
constexpr std::string_view dns_name_space = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

/// An empty name is a name for imgtool, as any other.
Result<image::Uuid> nameless_in(const Result<image::Uuid>& name_space) {
    return image::uuid5(*name_space, "");
}

Result<> read_protected(const Arguments& arguments, image::SignOptions& out) {
    if (const auto counter = arguments.find("--security-counter")) {
        if (is_auto(*counter)) {
            out.security_counter = out.version.security_counter();
        } else {
            out.security_counter = to_u32(*parse_integer(*counter, true));
            if (!out.security_counter)
                return overflow("security counter", std::numeric_limits<std::uint32_t>::max(), *counter);
        }
    }
    out.boot_record = arguments.find("--boot-record");
    if (const auto text = arguments.find("--dependencies")) {
        TRY(out.dependencies, parse_dependencies(*text));
    }
    // What the command line says goes before what the devicetree says.
    if (const auto path = arguments.find("--edt-config")) {
        TRY(const auto ids, read_edt_config(*path));
        out.vendor_id = ids.vendor;
        out.class_id = ids.kind;
    }
    if (const auto text = arguments.find("--vid")) {
        auto vendor = text->empty() ? nameless_in(image::vendor_uuid(dns_name_space)) : image::vendor_uuid(*text);
        if (!vendor) return fail(std::move(vendor.error()).as(Errc::config_invalid));
        out.vendor_id = *vendor;
    }
    if (const auto text = arguments.find("--cid")) {
        auto kind = text->empty() && out.vendor_id
                        ? nameless_in(*out.vendor_id)
                        : image::class_uuid(*text, out.vendor_id ? &*out.vendor_id : nullptr);
        if (!kind) return fail(std::move(kind.error()).as(Errc::config_invalid));
        out.class_id = *kind;
    }
    if (const auto path = arguments.find("--manifest")) {
        TRY(out.manifest, load_manifest(*path, out.byte_order));
    }
    return {};
}

Result<> read_signature(const Arguments& arguments, image::SignOptions& out) {
    const auto sha = arguments.text("--sha");
    out.pure = arguments.has("--pure");
    if (out.pure && !sha.empty() && sha != "auto")
        return usage("a pure signature decides on its hash by itself: leave out --sha");
    if (sha == "256") out.hash = image::HashType::sha256;
    if (sha == "384") out.hash = image::HashType::sha384;
    if (sha == "512") out.hash = image::HashType::sha512;
    out.full_public_key = arguments.text("--public-key-format") == "full";
    out.pad_signature = arguments.has("--pad-sig");
    return {};
}

Result<> read_compression(const Arguments& arguments, image::SignOptions& out) {
    const auto kind = arguments.text("--compression");
    if (kind.empty() || kind == "disabled") return {};
    image::Compression compression;
    compression.arm_thumb = kind == "lzma2armthumb";
    for (const auto& [name, target] : {std::pair{"dictsize", &compression.dictionary}, std::pair{"pb", &compression.pb},
                                       std::pair{"lc", &compression.lc}, std::pair{"lp", &compression.lp},
                                       std::pair{"preset", &compression.preset}}) {
        const auto option = std::string("--compression-lzma-") + name;
        if (!arguments.has(option)) continue;
        TRY(*target, field(arguments, option, "value for " + option));
    }
    out.compression = compression;
    return {};
}

const std::vector<std::string> erased_values{"0", "0xff"};

}  // namespace

Result<std::vector<image::Dependency>> parse_dependencies(const std::string& text) {
    static constexpr std::string_view digits = "0123456789";
    const auto skip = [&](std::size_t at, std::string_view what) {
        return std::min(text.find_first_not_of(what, at), text.size());
    };

    std::vector<std::string> images;
    for (auto at = text.find('('); at != std::string::npos; at = text.find('(', at + 1))
        if (const auto end = skip(at + 1, digits); end > at + 1) images.push_back(text.substr(at + 1, end - at - 1));
    if (images.empty()) return usage(fmt::format("Image dependency format is invalid: {}", printable(text, 80)));

    // Each version stands between a comma and a parenthesis, in Nordic's tree with a slot before it.
    std::vector<image::Dependency> out;
    for (auto at = text.find(','); at != std::string::npos; at = text.find(',', at + 1)) {
        auto begin = skip(at + 1, " \t\n");
        std::uint8_t slot = 0;
        for (std::size_t i = 0; i < image::dependency_slots.size(); ++i) {
            const auto word = image::dependency_slots[i];
            if (text.compare(begin, word.size(), word) != 0) continue;
            const auto comma = skip(begin + word.size(), " \t\n");
            if (comma == text.size() || text[comma] != ',') continue;
            slot = static_cast<std::uint8_t>(i);
            at = comma;
            begin = skip(comma + 1, " \t\n");
            break;
        }
        const auto end = skip(begin, "0123456789.+");
        if (end == begin || end == text.size() || text[end] != ')') continue;
        const auto version = text.substr(begin, end - begin);
        TRY_VOID(check_version(version));
        if (out.size() == images.size()) break;
        const auto number = parse_integer(images[out.size()], false);
        if (!number || *number > 0xff) return overflow("image number", 0xff, images[out.size()]);
        TRY(const auto least, read_version(version));
        out.push_back({static_cast<std::uint8_t>(*number), slot, least});
    }
    if (out.size() != images.size())
        return usage(fmt::format("There's a mismatch between the number of dependency images and versions in: {}",
                                 printable(text, 80)));
    return out;
}

Result<std::vector<std::pair<std::uint16_t, Bytes>>> custom_tlvs(const Arguments& arguments) {
    static constexpr std::array<std::uint16_t, 25> predefined{0x01, 0x02, 0x10, 0x11, 0x12, 0x20, 0x22, 0x23, 0x24,
                                                              0x25, 0x30, 0x31, 0x32, 0x33, 0x34, 0x40, 0x50, 0x60,
                                                              0x70, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76};
    std::vector<std::pair<std::uint16_t, Bytes>> out;
    const auto add = [&](const std::string& word, Bytes value) -> Result<> {
        const auto tag = parse_integer(word, true);
        if (!tag)
            return fail(Errc::config_invalid,
                        fmt::format("expected a number as custom TLV, found {}", printable(word, 40)));
        if (*tag < 0 || *tag > 0xffff)
            return usage(fmt::format("Invalid custom TLV type value {}", printable(word, 40)));
        const auto type = static_cast<std::uint16_t>(*tag);
        if (std::ranges::find(out, type, &std::pair<std::uint16_t, Bytes>::first) != out.end())
            return usage(fmt::format("Custom TLV 0x{:x} already exists.", type));
        if (std::ranges::find(predefined, type) != predefined.end())
            return usage(fmt::format("Custom TLV 0x{:x} conflicts with predefined TLV.", type));
        out.emplace_back(type, std::move(value));
        return {};
    };
    for (const auto& words : arguments.all("--custom-tlv")) {
        const auto& value = words[1];
        if (value.starts_with("0x") && value.size() % 2 != 0) return usage("Custom TLV length is odd.");
        auto bytes = image::custom_tlv_value(value);
        if (!bytes) return fail(std::move(bytes.error()).as(Errc::config_invalid));
        TRY_VOID(add(words[0], std::move(*bytes)));
    }
    for (const auto& words : arguments.all("--custom-tlv-file")) {
        TRY(auto bytes, read_plain(words[1], small_file_limit));
        TRY_VOID(add(words[0], std::move(bytes)));
    }
    return out;
}

Result<image::SignOptions> sign_options(const Arguments& arguments) {
    image::SignOptions out;
    out.rules = image::Rules::imgtool;
    TRY(out.version, read_version(arguments.text("--version")));
    TRY_VOID(read_layout(arguments, out));
    TRY_VOID(read_protected(arguments, out));
    TRY_VOID(read_signature(arguments, out));
    TRY_VOID(read_compression(arguments, out));
    return out;
}

std::vector<Parameter> sign_parameters() {
    const auto flag = [](std::string name, std::string help) {
        return Parameter{{std::move(name)}, Kind::flag, std::move(help)};
    };
    const auto check_dependencies = [](const std::string& value) -> Result<> {
        const auto parsed = parse_dependencies(value);
        // An overflow is found later, as imgtool does.
        if (!parsed && parsed.error().code() == Errc::usage) return fail(parsed.error());
        return {};
    };
    return {
        {{"--vid"}, Kind::text, "vendor: a UUID, or a domain name to derive it from"},
        {{"--cid"}, Kind::text, "image class: a UUID, or a name within the vendor's"},
        {{"--edt-config"},
         Kind::text,
         "zephyr.dts, or edt.pickle beside it: --vid and --cid from the bootloader's configuration"},
        {{"--manifest"}, Kind::text, "update manifest (YAML) to put into the image"},
        {{"--compression-lzma-dictsize"}, Kind::integer, "LZMA dictionary in bytes (131072)"},
        {{"--compression-lzma-pb"}, Kind::integer, "LZMA position bits (2)"},
        {{"--compression-lzma-lc"}, Kind::integer, "LZMA literal context bits (3)"},
        {{"--compression-lzma-lp"}, Kind::integer, "LZMA literal position bits (1)"},
        {{"--compression-lzma-preset"}, Kind::integer, "LZMA preset (9)"},
        {{"--vector-to-sign"}, Kind::choice, "write what an external signer has to sign", {"payload", "digest"}},
        {{"--hmac-sha"}, Kind::choice, "hash in the key exchange of X25519", {"auto", "256", "512"}},
        {{"--sha"}, Kind::choice, "hash of the image; auto is the key's", {"auto", "256", "384", "512"}},
        {{"--sig-out"}, Kind::text, "also write the signature to this file, in base64"},
        flag("--pure", "Ed25519 over the image instead of over its hash"),
        {{"--fix-sig-pubkey"}, Kind::text, "public key of the signature in --fix-sig"},
        {{"--fix-sig"}, Kind::text, "signature made elsewhere, in base64"},
        {{"-k", "--key"},
         Kind::text,
         "private key to sign with: a file, or a pkcs11: URI whose pin-source has the PIN"},
        {{"--public-key-format"}, Kind::choice, "what of the key goes into the image", {"hash", "full"}},
        {{"--max-align"}, Kind::choice, "largest write size of both slots", {"8", "16", "32"}},
        {{"--align"}, Kind::choice, "write size of the flash", {"1", "2", "4", "8", "16", "32"}},
        {{"-v", "--version"}, Kind::text, "major.minor.revision+build", {}, true, 1, check_version},
        {{"-s", "--security-counter"}, Kind::text, "a number, or auto", {}, false, 1, check_counter},
        {{"-d", "--dependencies"}, Kind::text, "\"(IMAGE, [SLOT,] VERSION), ...\"", {}, false, 1, check_dependencies},
        flag("--pad-sig", "zeros after an ECDSA signature, for MCUboot before 1.5"),
        {{"-H", "--header-size"}, Kind::text, "bytes before the payload, or auto", {}, true, 1, check_header_size},
        flag("--pad-header", "put the header before the payload"),
        {{"-S", "--slot-size"}, Kind::based_integer, "bytes of the slot, of the secondary where they differ", {}, true},
        flag("--pad", "fill the slot and write the trailer"),
        flag("--test", "as --pad, for a test swap"),
        flag("--confirm", "as --pad, marked as confirmed"),
        {{"-M", "--max-sectors"}, Kind::integer, "sectors the trailer has room for (128)"},
        {{"--boot-record"}, Kind::text, "software type for a boot record, at most 12 characters"},
        flag("--overwrite-only", "the bootloader overwrites instead of swapping"),
        {{"-e", "--endian"}, Kind::choice, "byte order", {"little", "big"}},
        {{"-c", "--clear"}, Kind::flag, "encryption's key and flag with the payload in clear"},
        {{"--compression"}, Kind::choice, "left out where it would not pay", {"disabled", "lzma2", "lzma2armthumb"}},
        {{"--encrypt-keylen"}, Kind::choice, "bits of the AES key", {"128", "256"}},
        {{"-E", "--encrypt"}, Kind::text, "encrypt for this public key"},
        flag("--save-enctlv", "the trailer keeps the key as wrapped"),
        {{"-F", "--rom-fixed"}, Kind::based_integer, "flash address the image is linked for"},
        {{"-L", "--load-addr"}, Kind::based_integer, "RAM address the image runs from"},
        {{"-x", "--hex-addr"}, Kind::based_integer, "address in an Intel HEX output"},
        {{"--pad-value"}, Kind::choice, "byte for header space and padding", erased_values},
        {{"-R", "--erased-val"}, Kind::choice, "value of erased flash", erased_values},
        {{"--custom-tlv-file"}, Kind::text, "protected TLV from a file", {}, false, 2},
        {{"--custom-tlv"}, Kind::text, "protected TLV: text, or bytes after 0x", {}, false, 2},
        flag("--non-bootable", "an image the bootloader never starts"),
        {{"INFILE"}, Kind::argument, ""},
        {{"OUTFILE"}, Kind::argument, ""},
    };
}

}  // namespace fota::cli::imgtool
