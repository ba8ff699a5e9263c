// fotactl device: the devices that are known, and any object of one of them.
#include "cli/device.hpp"

namespace fota::cli {

void add_device(CLI::App& root, Program& program) {
    auto* group = root.add_subcommand("device", "list devices; read, write, execute and observe any object of one");
    group->require_subcommand(0, 1);
    add_device_list(*group, program);
    add_device_discover(*group, program);
    add_device_read(*group, program);
    add_device_write(*group, program);
    add_device_execute(*group, program);
    add_device_observe(*group, program);
}

}  // namespace fota::cli
