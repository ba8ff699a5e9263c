// fotactl layout explain-log: a pasted log becomes causes, most likely first, and what to look at first.
#include <fmt/format.h>

#include "cli/files.hpp"
#include "cli/layout.hpp"
#include "cli/layout_boards.hpp"
#include "cli/layout_findings.hpp"
#include "layout/explain.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string log;
    std::string path;
    std::string board;
    std::string boards;
};

void bind(CLI::App& app, Options& options) {
    app.add_option("LOG", options.log, "what the device or the build printed; - is stdin")->required();
    app.add_option("PATH", options.path, "the sources or the build it comes from: confirms causes, or rules them out");
    app.add_option("--board", options.board, "board, where the tree does not tell")->type_name("BOARD");
    bind_boards(app, options.boards);
}

std::string_view word(layout::Cause::Standing standing) {
    switch (standing) {
        case layout::Cause::Standing::possible:
            return "possible";
        case layout::Cause::Standing::confirmed:
            return "confirmed";
        case layout::Cause::Standing::unlikely:
            return "unlikely";
    }
    return "";
}

void print(Output& out, const layout::Explanation& explained) {
    const auto width = text_width(out);
    paragraph(out, explained.summary, width, 0);
    out.line("");
    for (const auto& line : explained.lines) {
        out.line(fmt::format("{:>5}  {}", line.line, out.styled(Style::bold, line.text)));
        paragraph(out, line.reading, width, 7);
    }
    if (!explained.causes.empty()) {
        out.line("");
        out.line(out.styled(Style::bold, "causes, most likely first"));
    }
    unsigned number = 0;
    for (const auto& cause : explained.causes) {
        const bool confirmed = cause.standing == layout::Cause::Standing::confirmed;
        out.line(fmt::format("{:>3}. {}{}", ++number, out.styled(confirmed ? Style::red : Style::plain, cause.rule),
                             confirmed ? fmt::format("  confirmed: {}", place(cause.where))
                             : cause.standing == layout::Cause::Standing::unlikely ? "  (unlikely)"
                                                                                   : ""));
        paragraph(out, cause.why, width, 5);
        std::string_view check = cause.check;
        for (bool first = true; !check.empty(); first = false) {
            const auto line = check.substr(0, check.find('\n'));
            check.remove_prefix(std::min(line.size() + 1, check.size()));
            if (first) {
                paragraph(out, fmt::format("{} {}", confirmed ? "fix:" : "look at:", line), width, 5);
            } else {
                out.line("       " + std::string(line));
            }
        }
    }
    if (!explained.ruled_out.empty()) {
        std::string names;
        for (const auto& rule : explained.ruled_out) names += (names.empty() ? "" : ", ") + rule;
        out.line("");
        paragraph(out, "ruled out by the tree: " + names, width, 0);
    }
    if (!explained.first.empty()) {
        out.line("");
        const auto first = explained.first.substr(0, explained.first.find('\n'));
        paragraph(out,
                  fmt::format("first: {}", explained.causes.front().standing == layout::Cause::Standing::confirmed
                                               ? fmt::format("mend {} ({})", explained.causes.front().rule,
                                                             place(explained.causes.front().where))
                                               : first),
                  width, 0, 7);
    }
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto text = read_text_file(options.log, 16 * small_file_limit);
    if (!text) return out.fail(text.error());
    const auto log = layout::read_boot_log(*text, shown_path(options.log));
    std::optional<layout::Report> report;
    if (!options.path.empty()) {
        const auto opened = open_project(program, options.path, options.board, options.boards);
        if (!opened) return out.fail(opened.error());
        layout::Inputs inputs;
        inputs.board = options.board;
        inputs.log = log;
        const auto everything = adapters::DiskFileTree::open("/");  // the sources that a build names
        if (everything) inputs.absolute = &*everything;
        report = layout::check(opened->project, inputs);
    }
    const auto explained = layout::explain(log, report ? &*report : nullptr);
    print(out, explained);
    nlohmann::json lines = nlohmann::json::array();
    for (const auto& line : explained.lines)
        lines.push_back({{"line", line.line}, {"text", line.text}, {"reading", line.reading}});
    for (const auto& cause : explained.causes)
        out.event("cause", {{"rule", cause.rule},
                            {"standing", word(cause.standing)},
                            {"why", cause.why},
                            {"check", cause.check},
                            {"lines", cause.lines},
                            {"where", {{"file", cause.where.file}, {"line", cause.where.line}}}});
    return out.result("done", {{"summary", explained.summary},
                               {"first", explained.first},
                               {"lines", std::move(lines)},
                               {"ruled_out", explained.ruled_out}});
}

}  // namespace

void add_layout_explain_log(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "explain-log", "say what a boot log means and what to look at first", bind,
                         run);
}

}  // namespace fota::cli
