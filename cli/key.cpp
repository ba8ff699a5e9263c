// fotactl key: signing keys and their public halves.
#include "cli/key.hpp"

namespace fota::cli {

void add_key(CLI::App& root, Program& program) {
    auto* group = root.add_subcommand("key", "make signing keys, write and show their public halves");
    group->require_subcommand(0, 1);
    add_key_new(*group, program);
    add_key_public(*group, program);
    add_key_show(*group, program);
}

}  // namespace fota::cli
