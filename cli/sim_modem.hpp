// The AT side of a virtual nRF9160 on a pseudo-terminal, to try provisioning against: `sim --modem LINK`.
#pragma once

#include <string>
#include <vector>

#include "cli/program.hpp"
#include "virtdev/modem.hpp"

namespace fota::cli {

/// `quirks` are names of virtdev::ModemQuirks, or "list". Serves until SIGINT or SIGTERM.
int run_sim_modem(Program& program, const std::string& link, const std::string& imei,
                  const std::vector<std::string>& quirks);

}  // namespace fota::cli
