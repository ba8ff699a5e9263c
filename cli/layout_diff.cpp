// fotactl layout diff: does B still fit the devices that run A?
#include <fmt/format.h>

#include <filesystem>

#include "cli/files.hpp"
#include "cli/layout.hpp"
#include "cli/layout_findings.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string before;
    std::string after;
};

void bind(CLI::App& app, Options& options) {
    app.add_option("A", options.before, "what is in the field: a baseline file or a build directory")->required();
    app.add_option("B", options.after, "what is to follow: a build directory or a baseline file")->required();
}

Result<layout::Baseline> side(const Program& program, const std::string& path) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) {
        TRY(const auto text, read_text_file(path, small_file_limit));
        return in_context(layout::parse_baseline(text, path), "reading " + shown_path(path));
    }
    TRY(const auto opened, open_project(program, path));
    const auto image = built_image(opened.project);
    return in_context(layout::snapshot(opened.project, image ? &*image : nullptr), "reading " + shown_path(path));
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto before = side(program, options.before);
    if (!before) return out.fail(before.error());
    const auto after = side(program, options.after);
    if (!after) return out.fail(after.error());
    const auto findings = layout::drift(*before, *after);
    for (const auto& finding : findings) show_finding(out, finding);
    if (findings.empty())
        out.line(out.styled(Style::green, "no drift: partitions, slots, swap mode, key and version fit"));
    return end_with_findings(out, findings, nlohmann::json::object());
}

}  // namespace

void add_layout_diff(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "diff", "compare two builds or baselines as a device in the field sees them",
                         bind, run);
}

}  // namespace fota::cli
