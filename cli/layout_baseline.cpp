// fotactl layout baseline: what ships, in one file to compare later builds with.
#include "layout/baseline.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/layout.hpp"
#include "cli/layout_boards.hpp"
#include "cli/layout_findings.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string path;
    std::string image;
    std::string out;
    std::string board;
    std::string boards;
};

void bind(CLI::App& app, Options& options) {
    app.add_option("PATH", options.path, "the build that ships (or its sources, with a static layout)")->required();
    app.add_option("--image", options.image, "the image that ships")->type_name("IMG")->required();
    app.add_option("--out", options.out, "the baseline file; - is stdout")->type_name("F")->required();
    app.add_option("--board", options.board, "board, where the tree does not tell")->type_name("BOARD");
    bind_boards(app, options.boards);
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto opened = open_project(program, options.path, options.board, options.boards);
    if (!opened) return out.fail(opened.error());
    const auto image = image_file(options.image);
    if (!image) return out.fail(image.error());
    if (!image->walkable)
        return out.fail(
            Error(Errc::image_malformed, fmt::format("expected the signed image that ships, found {}", image->what))
                .with("file", shown_path(options.image)));
    const auto taken = layout::snapshot(opened->project, &*image);
    if (!taken) return out.fail(taken.error());
    auto document = layout::to_json(*taken);
    const auto text = document.dump(2) + "\n";
    if (options.out == "-" && out.json()) return out.result("done", std::move(document));
    if (const auto written = write_file_atomic(options.out, as_bytes(text)); !written) return out.fail(written.error());
    const auto& slots = taken->slots;
    out.note(fmt::format("{}: {} {} · slots of {:#x} and {:#x} ({}) · {} · key {}", shown_path(options.out),
                         printable(taken->board), taken->version ? taken->version->text() : "no version",
                         slots.primary.size, slots.secondary.size, slots.secondary.external ? "external" : "internal",
                         layout::boot_mode_name(slots.mode),
                         taken->key_hash.empty() ? std::string("unknown") : short_hex(taken->key_hash)));
    return out.result("done", std::move(document));
}

}  // namespace

void add_layout_baseline(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "baseline", "record what ships, to compare later builds with", bind, run);
}

}  // namespace fota::cli
