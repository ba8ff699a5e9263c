#include "cli/checked_layout.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "adapters/disk_file_tree.hpp"
#include "cli/files.hpp"
#include "cli/layout_boards.hpp"
#include "layout/baseline.hpp"
#include "layout/check.hpp"

namespace fota::cli {

Result<update::ReleaseContext> baseline_context(BytesView text, const std::string& name) {
    TRY(auto baseline, layout::parse_baseline(as_text(text), name));
    update::ReleaseContext out;
    out.slots = std::move(baseline.slots);
    // "nrf9160dk@1.0.0/nrf9160/ns": a device says no revision.
    out.board = baseline.board.substr(0, baseline.board.find_first_of("@/"));
    return out;
}

Result<CheckedLayout> check_layout(const Program& program, const std::string& path, BytesView image,
                                   const std::string& image_name) {
    CheckedLayout out;
    std::error_code ignored;
    if (std::filesystem::is_regular_file(path, ignored)) {
        TRY(const auto text, read_file(path, small_file_limit));
        auto context = baseline_context(text, path);
        if (!context) return fail(std::move(context.error()).with("file", path).in("reading " + shown_path(path)));
        out.context = std::move(*context);
        return out;
    }
    TRY(const auto tree, adapters::DiskFileTree::open(path));
    TRY(const auto boards, known_boards(program));
    TRY(const auto project, layout::read_project(tree, "", boards));
    layout::Inputs inputs;
    inputs.image = layout::image_facts(image, image_name);
    const auto report = layout::check(project, inputs);
    for (const auto& finding : report.findings) {
        if (finding.severity != layout::Severity::error) continue;
        const auto& where = finding.where;
        return fail(
            Error(Errc::layout_failed, fmt::format("expected a layout without errors, found {}: {} ({}{})",
                                                   report.count(layout::Severity::error), finding.rule, where.file,
                                                   where.line == 0 ? "" : fmt::format(":{}", where.line)))
                .with("path", path));
    }
    out.context.slots = report.slots;
    out.rules = report.counts.checked;
    if (project.board) {
        out.context.board = project.board->board;
        if (const auto* known = boards.find(project.board->board)) out.context.soc = known->soc;
    }
    if (const auto der = layout::pinned_key(project)) {
        TRY(out.key, image::PublicKey::parse(*der));
    }
    return out;
}

}  // namespace fota::cli
