// The boards that the commands of `layout` know: those built in, and the user's own files.
#pragma once

#include "cli/program.hpp"
#include "layout/board.hpp"

namespace fota::cli {

/// Adds --boards to a command.
void bind_boards(CLI::App& app, std::string& directory);

/// The built-in boards and those of the folder: the flag's, else the setting `boards`, else
/// $XDG_CONFIG_HOME/fotactl/boards when it is there. A file of a known name takes that board's place. config_invalid
/// with file and line when a file is no board; file_unreadable when a folder that was named cannot be read.
Result<layout::Boards> known_boards(const Program& program, const std::string& flag = {});

}  // namespace fota::cli
