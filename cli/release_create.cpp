// fotactl release create: a signed manifest for an image, and a bill of materials on request.
#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "base/text.hpp"
#include "cli/checked_layout.hpp"
#include "cli/files.hpp"
#include "cli/image.hpp"
#include "cli/key_files.hpp"
#include "cli/release.hpp"
#include "cli/release_input.hpp"
#include "release/sbom.hpp"
#include "release/signed_document.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string image;
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
    return std::optional(*time);
}

Result<release::Manifest> create(Program& program, const Options& options) {
    TRY(const auto image, read_image(options.image));
    auto described = release::describe_image(image, std::filesystem::path(options.image).filename().string());
    if (!described) return fail(std::move(described.error()).with("file", options.image).in(shown_path(options.image)));
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
    TRY(const auto text, release::sign_manifest(manifest, *signer));
    if (!options.sbom.empty()) {
        const auto sbom = release::spdx_document(manifest, "fotactl-" FOTACTL_VERSION, now()).dump(2) + "\n";
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
