// fotactl image sign: from the linker's output to an image the bootloader takes.
#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <optional>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/image.hpp"
#include "cli/key_files.hpp"
#include "image/builder.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string in;
    std::string out;
    SigningOptions signing;

    std::string version;
    std::string header_size = "0x200";
    bool pad_header = false;
    std::string slot_size;
    std::string boot_mode = "move";
    std::string sector_size = "4096";
    std::uint64_t max_sectors = 0;
    std::uint32_t align = 4;
    std::uint32_t max_align = 0;
    std::string security_counter;
    bool pad = false;
    bool confirm = false;

    std::string encrypt_to;
    std::uint32_t encrypt_bits = 128;
    std::string compress;
    std::string hex_address;
};

void bind(CLI::App& app, Options& options) {
    app.add_option("IN", options.in, "payload as linked, Intel HEX if it is named .hex; - is stdin")->required();
    app.add_option("OUT", options.out, "signed image, Intel HEX if it is named .hex; - is stdout")->required();
    bind_signing(app, options.signing);
    app.add_option("--version", options.version, "version of the image: 1.2.3 or 1.2.3+4")
        ->type_name("VERSION")
        ->required();
    app.add_option("--header-size", options.header_size, "bytes before the payload")
        ->type_name("SIZE")
        ->capture_default_str();
    app.add_flag("--pad-header", options.pad_header,
                 "make room for the header: the payload begins with its vector table");
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
    app.add_option("--max-align", options.max_align, "BOOT_MAX_ALIGN: 8, 16 or 32 (default: 8, or --align if larger)")
        ->type_name("N");
    app.add_option("--security-counter", options.security_counter, "counter for rollback protection: a number, or auto")
        ->type_name("N|auto");
    app.add_flag("--pad", options.pad, "pad to the slot size and mark the image for a test boot");
    app.add_flag("--confirm", options.confirm, "pad, and mark the image permanent: no revert possible");
    app.add_option("--encrypt-to", options.encrypt_to, "public key of the devices: encrypt the payload for them")
        ->type_name("PUB");
    app.add_option("--encrypt-bits", options.encrypt_bits, "length of the AES key")
        ->check(CLI::IsMember({128, 256}))
        ->capture_default_str()
        ->needs("--encrypt-to");
    app.add_option("--compress", options.compress, "compress the payload, where that makes it smaller")
        ->check(CLI::IsMember({"lzma2", "lzma2armthumb"}));
    app.add_option("--hex-address", options.hex_address,
                   "address of the image in an Intel HEX output (default: where the input is)")
        ->type_name("ADDRESS");
}

Result<std::uint32_t> parse_counter(const std::string& text, const image::Version& version) {
    if (text == "auto") return version.security_counter();
    std::uint32_t out = 0;
    const bool hex = text.starts_with("0x");
    const auto* begin = text.data() + (hex ? 2 : 0);
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), out, hex ? 16 : 10);
    if (error != std::errc{} || end != text.data() + text.size())
        return fail(Errc::usage, fmt::format("expected a security counter of 0 to {}, or auto, found \"{}\"",
                                             std::numeric_limits<std::uint32_t>::max(), printable(text, 40)));
    return out;
}

