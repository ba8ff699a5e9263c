// fotactl device: any object of one device.
#include "cli/device.hpp"

namespace fota::cli {

void add_device(CLI::App& root, Program& program) {
    auto* group = root.add_subcommand("device", "read, write, execute and observe any object of a device");
    group->require_subcommand(0, 1);
    add_device_discover(*group, program);
    add_device_read(*group, program);
    add_device_write(*group, program);
    add_device_execute(*group, program);
    add_device_observe(*group, program);
}

}  // namespace fota::cli
