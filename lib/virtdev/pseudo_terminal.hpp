// A pseudo-terminal under a name of the user's choice: what a virtual device has instead of a UART.
#pragma once

#include <string>

#include "base/result.hpp"

namespace fota::virtdev {

struct PseudoTerminal {
    int master;          ///< the device's end, owned by the caller; close-on-exec
    std::string device;  ///< "/dev/pts/7", raw: no echo, no line editing
};

/// Makes `link` a symbolic link to the terminal; an old link gives way. Errors: port_unavailable when no terminal is to
/// be had, file_unwritable (detail "file") when something else stands at `link`. Nobody holds the user's end open,
/// since a port that somebody has is a busy one: reading ends with EIO until a program opens it.
Result<PseudoTerminal> open_pseudo_terminal(const std::string& link);

}  // namespace fota::virtdev