Result<image::SignOptions> to_sign_options(const Options& options) {
    image::SignOptions out;
    TRY(out.version, image::Version::parse(options.version));
    TRY(const auto header_size, parse_size(options.header_size));
    out.header_size = static_cast<std::uint32_t>(std::min<std::uint64_t>(header_size, 0xffff'ffff));
    out.pad_header = options.pad_header;
    if (!options.slot_size.empty()) {
        TRY(out.slot_size, parse_size(options.slot_size));
        if (out.slot_size == 0) return fail(Errc::usage, "expected a slot size above 0, found 0");
    }
    out.boot_mode = *image::mode_from_word(options.boot_mode);
    TRY(out.sector_size, parse_size(options.sector_size));
    out.max_sectors = options.max_sectors;
    out.align = options.align;
    out.max_align = options.max_align;
    out.pad = options.pad;
    out.confirm = options.confirm;
    if (!options.compress.empty())
        out.compression = image::Compression{.arm_thumb = options.compress == "lzma2armthumb"};
    if (!options.security_counter.empty()) {
        TRY(out.security_counter, parse_counter(options.security_counter, out.version));
    }
    return out;
}

struct Signed {
    LoadedImage image;
    image::SignOptions options;
};

struct Payload {
    Bytes bytes;
    std::optional<std::uint32_t> address;
};

Result<Payload> read_payload(const Options& options) {
    TRY(auto bytes, read_file(options.in, image_file_limit));
    if (!is_hex_name(options.in)) return Payload{std::move(bytes), std::nullopt};
    const auto read = [&]() -> Result<Payload> {
        TRY(const auto hex, image::parse_hex(bytes));
        TRY(auto flat, hex.flat(0xff, image_file_limit));
        return Payload{std::move(flat), hex.first_address()};
    };
    auto out = read();
    if (!out) return fail(std::move(out.error()).with("file", options.in).in(shown_path(options.in)));
    return out;
}

/// Where an Intel HEX output begins: as told, or where the input does, less the header that was put before it.
Result<std::uint32_t> output_address(const Options& options, const Payload& payload, std::uint32_t header_size) {
    if (!options.hex_address.empty()) {
        TRY(const auto address, parse_size(options.hex_address));
        if (address > 0xffff'ffff)
            return fail(Errc::usage, fmt::format("expected an address below 0x100000000, found 0x{:x}", address));
        return static_cast<std::uint32_t>(address);
    }
    if (!payload.address)
        return fail(Errc::usage,
                    "expected --hex-address for an Intel HEX output from an input without addresses, found "
                    "none");
    if (!options.pad_header) return *payload.address;
    if (*payload.address < header_size)
        return fail(Errc::usage,
                    fmt::format("expected a payload at 0x{:x} or above, so that the header fits before it, "
                                "found 0x{:x}",
                                header_size, *payload.address));
    return *payload.address - header_size;
}

Result<> write_image(const Options& options, const image::Built& built, const image::SignOptions& sign_options,
                     const Payload& payload, BytesView binary) {
    if (!is_hex_name(options.out)) return write_file_atomic(options.out, binary);
    TRY(const auto address, output_address(options, payload, sign_options.header_size));
    TRY(const auto hex, image::to_hex_file(built, sign_options, address));
    return write_file_atomic(options.out, as_bytes(image::write_hex(hex)));
}

Result<Signed> sign(const Options& options) {
    if (options.signing.deterministic && !options.encrypt_to.empty())
        return fail(Errc::usage,
                    "expected --deterministic or --encrypt-to, found both: every encryption has a key of its own");
    TRY(auto sign_options, to_sign_options(options));
    TRY(const auto signer, load_signer(options.signing));
    if (!options.encrypt_to.empty()) {
        TRY(auto recipient, load_public_key(options.encrypt_to));
        sign_options.encryption = image::Encryption{.recipient = std::move(recipient), .bits = options.encrypt_bits};
    }
    TRY(const auto payload, read_payload(options));
    auto built = image::build(payload.bytes, sign_options, signer.get());
    if (!built) return fail(std::move(built.error()).in("signing " + shown_path(options.in)));
    auto bytes = image::to_binary(*built, sign_options);
    TRY(auto parsed, image::parse(bytes));
    TRY_VOID(write_image(options, *built, sign_options, payload, bytes));
    return Signed{{std::move(bytes), std::move(parsed)}, std::move(sign_options)};
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    if (options.out == "-" && out.json())
        return out.fail(Error(Errc::usage, "expected a file for the image with --json, found stdout"));
    const auto result = sign(options);
    if (!result) return out.fail(result.error());
    const auto& [loaded, sign_options] = *result;

    auto line = "image    " + image_summary(loaded.bytes, loaded.parsed);
    auto fields = image_facts(loaded.bytes, loaded.parsed);
    fields["file"] = options.out;
    fields["encrypted"] = loaded.parsed.header.encrypted();
    fields["compressed"] = loaded.parsed.header.compressed();
    if (!options.compress.empty() && !loaded.parsed.header.compressed())
        out.note("note     not compressed: that would not have made the image smaller");
    if (sign_options.slot_size != 0) {
        const auto limit = image::image_limit({sign_options.boot_mode, sign_options.slot_size, sign_options.sector_size,
                                               sign_options.max_sectors, sign_options.align})
                               .value_or(0);
        line += fmt::format(" · fits 0x{:x} {} (limit {})", sign_options.slot_size,
                            image::mode_name(sign_options.boot_mode), with_thousands(limit));
        fields["limit"] = limit;
    }
    if (options.out == "-") {
        out.note(line);
    } else {
        out.line(line);
        out.line("wrote    " + shown_path(options.out));
    }
    if (const auto name = development_key_of(loaded.bytes, loaded.parsed); !name.empty())
        out.warn(development_key_warning(out, name));
    return out.result("done", std::move(fields));
}

}  // namespace

void add_image_sign(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "sign", "sign a payload for MCUboot", bind, run);
}

}  // namespace fota::cli
