// The subcommands of fotactl layout, one file each.
#pragma once

#include "cli/program.hpp"

namespace fota::cli {

void add_layout_check(CLI::App& group, Program& program);

}  // namespace fota::cli
