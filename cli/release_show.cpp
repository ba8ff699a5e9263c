// fotactl release show: what a release says, whoever signed it.
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/release.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string file;
};

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto read = [&]() -> Result<release::UncheckedManifest> {
        TRY(const auto text, read_file(options.file, small_file_limit));
        auto manifest = release::read_manifest(as_text(text));
        if (!manifest)
            return fail(
                std::move(manifest.error()).with("file", options.file).in("reading " + shown_path(options.file)));
        return manifest;
    }();
    if (!read) return out.fail(read.error());
    tell_release(out, read->manifest);
    out.line(
        fmt::format("signature not checked · {} · says it is by key {}", read->algorithm, printable(read->key_id, 64)));
    return out.result("done", {{"release", release_fields(read->manifest)},
                               {"signature", "unchecked"},
                               {"algorithm", read->algorithm},
                               {"signed_by", printable(read->key_id, 64)}});
}

}  // namespace

void add_release_show(CLI::App& group, Program& program) {
    add_command<Options>(
        group, program, "show", "show a release; its signature is not checked",
        [](CLI::App& app, Options& o) { app.add_option("RELEASE", o.file, "the manifest")->required(); }, run);
}

}  // namespace fota::cli
