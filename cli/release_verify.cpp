// fotactl release verify: whether a release may be installed as it is.
#include <fmt/format.h>

#include <chrono>

#include "cli/files.hpp"
#include "cli/image.hpp"
#include "cli/release.hpp"
#include "cli/release_input.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string file;
    std::string key;
    std::string image;
};

Result<release::Manifest> verify(const Options& options) {
    TRY(const auto text, read_file(options.file, small_file_limit));
    TRY(auto manifest, open_release(text, options.file, {options.key}));
    const auto now = std::chrono::floor<std::chrono::seconds>(std::chrono::system_clock::now());
    TRY_VOID(in_context(release::check_expiry(manifest, now), shown_path(options.file)));
    if (options.image.empty()) return manifest;
    TRY(const auto image, read_image(options.image));
    TRY_VOID(in_context(release::check_file(manifest, image), shown_path(options.image)));
    return manifest;
}

int run(Program& program, const Options& options) {
    const auto manifest = verify(options);
    if (!manifest) return program.out.fail(manifest.error());
    tell_release(program.out, *manifest);
    program.out.line(fmt::format("good      signature{}", options.image.empty() ? "" : " and image"));
    return program.out.result("done", {{"release", release_fields(*manifest)},
                                       {"signature", "good"},
                                       {"image", options.image.empty() ? "unchecked" : "good"}});
}

}  // namespace

void add_release_verify(CLI::App& group, Program& program) {
    add_command<Options>(
        group, program, "verify", "check signature, expiry and image of a release",
        [](CLI::App& app, Options& o) {
            app.add_option("RELEASE", o.file, "the manifest")->required();
            app.add_option("--key", o.key, "public key it must be signed with")->type_name("PUB")->required();
            app.add_option("--image", o.image, "the image it must be for")->type_name("IMG");
        },
        run);
}

}  // namespace fota::cli
