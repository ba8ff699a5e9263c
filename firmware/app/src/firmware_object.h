/* LwM2M object 5: push (Block1 to 5/0/0) and pull (5/0/1) end in the same package receiver; State and Result survive
 * the reset that Execute causes. */
#ifndef APP_FIRMWARE_OBJECT_H
#define APP_FIRMWARE_OBJECT_H

#include <stdbool.h>

/* After store_load and running_read: takes up State, Result and the stored package where the last boot left them. */
int firmware_object_start(void);

/* The image on trial was kept: Result 1. */
void firmware_object_installed(void);

#endif
