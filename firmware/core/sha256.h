/* SHA-256 (FIPS 180-4) behind the core's hash pointers, for a device that has no other: TF-M's smallest profile offers
 * no hashes to the non-secure side. */
#ifndef FOTA_CORE_SHA256_H
#define FOTA_CORE_SHA256_H

#include <stddef.h>
#include <stdint.h>

#include "core/flash.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fota_sha256 {
    uint64_t total;    /* bytes since the start */
    uint32_t state[8]; /* the digest of the whole blocks */
    uint8_t block[64]; /* bytes short of a block: total % 64 of them */
};

/* The functions of a struct fota_hash whose context is a struct fota_sha256. They return 0. */
int fota_sha256_start(void* context);
int fota_sha256_update(void* context, const void* data, size_t size);
int fota_sha256_digest(void* context, uint8_t out[FOTA_DIGEST_SIZE]);

#ifdef __cplusplus
}
#endif

#endif
