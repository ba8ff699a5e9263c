/* SHA-256 for the core: nrf_oberon on nRF Connect SDK (a non-secure build with TF-M's minimal profile has no other),
 * Mbed TLS elsewhere. */
#ifndef APP_HASH_H
#define APP_HASH_H

#include "core/flash.h"

/* Two independent instances: the package's running hash lives for the whole transfer. */
const struct fota_hash* hash_package(void);
const struct fota_hash* hash_check(void);

#endif
