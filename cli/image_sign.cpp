// fotactl image sign: from the linker's output to an image the bootloader takes.
#include <fmt/format.h>

#include <charconv>
#include <limits>

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
    std::string key;
    PassphraseOptions passphrase;
    bool deterministic = false;

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
};

void bind(CLI::App& app, Options& options) {
    app.add_option("IN", options.in, "payload (.bin) as linked; - is stdin")->required();
    app.add_option("OUT", options.out, "signed image; - is stdout")->required();
    app.add_option("--key", options.key, "private key (PEM, mode 0600)")->type_name("KEY")->required();
    bind_passphrase(app, options.passphrase);
    app.add_flag("--deterministic", options.deterministic,
                 "the same input gives the same bytes (RFC 6979; derived PSS salt)");
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
    if (!options.security_counter.empty()) {
        TRY(out.security_counter, parse_counter(options.security_counter, out.version));
    }
    return out;
}

struct Signed {
    LoadedImage image;
    image::SignOptions options;
};

Result<Signed> sign(const Options& options) {
    TRY(auto sign_options, to_sign_options(options));
    TRY(auto key, load_signing_key(options.key, options.passphrase));
    TRY(const auto payload, read_file(options.in, image_file_limit));
    image::KeySigner signer(std::move(key), options.deterministic);
    auto bytes = image::sign(payload, sign_options, &signer);
    if (!bytes) return fail(std::move(bytes.error()).in("signing " + shown_path(options.in)));
    TRY(auto parsed, image::parse(*bytes));
    TRY_VOID(write_file_atomic(options.out, *bytes));
    return Signed{{std::move(*bytes), std::move(parsed)}, std::move(sign_options)};
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
