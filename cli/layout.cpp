// fotactl layout: partitions and configuration of a project or a build.
#include "cli/layout.hpp"

namespace fota::cli {

void add_layout(CLI::App& root, Program& program) {
    auto* group = root.add_subcommand("layout", "check, draw and compare flash layouts, and explain boot logs");
    group->require_subcommand(0, 1);
    add_layout_check(*group, program);
    add_layout_show(*group, program);
    add_layout_baseline(*group, program);
    add_layout_diff(*group, program);
    add_layout_probe(*group, program);
    add_layout_explain_log(*group, program);
    add_layout_boards(*group, program);
}

}  // namespace fota::cli
