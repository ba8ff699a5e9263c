// The subcommands of fotactl key, one file each.
#pragma once

#include "cli/program.hpp"

namespace fota::cli {

void add_key_new(CLI::App& group, Program& program);
void add_key_public(CLI::App& group, Program& program);
void add_key_show(CLI::App& group, Program& program);

}  // namespace fota::cli
