// fotactl image sign: from the linker's output to an image the bootloader takes.
#include <fmt/format.h>

#include <optional>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/hex_files.hpp"
#include "cli/image.hpp"
#include "cli/image_sign_options.hpp"
#include "cli/imgtool_files.hpp"
#include "cli/key_files.hpp"
#include "image/builder.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string in;
    std::string out;
    SigningOptions signing;

    ImageOptions image;
    std::string signature_out;
    std::string hex_address;
};

void bind(CLI::App& app, Options& options) {
    app.add_option("IN", options.in, "payload as linked, Intel HEX if it is named .hex; - is stdin")->required();
    app.add_option("OUT", options.out, "signed image, Intel HEX if it is named .hex; - is stdout")->required();
    bind_signing(app, options.signing);
    bind_image_options(app, options.image);
    app.add_option("--hex-address", options.hex_address,
                   "address of the image in an Intel HEX output (default: where the input is)")
        ->type_name("ADDRESS");
    app.add_option("--sig-out", options.signature_out, "also write the signature alone to this file, in base64")
        ->type_name("FILE");
}

struct Signed {
    LoadedImage image;
    std::uint64_t slot_size = 0;  ///< 0 where none was named
    std::uint64_t limit = 0;      ///< of that slot
};

struct Payload {
    Bytes bytes;
    std::optional<std::uint32_t> address;
};

Result<Payload> read_payload(const Options& options) {
    if (is_hex_name(options.in)) {
        TRY(auto file, read_hex_file(options.in));
        return Payload{std::move(file.bytes), file.address};
    }
    TRY(auto bytes, read_file(options.in, image_file_limit));
    return Payload{std::move(bytes), std::nullopt};
}

/// Where an Intel HEX output begins: as told, or where the input does, less the header that was put before it.
Result<std::uint32_t> output_address(const Options& options, std::optional<std::uint32_t> payload,
                                     std::uint32_t header_size) {
    if (!options.hex_address.empty()) {
        TRY(const auto address, parse_size(options.hex_address));
        if (address > 0xffff'ffff)
            return fail(Errc::usage, fmt::format("expected an address below 0x100000000, found 0x{:x}", address));
        return static_cast<std::uint32_t>(address);
    }
    if (!payload)
        return fail(Errc::usage,
                    "expected --hex-address for an Intel HEX output from an input without addresses, found "
                    "none");
    if (!options.image.pad_header) return *payload;
    if (*payload < header_size)
        return fail(Errc::usage,
                    fmt::format("expected a payload at 0x{:x} or above, so that the header fits before it, "
                                "found 0x{:x}",
                                header_size, *payload));
    return *payload - header_size;
}

Result<> write_as_hex(const Options& options, const image::Built& built, const image::SignOptions& sign_options,
                      std::optional<std::uint32_t> payload_address) {
    TRY(const auto address, output_address(options, payload_address, sign_options.header_size));
    return write_product(options.out,
                         [&](const Sink& sink) { return write_hex_image(built, sign_options, address, sink); });
}

Result<Signed> sign(const Options& options) {
    if (options.signing.deterministic && !options.image.encrypt_to.empty())
        return fail(Errc::usage,
                    "expected --deterministic or --encrypt-to, found both: every encryption has a key of its own");
    TRY(const auto sign_options, to_sign_options(options.image));
    TRY(const auto signer, load_signer(options.signing));
    TRY(auto payload, read_payload(options));
    // One copy of the image, in the memory that was read into: fresh pages are what signing costs most.
    auto built = image::build(std::move(payload.bytes), sign_options, signer.get());
    if (!built) return fail(std::move(built.error()).in("signing " + shown_path(options.in)));
    const bool as_hex = is_hex_name(options.out);
    if (as_hex) TRY_VOID(write_as_hex(options, *built, sign_options, payload.address));
    auto bytes = sign_options.pad ? image::to_binary(*built, sign_options) : std::move(built->image);
    TRY(auto parsed, image::parse(bytes));
    if (!as_hex) TRY_VOID(write_product(options.out, bytes));
    if (!options.signature_out.empty())
        TRY_VOID(write_product(options.signature_out, as_bytes(imgtool::to_base64(built->signature))));
    return Signed{{std::move(bytes), std::move(parsed)}, sign_options.slot_size, built->limit};
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    if (options.out == "-" && out.json())
        return out.fail(Error(Errc::usage, "expected a file for the image with --json, found stdout"));
    const auto result = sign(options);
    if (!result) return out.fail(result.error());
    const auto& [loaded, slot_size, limit] = *result;

    auto line = "image    " + image_summary(loaded.bytes, loaded.parsed);
    auto fields = image_facts(loaded.bytes, loaded.parsed);
    fields["file"] = options.out;
    fields["encrypted"] = loaded.parsed.header.encrypted();
    fields["compressed"] = loaded.parsed.header.compressed();
    if (!options.image.compress.empty() && !loaded.parsed.header.compressed())
        out.note("note     not compressed: that would not have made the image smaller");
    if (slot_size != 0) {
        line +=
            fmt::format(" · fits 0x{:x} {} (limit {})", slot_size,
                        image::mode_name(*image::mode_from_word(options.image.slot.boot_mode)), with_thousands(limit));
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
