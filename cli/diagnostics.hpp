// From an error to an exit code (DESIGN.md section 6) and to advice. The library states facts; the advice is here.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"

namespace fota::cli {

/// The process exit code for an error; never 0.
int exit_code(Errc code) noexcept;

/// What to do next, each with data or the next command to run. May be empty.
std::vector<std::string> hints(const Error& error);

}  // namespace fota::cli
