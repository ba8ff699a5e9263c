/* What has to survive a reset, in a few bytes of Zephyr's settings: how much of a package is stored, and how the last
 * update ended. */
#ifndef APP_STORE_H
#define APP_STORE_H

#include <stdint.h>

#include "core/flash.h"
#include "core/package.h"

struct update_record {
    uint8_t state;                        /* of object 5 */
    uint8_t result;                       /* of object 5 */
    uint8_t image_hash[FOTA_DIGEST_SIZE]; /* of the image downloaded or being installed: its hash TLV's first bytes */
};

/* Loads both; records that were never written read as zero. */
int store_load(void);

const uint8_t* store_package(void); /* FOTA_PACKAGE_RECORD_SIZE bytes */
int store_save_package(const struct fota_package* package);

const struct update_record* store_update(void);
int store_save_update(const struct update_record* record);

#endif
