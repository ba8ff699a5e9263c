/* A new image is on trial until it has proven itself: the self-test passed and the server was reached again. Otherwise
 * the device restarts and the bootloader takes the old image back. */
#ifndef APP_TRIAL_H
#define APP_TRIAL_H

/* Starts the clock when the running image is on trial. `self_test` is 0 when all that an update needs works. */
void trial_start(int self_test);

/* The server accepted a registration. */
void trial_server_reached(void);

#endif
