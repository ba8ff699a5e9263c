// The device commands, one file each.
#pragma once

#include "cli/program.hpp"

namespace fota::cli {

void add_device_list(CLI::App& group, Program& program);
void add_device_discover(CLI::App& group, Program& program);
void add_device_read(CLI::App& group, Program& program);
void add_device_write(CLI::App& group, Program& program);
void add_device_execute(CLI::App& group, Program& program);
void add_device_observe(CLI::App& group, Program& program);

}  // namespace fota::cli
