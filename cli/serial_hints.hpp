// What to do when an SMP server on a cable refuses, or does not answer.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"

namespace fota::cli {

/// Empty when the error is not about an SMP server (details "device" with device_absent, and "rc").
std::vector<std::string> serial_hints(const Error& error);

}  // namespace fota::cli
