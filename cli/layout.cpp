// fotactl layout: partitions and configuration of a project or a build.
#include "cli/layout.hpp"

namespace fota::cli {

void add_layout(CLI::App& root, Program& program) {
    auto* group = root.add_subcommand("layout", "check a project's or a build's flash layout");
    group->require_subcommand(0, 1);
    add_layout_check(*group, program);
}

}  // namespace fota::cli
