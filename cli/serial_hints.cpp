#include "cli/serial_hints.hpp"

namespace fota::cli {

std::vector<std::string> serial_hints(const Error& error) {
    if (error.code() == Errc::device_absent && !error.detail("device").empty())
        return {
            "see what answers where: fotactl serial ports",
            "the application needs SMP on this port (CONFIG_MCUMGR_TRANSPORT_UART=y) at this speed (--baud); or hold "
            "the board in MCUboot's serial recovery"};
    if (error.code() != Errc::device_refused || error.detail("rc").empty()) return {};
    if (error.detail("group").empty() && error.detail("rc") == "8")
        return {
            "build the application with image management (CONFIG_MCUMGR_GRP_IMG=y), or hold the board in MCUboot's "
            "serial recovery"};
    return {"what the device has, and in which state: fotactl serial info, fotactl serial list"};
}

}  // namespace fota::cli
