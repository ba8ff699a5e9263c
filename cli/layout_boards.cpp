// fotactl layout boards: which boards are known, and the file of one to copy from.
#include "cli/layout_boards.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "adapters/disk_file_tree.hpp"
#include "base/text.hpp"
#include "cli/layout.hpp"
#include "layout/text.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string name;
    std::string boards;
};

std::string user_folder() {
    const char* config = std::getenv("XDG_CONFIG_HOME");
    if (config != nullptr && *config != '\0') return std::string(config) + "/fotactl/boards";
    const char* home = std::getenv("HOME");
    return home != nullptr && *home != '\0' ? std::string(home) + "/.config/fotactl/boards" : std::string();
}

void bind(CLI::App& app, Options& options) {
    app.add_option("NAME", options.name, "print this board's file, to copy and change");
    bind_boards(app, options.boards);
}

int run(Program& program, const Options& options) {
    auto& out = program.out;
    const auto boards = known_boards(program, options.boards);
    if (!boards) return out.fail(boards.error());
    if (!options.name.empty()) {
        const auto* board = boards->find(options.name);
        if (board == nullptr) {
            std::vector<std::string> names;
            for (const auto& each : boards->all()) names.push_back(each->name);
            const auto near = nearest(options.name, names);
            return out.fail(
                Error(Errc::usage, fmt::format("expected a board that is known, found {}", printable(options.name, 80)))
                    .with("hint",
                          near.empty() ? "fotactl layout boards lists them" : fmt::format("did you mean {}?", near)));
        }
        std::string_view text = board->source;
        if (text.ends_with('\n')) text.remove_suffix(1);
        out.line(std::string(text));
        return out.result("done", {{"name", board->name}, {"file", board->origin}, {"text", board->source}});
    }
    for (const auto& board : boards->all()) {
        const bool built_in = board->origin.find('/') == std::string::npos;
        out.line(fmt::format("{:<22} {:<30} {:<10} {}", board->name, board->title, board->soc,
                             built_in ? std::string("built in") : printable(board->origin)));
        out.event("board", {{"name", board->name},
                            {"title", board->title},
                            {"soc", board->soc},
                            {"revisions", board->revisions},
                            {"flash", board->flash_name},
                            {"file", built_in ? "" : board->origin}});
    }
    return out.result("done", {{"boards", boards->all().size()}});
}

}  // namespace

void bind_boards(CLI::App& app, std::string& directory) {
    app.add_option("--boards", directory,
                   "folder of more board files (*.yaml); default $XDG_CONFIG_HOME/fotactl/boards, see layout boards")
        ->type_name("DIR");
}

Result<layout::Boards> known_boards(const Program& program, const std::string& flag) {
    auto boards = layout::Boards::built_in();
    auto folder = program.config.value_or(flag, "boards");
    if (folder.empty()) {
        folder = user_folder();
        std::error_code ignored;
        if (folder.empty() || !std::filesystem::is_directory(folder, ignored)) return boards;
    }
    TRY(const auto tree, adapters::DiskFileTree::open(folder));
    for (const auto& entry : tree.list("")) {
        if (entry.is_directory || !(entry.name.ends_with(".yaml") || entry.name.ends_with(".yml"))) continue;
        TRY(const auto text, layout::read_text(tree, entry.name));
        TRY_VOID(boards.add(text, tree.display_name(entry.name)));
    }
    return boards;
}

void add_layout_boards(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "boards", "list the boards that are known, or print one to copy from", bind,
                         run);
}

}  // namespace fota::cli
