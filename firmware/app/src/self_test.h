/* What the next update will need, tried before this image may stay. */
#ifndef APP_SELF_TEST_H
#define APP_SELF_TEST_H

/* 0; -ENODEV: no SPI NOR part answers; -EIO: its slot cannot be read; -ENOSPC: the slots do not fit each other. */
int self_test(void);

#endif
