/* SHA-256, the core's own: TF-M's minimal profile has no hashes, and what an SDK offers beside it changes with its
 * releases (nrfxlib_crypto carries no nrf_oberon in a build with TF-M). */
#ifndef APP_HASH_H
#define APP_HASH_H

#include "core/flash.h"

/* Two independent instances: the package's running hash lives for the whole transfer. */
const struct fota_hash* hash_package(void);
const struct fota_hash* hash_check(void);

#endif
