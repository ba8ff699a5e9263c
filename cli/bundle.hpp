// Files for a laptop without a network.
#pragma once

#include "cli/program.hpp"

namespace fota::cli {

void add_bundle(CLI::App& root, Program& program);

}  // namespace fota::cli
