// What to press or to run next when a port, or an SMP server on a cable, is not as expected.
#pragma once

#include <string>
#include <vector>

#include "base/error.hpp"

namespace fota::cli {

/// Empty when the error is about neither: details "reason" with port_unavailable, "device" with device_absent, "smp"
/// (what the device was when an update ended), "rc".
std::vector<std::string> serial_hints(const Error& error);

/// What this machine knows of the port an update ended on: who else has it open ("holder"), and whether its USB device
/// is still there ("usb").
Error with_port_facts(Error error, const std::string& port);

}  // namespace fota::cli
