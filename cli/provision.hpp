// What the provisioning commands share.
#pragma once

#include "cli/program.hpp"

namespace fota::cli {

void add_provision(CLI::App& root, Program& program);

void add_provision_modem(CLI::App& group, Program& program);
void add_provision_device(CLI::App& group, Program& program);
void add_provision_bootstrap(CLI::App& group, Program& program);
void add_provision_report(CLI::App& group, Program& program);

}  // namespace fota::cli
