// fotactl layout check: every way a layout goes wrong that can be seen from here, with file, line and what to write
// instead.
#include "layout/check.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/layout.hpp"
#include "cli/layout_boards.hpp"
#include "cli/layout_findings.hpp"

namespace fota::cli {
namespace {

using layout::Severity;

struct Options {
    std::string path;
    std::string image;
    std::string board;
    std::string boards;
    std::string flash_part;
    std::string baseline;
    std::string probe;
    std::string boot_log;
    std::string server_limit;
    std::string profile = "lte-m";
};

void bind(CLI::App& app, Options& options) {
    app.add_option("PATH", options.path, "application source directory or build directory")->required();
    app.add_option("--image", options.image, "check this image against the layout too")->type_name("IMG");
    app.add_option("--board", options.board, "board, where the tree does not tell: nrf9160dk@1.0.0/nrf9160/ns")
        ->type_name("BOARD");
    bind_boards(app, options.boards);
    app.add_option("--flash-part", options.flash_part, "the flash that is really fitted: MX25R6435F, or its id c22817")
        ->type_name("NAME|JEDEC");
    app.add_option("--baseline", options.baseline, "compare with what is in the field (fotactl layout baseline)")
        ->type_name("F");
    app.add_option("--probe", options.probe, "what the flash says of itself (fotactl layout probe, or a recording)")
        ->type_name("F");
    app.add_option("--boot-log", options.boot_log, "what the device or the build printed; - is stdin")->type_name("F");
    app.add_option("--server-limit", options.server_limit, "how long the server waits for a transfer: 2m")
        ->type_name("D");
    app.add_option("--profile", options.profile, "the network, for --server-limit: lte-m or nb-iot")
        ->check(CLI::IsMember({"lte-m", "nb-iot"}))
        ->type_name("NAME");
}

std::string summary(const layout::Report& report) {
    const auto errors = report.count(Severity::error);
    const auto warnings = report.count(Severity::warning);
    const auto& counts = report.counts;
    auto out = errors == 0 ? std::string("no error") : plural(errors, "error");
    if (warnings > 0) out += ", " + plural(warnings, "warning");
    out += fmt::format("; {} checked", plural(counts.checked, "rule"));
    const auto waiting = [&](unsigned count, std::string_view what) {
        if (count > 0) out += fmt::format(", {} need{} {}", count, count == 1 ? "s" : "", what);
    };
    waiting(counts.need_build, "a build (west build)");
    waiting(counts.need_source, "the sources");
    waiting(counts.need_board, "the board (--board)");
    waiting(counts.need_image, "the image (--image)");
    waiting(counts.need_flash_part, "the flash itself (--probe, --flash-part)");
    waiting(counts.need_log, "a log (--boot-log)");
    waiting(counts.need_baseline, "what shipped (--baseline)");
    waiting(counts.unreadable, "a file that is missing or cannot be read");
    return out;
}

template <class T>
Result<T> named(Result<T> result, const std::string& file) {
    return in_context(std::move(result), "reading " + shown_path(file));
}

Result<layout::Inputs> inputs_of(const Options& options) {
    layout::Inputs inputs;
    inputs.board = options.board;
    if (!options.image.empty()) {
        TRY(inputs.image, image_file(options.image));
    }
    if (!options.flash_part.empty()) {
        if (const auto* part = flash::find_part(std::string_view(options.flash_part))) {
            inputs.flash_part = part->id;
        } else {
            inputs.flash_part = flash::parse_jedec_id(options.flash_part);
        }
        if (!inputs.flash_part) {
            std::vector<std::string> names;
            for (const auto& part : flash::parts) names.emplace_back(part.name);
            const auto near = nearest(options.flash_part, names);
            return fail(Error(Errc::usage,
                              fmt::format("expected a part such as MX25R6435F or a JEDEC id such as c22817, found {}",
                                          printable(options.flash_part, 40)))
                            .with("hint", near.empty() ? "the id is in the part's datasheet and in the driver's log"
                                                       : fmt::format("did you mean {}?", near)));
        }
    }
    if (!options.baseline.empty()) {
        TRY(const auto text, read_text_file(options.baseline, small_file_limit));
        TRY(inputs.baseline, named(layout::parse_baseline(text, options.baseline), options.baseline));
    }
    if (!options.probe.empty()) {
        TRY(const auto bytes, read_file(options.probe, small_file_limit));
        TRY(inputs.probe, named(layout::parse_probe(bytes, options.probe), options.probe));
    }
    if (!options.boot_log.empty()) {
        TRY(const auto text, read_text_file(options.boot_log, 16 * small_file_limit));
        inputs.log = layout::read_boot_log(text, shown_path(options.boot_log));
    }
    if (!options.server_limit.empty()) {
        TRY(const auto limit, parse_duration(options.server_limit));
        inputs.server_limit = std::chrono::duration_cast<std::chrono::seconds>(limit);
        inputs.narrow_band = options.profile == "nb-iot";
    }
    return inputs;
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    auto inputs = inputs_of(options);
    if (!inputs) return out.fail(inputs.error());
    const auto boards = known_boards(program, options.boards);
    if (!boards) return out.fail(boards.error());
    inputs->boards = &*boards;
    const auto tree = adapters::DiskFileTree::open(options.path);
    if (!tree) return out.fail(tree.error());
    const auto everything = adapters::DiskFileTree::open("/");
    if (everything) inputs->absolute = &*everything;
    const auto report = layout::check(*tree, *inputs);
    if (!report) return out.fail(report.error());

    out.line(report->description);
    out.line("");
    for (const auto& finding : report->findings) show_finding(out, finding);
    const auto line = summary(*report);
    out.line(
        out.styled(report->count(Severity::error) > 0 ? Style::red : Style::green, line.substr(0, line.find(';'))) +
        line.substr(line.find(';')));

    const auto& counts = report->counts;
    return end_with_findings(out, report->findings,
                             {{"project", report->description},
                              {"rules",
                               {{"checked", counts.checked},
                                {"need_build", counts.need_build},
                                {"need_sources", counts.need_source},
                                {"need_board", counts.need_board},
                                {"need_image", counts.need_image},
                                {"need_flash_part", counts.need_flash_part},
                                {"need_baseline", counts.need_baseline},
                                {"need_log", counts.need_log},
                                {"unreadable", counts.unreadable}}}});
}

}  // namespace

void add_layout_check(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "check", "find what is wrong with a flash layout, and what to write instead",
                         bind, run);
}

}  // namespace fota::cli
