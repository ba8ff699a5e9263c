/* A reset of the whole device: the bootloader runs next. On native_sim the process ends with RESTART_EXIT_CODE and its
 * launcher runs the bootloader. */
#ifndef APP_RESTART_H
#define APP_RESTART_H

#define RESTART_EXIT_CODE 75

void restart_device(void);

#endif
