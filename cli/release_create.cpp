// fotactl release create: a signed manifest for an image, and a bill of materials on request.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <span>
#include <vector>

#include "base/text.hpp"
#include "cli/checked_layout.hpp"
#include "cli/files.hpp"
#include "cli/image.hpp"
#include "cli/key_files.hpp"
#include "cli/release.hpp"
#include "cli/release_input.hpp"
#include "image/verify.hpp"
#include "release/sbom.hpp"
#include "release/signed_document.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string image;
    std::string image_key;
    SigningOptions signing;
    std::string board;
    std::string soc;
    std::string layout;
    std::string min_version;
    std::string max_version;
    std::string expires;
    std::string notes;
    std::string sbom;
    std::string out;
};

release::Timestamp now() {
    return std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
}

Result<std::optional<image::Version>> version_of(const std::string& text, const char* option) {
    if (text.empty()) return std::optional<image::Version>{};
    auto version = image::Version::parse(text);
    if (!version) return fail(std::move(version.error()).in(option));
    return std::optional(*version);
}

/// RFC 3339, or how long from now.
Result<std::optional<release::Timestamp>> expiry_of(const std::string& text) {
    if (text.empty()) return std::optional<release::Timestamp>{};
    if (const auto life = parse_duration(text)) {
        if (*life < std::chrono::seconds(1) || *life > std::chrono::hours(24 * 36'500))
            return fail(Errc::usage, fmt::format("expected --expires of 1 s to 36500 d, found {}", printable(text)));
        return std::optional(now() + std::chrono::floor<std::chrono::seconds>(*life));
    }
    const auto time = release::parse_timestamp(text);
    if (!time)
        return fail(Errc::usage, fmt::format("expected --expires as 2027-01-31T12:00:00Z or 90d, found \"{}\"",
                                             printable(text, 64)));
    if (*time <= now())
        return fail(Errc::usage,
                    fmt::format("expected --expires in the future, as nothing installs an expired release, "
                                "found {}; leave it out for a release that never expires",
                                release::timestamp_text(*time)));
    return std::optional(*time);
}

/// When the bill of materials was made: https://reproducible-builds.org/specs/source-date-epoch/, else the beginning of
/// that epoch where the same input has to give the same bytes, else now.
Result<release::Timestamp> creation_time(bool deterministic) {
    const char* text = std::getenv("SOURCE_DATE_EPOCH");
    if (text == nullptr || *text == '\0') return deterministic ? release::Timestamp{} : now();
    constexpr std::int64_t year_9999 = 253'402'300'799;
    std::int64_t seconds = -1;
    const auto* end = text + std::strlen(text);
    const auto [stop, error] = std::from_chars(text, end, seconds);
    if (error != std::errc{} || stop != end || seconds < 0 || seconds > year_9999)
        return fail(Errc::usage,
                    fmt::format("expected SOURCE_DATE_EPOCH in seconds since 1970, found \"{}\"", printable(text, 40)));
    return release::Timestamp(std::chrono::seconds(seconds));
}

/// Nothing that is read is written over, and what is written names a file that will be found.
Result<> check_places(const Options& options, BytesView image) {
    if (options.image == "-")
        return fail(Errc::usage,
                    "expected a file for --image, whose name the release carries, found stdin: save the image first");
    const std::pair<const char*, const std::string*> written[]{{"--out", &options.out}, {"--sbom", &options.sbom}};
    const std::pair<const char*, const std::string*> read[]{
        {"--image", &options.image}, {"--key", &options.signing.key}, {"--layout", &options.layout}, written[1]};
    for (const auto& [to, target] : written)
        for (const auto& [from, source] : read)
            if (source != target && same_file(*target, *source))
                return fail(Errc::usage, fmt::format("expected another file for {} than for {}, found {} for both: "
                                                     "give it a name of its own",
                                                     to, from, shown_path(*target)));
    if (options.out == "-") return {};
    namespace fs = std::filesystem;
    std::error_code ignored;
    const fs::path out(options.out);
    if (fs::exists(out, ignored) && !fs::is_regular_file(out, ignored)) return {};  // a pipe
    const fs::path named(options.image);
    const auto beside = (out.parent_path() / named.filename()).string();
    if (same_file(beside, options.image)) return {};
    if (const auto there = read_image(beside); there && std::ranges::equal(*there, image)) return {};
    return fail(Errc::usage,
                fmt::format("expected the image beside the release, where push looks for it, found none like it at {}: "
                            "write the release to {}, or copy the image there first",
                            printable(beside), printable((named.parent_path() / out.filename()).string())));
}

/// A bootloader would take it, and where `keys` are given it is signed by one of them. What is encrypted is seen by its
/// device alone.
Result<> check_image(BytesView image, std::span<const image::PublicKey> keys) {
    TRY(const auto parsed, image::parse(image));
    if (parsed.header.encrypted()) return {};
    const bool hardware_keys = parsed.find(image::tlv::public_key) != nullptr && parsed.key_hash(image).empty();
    TRY_VOID(image::verify(image, parsed, keys, {.hardware_keys = hardware_keys, .decompression = true}));
    return {};
}

Result<release::Manifest> create(Program& program, const Options& options) {
    TRY(const auto image, read_image(options.image));
    auto described = release::describe_image(image, std::filesystem::path(options.image).filename().string());
    if (!described) return fail(std::move(described.error()).with("file", options.image).in(shown_path(options.image)));
    TRY_VOID(check_places(options, image));
    std::vector<image::PublicKey> image_keys;
    if (!options.image_key.empty()) {
        TRY(auto key, load_public_key(options.image_key));
        image_keys.push_back(std::move(key));
    }
    if (auto boots = check_image(image, image_keys); !boots)
        return fail(std::move(boots.error()).with("file", options.image).in(shown_path(options.image)));
    auto manifest = std::move(*described);
    manifest.board = options.board;
    manifest.soc = options.soc;
    manifest.notes = options.notes;
    TRY(manifest.replaces.min, version_of(options.min_version, "--min-version"));
    TRY(manifest.replaces.max, version_of(options.max_version, "--max-version"));
    TRY(manifest.expires, expiry_of(options.expires));
    if (!options.layout.empty()) {
        TRY(const auto layout, check_layout(program, options.layout, image, options.image));
        if (!layout.context.slots)
            return fail(Error(Errc::layout_failed,
                              "expected a layout that tells its slots, found none (a source tree may need a build)")
                            .with("path", options.layout));
        manifest.layout = update::slot_layout_digest(*layout.context.slots);
        if (manifest.board.empty()) manifest.board = layout.context.board;
        if (manifest.soc.empty()) manifest.soc = layout.context.soc;
        // A release that its own layout refuses would be found out only in the field.
        TRY_VOID(update::check_release(manifest, image, layout.context, release::Timestamp{}));
    }
    TRY_VOID(release::validate(manifest));
    TRY(const auto signer, load_signer(options.signing));
    if (auto fits = release::check_document_key(signer->public_key()); !fits)
        return fail(std::move(fits.error()).with("file", options.signing.key).in(shown_path(options.signing.key)));
    // Where one key signs both, the image's signature is looked at unasked.
    if (image_keys.empty() && manifest.key_hash == signer->public_key().fingerprint())
        if (auto good = check_image(image, std::span(&signer->public_key(), 1)); !good)
            return fail(std::move(good.error()).with("file", options.image).in(shown_path(options.image)));
    TRY(const auto text, release::sign_manifest(manifest, *signer));
    if (!options.sbom.empty()) {
        TRY(const auto created, creation_time(options.signing.deterministic));
        const auto sbom = release::spdx_document(manifest, "fotactl-" FOTACTL_VERSION, created).dump(2) + "\n";
        TRY_VOID(write_file_atomic(options.sbom, as_bytes(sbom)));
    }
    TRY_VOID(write_file_atomic(options.out, as_bytes(text)));
    return manifest;
}

int run(Program& program, const Options& options) {
    const auto manifest = create(program, options);
    if (!manifest) return program.out.fail(manifest.error());
    if (options.out != "-") tell_release(program.out, *manifest);
    auto fields = release_fields(*manifest);
    return program.out.result("done", {{"release", std::move(fields)}, {"out", options.out}});
}

}  // namespace

void add_release_create(CLI::App& group, Program& program) {
    add_command<Options>(
        group, program, "create", "write the signed manifest of an image",
        [](CLI::App& app, Options& o) {
            app.add_option("--image", o.image, "the signed image; the release names it as a file beside itself")
                ->type_name("IMG")
                ->required();
            app.add_option("--image-key", o.image_key,
                           "public key the image must be signed with, as its devices trust it")
                ->type_name("PUB");
            bind_signing(app, o.signing);
            app.add_option("--board", o.board,
                           "the device's board, with or without its qualifiers (default: the layout's)")
                ->type_name("NAME");
            app.add_option("--soc", o.soc, "the SoC (default: the layout's)")->type_name("NAME");
            app.add_option("--layout", o.layout, "build directory or baseline whose slots it is made for")
                ->type_name("PATH");
            app.add_option("--min-version", o.min_version, "oldest version it may replace")->type_name("V");
            app.add_option("--max-version", o.max_version, "newest version it may replace")->type_name("V");
            app.add_option("--expires", o.expires, "not installed from then on: 2027-01-31T12:00:00Z, or 90d from now")
                ->type_name("T");
            app.add_option("--notes", o.notes, "for people")->type_name("TEXT");
            app.add_option("--sbom", o.sbom, "also write an SPDX 2.3 bill of materials here")->type_name("F");
            app.add_option("--out", o.out, "the release")->type_name("F")->required();
        },
        run);
}

}  // namespace fota::cli
