// The subcommands of fotactl layout, one file each.
#pragma once

#include "cli/program.hpp"

namespace fota::cli {

void add_layout_check(CLI::App& group, Program& program);
void add_layout_show(CLI::App& group, Program& program);
void add_layout_baseline(CLI::App& group, Program& program);
void add_layout_diff(CLI::App& group, Program& program);
void add_layout_probe(CLI::App& group, Program& program);
void add_layout_boards(CLI::App& group, Program& program);
void add_layout_explain_log(CLI::App& group, Program& program);

}  // namespace fota::cli
