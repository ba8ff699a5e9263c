#include "hash.h"

#include <stdint.h>

#if defined(CONFIG_NRF_OBERON)
#include <ocrypto_sha256.h>
typedef ocrypto_sha256_ctx Sha256;
#else
#include <mbedtls/sha256.h>
typedef mbedtls_sha256_context Sha256;
#endif

static int start(void* context) {
#if defined(CONFIG_NRF_OBERON)
    ocrypto_sha256_init(context);
    return 0;
#else
    mbedtls_sha256_init(context);
    return mbedtls_sha256_starts(context, 0);
#endif
}

static int update(void* context, const void* data, size_t size) {
#if defined(CONFIG_NRF_OBERON)
    ocrypto_sha256_update(context, data, size);
    return 0;
#else
    return mbedtls_sha256_update(context, data, size);
#endif
}

/* The digest so far: finished on a copy. */
static int digest(void* context, uint8_t out[FOTA_DIGEST_SIZE]) {
    Sha256 copy;
#if defined(CONFIG_NRF_OBERON)
    copy = *(Sha256*)context;
    ocrypto_sha256_final(&copy, out);
    return 0;
#else
    mbedtls_sha256_init(&copy);
    mbedtls_sha256_clone(&copy, context);
    const int rc = mbedtls_sha256_finish(&copy, out);
    mbedtls_sha256_free(&copy);
    return rc;
#endif
}

static Sha256 package_state;
static Sha256 check_state;
static const struct fota_hash package = {.context = &package_state, .start = start, .update = update, .digest = digest};
static const struct fota_hash check = {.context = &check_state, .start = start, .update = update, .digest = digest};

const struct fota_hash* hash_package(void) {
    return &package;
}

const struct fota_hash* hash_check(void) {
    return &check;
}
