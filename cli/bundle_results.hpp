// Merging what a laptop did with a bundle into the inventory, once the laptop is back.
#pragma once

#include "cli/program.hpp"

namespace fota::cli {

void add_bundle_results(CLI::App& group, Program& program);

}  // namespace fota::cli
