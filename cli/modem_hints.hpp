// What to do about a modem's refusal.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"

namespace fota::cli {

/// Empty when the error is not about a modem's answer (details "cme" and "modem").
std::vector<std::string> modem_hints(const Error& error);

}  // namespace fota::cli
