// fotactl layout check: every way a layout goes wrong that can be seen from here, with file, line and what to write
// instead.
#include "layout/check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "adapters/disk_file_tree.hpp"
#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/layout.hpp"

namespace fota::cli {
namespace {

using layout::Finding;
using layout::Severity;

struct Options {
    std::string path;
    std::string image;
    std::string board;
    std::string flash_part;
};

void bind(CLI::App& app, Options& options) {
    app.add_option("PATH", options.path, "application source directory or build directory")->required();
    app.add_option("--image", options.image, "check this image against the layout too")->type_name("IMG");
    app.add_option("--board", options.board, "board, where the tree does not tell: nrf9160dk@1.0.0/nrf9160/ns")
        ->type_name("BOARD");
    app.add_option("--flash-part", options.flash_part, "the flash that is really fitted: MX25R6435F, or its id c22817")
        ->type_name("NAME|JEDEC");
}

std::string_view severity_name(Severity severity) {
    switch (severity) {
        case Severity::error:
            return "error";
        case Severity::warning:
            return "warning";
        case Severity::note:
            return "note";
    }
    return "";
}

Style severity_style(Severity severity) {
    switch (severity) {
        case Severity::error:
            return Style::red;
        case Severity::warning:
            return Style::yellow;
        case Severity::note:
            return Style::bold;
    }
    return Style::plain;
}

constexpr std::size_t indent = 9;

std::size_t columns(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// Prints a paragraph, broken at spaces; lines after the first are set in by `hang` more.
void paragraph(Output& out, std::string_view text, std::size_t width, std::size_t hang = 0) {
    std::string line(indent, ' ');
    bool fresh = true;
    while (!text.empty()) {
        const auto space = text.find(' ');
        const auto word = text.substr(0, space);
        text.remove_prefix(space == std::string_view::npos ? text.size() : space + 1);
        if (!fresh && columns(line) + 1 + columns(word) > width) {
            out.line(line);
            line.assign(indent + hang, ' ');
            fresh = true;
        }
        if (!fresh) line += ' ';
        line += word;
        fresh = false;
    }
    out.line(line);
}

std::string place(const layout::Where& where) {
    return where.line == 0 ? where.file : fmt::format("{}:{}", where.file, where.line);
}

void print(Output& out, const Finding& finding, std::size_t width) {
    const auto word = severity_name(finding.severity);
    const auto where = place(finding.where);
    const auto used = indent + columns(finding.rule) + columns(where);
    std::string head = out.styled(severity_style(finding.severity), word) + std::string(indent - word.size(), ' ') +
                       out.styled(Style::bold, finding.rule);
    if (!where.empty()) head += std::string(used + 2 > width ? 2 : width - used, ' ') + where;
    out.line(head);
    paragraph(out, finding.message, width);
    if (!finding.expected.empty())
        paragraph(
            out,
            fmt::format("expected {}, found {}", finding.expected, finding.found.empty() ? "nothing" : finding.found),
            width);
    std::string_view fix = finding.fix;
    for (bool first = true; !fix.empty(); first = false) {
        const auto end = std::min(fix.find('\n'), fix.size());
        const auto line = fix.substr(0, end);
        fix.remove_prefix(std::min(end + 1, fix.size()));
        if (first) {
            paragraph(out, fmt::format("fix: {}", line), width, 5);
        } else {  // settings to copy: never broken
            out.line(std::string(indent + 5, ' ') + std::string(line));
        }
    }
    out.line("");
}

std::string plural(unsigned count, std::string_view word) {
    return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
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
    waiting(counts.need_flash_part, "the flash's id (--flash-part)");
    waiting(counts.unreadable, "a file that is missing or cannot be read");
    return out;
}

nlohmann::json event_of(const Finding& finding) {
    return {{"rule", finding.rule},       {"severity", severity_name(finding.severity)},
            {"message", finding.message}, {"expected", finding.expected},
            {"found", finding.found},     {"where", {{"file", finding.where.file}, {"line", finding.where.line}}},
            {"fix", finding.fix}};
}

Result<layout::Inputs> inputs_of(const Options& options) {
    layout::Inputs inputs;
    inputs.board = options.board;
    if (!options.image.empty()) {
        TRY(const auto bytes, read_file(options.image, image_file_limit));
        inputs.image = layout::image_facts(bytes, options.image);
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
    return inputs;
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    auto inputs = inputs_of(options);
    if (!inputs) return out.fail(inputs.error());
    const auto tree = DiskFileTree::open(options.path);
    if (!tree) return out.fail(tree.error());
    const auto everything = DiskFileTree::open("/");
    if (everything) inputs->absolute = &*everything;
    const auto report = layout::check(*tree, *inputs);
    if (!report) return out.fail(report.error());

    const auto width = static_cast<std::size_t>(std::clamp(out.width(), 60, 96));
    out.line(report->description);
    out.line("");
    for (const auto& finding : report->findings) {
        out.event("finding", event_of(finding));
        print(out, finding, width);
    }
    const auto errors = report->count(Severity::error);
    const auto line = summary(*report);
    out.line(out.styled(errors > 0 ? Style::red : Style::green, line.substr(0, line.find(';'))) +
             line.substr(line.find(';')));

    const auto& counts = report->counts;
    nlohmann::json fields = {{"errors", errors},
                             {"warnings", report->count(Severity::warning)},
                             {"notes", report->count(Severity::note)},
                             {"project", report->description},
                             {"rules",
                              {{"checked", counts.checked},
                               {"need_build", counts.need_build},
                               {"need_sources", counts.need_source},
                               {"need_board", counts.need_board},
                               {"need_image", counts.need_image},
                               {"need_flash_part", counts.need_flash_part},
                               {"unreadable", counts.unreadable}}}};
    if (errors == 0) return out.result("done", std::move(fields));
    fields["error"] = {
        {"code", errc_name(Errc::layout_failed)},
        {"message", fmt::format("expected a layout without errors, found {}", plural(errors, "error"))},
        {"hints", nlohmann::json::array({"each finding names its file, its line and what to write instead"})}};
    return out.result("refused", std::move(fields), 5);
}

}  // namespace

void add_layout_check(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "check", "find what is wrong with a flash layout, and what to write instead",
                         bind, run);
}

}  // namespace fota::cli
