#include "restart.h"

#include <zephyr/logging/log_ctrl.h>
#include <zephyr/sys/reboot.h>

void restart_device(void) {
    LOG_PANIC(); /* what is logged so far must be seen */
    sys_reboot(SYS_REBOOT_COLD);
}
