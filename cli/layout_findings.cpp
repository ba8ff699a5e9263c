#include "cli/layout_findings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cli/files.hpp"
#include "cli/image.hpp"
#include "cli/layout_boards.hpp"

namespace fota::cli {
namespace {

using layout::Finding;
using layout::Severity;

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

constexpr std::size_t head_indent = 9;

std::size_t columns(std::string_view text) {
    return static_cast<std::size_t>(
        std::ranges::count_if(text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

void print(Output& out, const Finding& finding, std::size_t width) {
    const auto word = severity_name(finding.severity);
    const auto where = place(finding.where);
    const auto used = head_indent + columns(finding.rule) + columns(where);
    std::string head = out.styled(severity_style(finding.severity), word) +
                       std::string(head_indent - word.size(), ' ') + out.styled(Style::bold, finding.rule);
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
            paragraph(out, fmt::format("fix: {}", line), width, head_indent, 5);
        } else {  // settings to copy: never broken
            out.line(std::string(head_indent + 5, ' ') + std::string(line));
        }
    }
    out.line("");
}

nlohmann::json event_of(const Finding& finding) {
    return {{"rule", finding.rule},       {"severity", severity_name(finding.severity)},
            {"message", finding.message}, {"expected", finding.expected},
            {"found", finding.found},     {"where", {{"file", finding.where.file}, {"line", finding.where.line}}},
            {"fix", finding.fix}};
}

}  // namespace

std::string plural(std::size_t count, std::string_view word) {
    return fmt::format("{} {}{}", count, word, count == 1 ? "" : "s");
}

std::string place(const layout::Where& where) {
    return where.line == 0 ? where.file : fmt::format("{}:{}", where.file, where.line);
}

std::size_t text_width(const Output& out) {
    return static_cast<std::size_t>(std::clamp(out.width(), 60, 96));
}

void paragraph(Output& out, std::string_view text, std::size_t width, std::size_t indent, std::size_t hang) {
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

void show_finding(Output& out, const Finding& finding) {
    out.event("finding", event_of(finding));
    print(out, finding, text_width(out));
}

int end_with_findings(Output& out, const std::vector<Finding>& findings, nlohmann::json fields) {
    const auto count = [&](Severity severity) {
        return static_cast<std::size_t>(std::ranges::count(findings, severity, &Finding::severity));
    };
    const auto errors = count(Severity::error);
    fields["errors"] = errors;
    fields["warnings"] = count(Severity::warning);
    fields["notes"] = count(Severity::note);
    if (errors == 0) return out.result("done", std::move(fields));
    fields["error"] = {
        {"code", errc_name(Errc::layout_failed)},
        {"message", fmt::format("expected a layout without errors, found {}", plural(errors, "error"))},
        {"hints", nlohmann::json::array({"each finding names its file, its line and what to write instead"})}};
    return out.result("refused", std::move(fields), 5);
}

Result<OpenProject> open_project(const Program& program, const std::string& path, const std::string& board,
                                 const std::string& boards) {
    TRY(auto tree, adapters::DiskFileTree::open(path));
    OpenProject out;
    out.files = std::make_unique<adapters::DiskFileTree>(std::move(tree));
    TRY(auto known, known_boards(program, boards));
    out.boards = std::make_unique<layout::Boards>(std::move(known));
    TRY(out.project, layout::read_project(*out.files, board, *out.boards));
    return out;
}

std::optional<layout::ImageFacts> built_image(const layout::Project& project) {
    if (project.tree != layout::Tree::build) return std::nullopt;
    const auto base = project.application.empty() ? std::string() : project.application + "/";
    for (const char* name : {"zephyr/zephyr.signed.bin", "zephyr/app_update.bin"}) {
        if (!project.files->is_file(base + name)) continue;
        const auto bytes = project.files->read(base + name, image_file_limit);
        if (bytes) return layout::image_facts(*bytes, base + name);
    }
    return std::nullopt;
}

Result<layout::ImageFacts> image_file(const std::string& path) {
    TRY(const auto bytes, read_file(path, image_file_limit));
    // A broken wrapping is a finding about the image, not an error of the command.
    const auto image = unwrap_image(bytes);
    return layout::image_facts(image ? *image : bytes, path);
}

Result<std::string> read_text_file(const std::string& path, std::uint64_t limit) {
    TRY(const auto bytes, read_file(path, limit));
    return std::string(as_text(bytes));
}

}  // namespace fota::cli
