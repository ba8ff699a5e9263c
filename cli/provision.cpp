// fotactl provision: identities and keys, into the credentials file, into modems, and over the air.
#include "cli/provision.hpp"

namespace fota::cli {

void add_provision(CLI::App& root, Program& program) {
    auto* group = root.add_subcommand("provision", "give devices their identities and keys");
    group->require_subcommand(0, 1);
    add_provision_modem(*group, program);
    add_provision_device(*group, program);
    add_provision_bootstrap(*group, program);
    add_provision_report(*group, program);
}

}  // namespace fota::cli
