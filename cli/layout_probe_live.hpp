// A flash that is asked while it works: over SMP on a cable, over LwM2M, or by what a board prints when it starts.
#pragma once

#include <string>

#include "cli/device_session.hpp"
#include "cli/serial.hpp"
#include "layout/probe.hpp"

namespace fota::cli {

/// Asks the application's SMP server (group 26245). Where no SMP server answers on a serial line, or it lacks the
/// group, what the board prints is read for `text_wait`: the table that Zephyr's jesd216 sample prints, or the id in
/// spi_nor's complaint. Zephyr's flash shell has no command for either. Errors: port_unavailable; device_absent when
/// neither came; device_refused; message_malformed.
Result<layout::Probe> probe_port(Output& out, const SerialOptions& options, Milliseconds text_wait);

/// Reads resources 0 and 3 of object 26245. Errors: those of run_on_device().
Result<layout::Probe> probe_endpoint(Program& program, const DeviceOptions& options);

}  // namespace fota::cli
