#include <zephyr/logging/log_ctrl.h>

#include "posix_board_if.h"
#include "restart.h"

void restart_device(void) {
    LOG_PANIC();
    posix_exit(RESTART_EXIT_CODE);
}
