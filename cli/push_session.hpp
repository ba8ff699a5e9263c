// The network half of `fotactl push`: listens, lets each device's update run, shows what happens, and ends with the
// results.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/listen_options.hpp"
#include "update/types.hpp"

namespace fota::cli {

struct PushJob : ListenJob {
    std::vector<std::string> endpoints;  ///< at least one
    update::Target target;
    update::Policy policy;  ///< `wait` absent: each device's own lifetime, or for ever on a terminal
};

/// Takes the state directory's lock, binds, and runs until every device has its result or a signal ends it. Returns the
/// exit code; the result was written.
int run_push(Output& out, const PushJob& job);

}  // namespace fota::cli
