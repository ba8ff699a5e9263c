#include "hash.h"

#include "core/sha256.h"

static struct fota_sha256 package_state;
static struct fota_sha256 check_state;
static const struct fota_hash package = {&package_state, fota_sha256_start, fota_sha256_update, fota_sha256_digest};
static const struct fota_hash check = {&check_state, fota_sha256_start, fota_sha256_update, fota_sha256_digest};

const struct fota_hash* hash_package(void) {
    return &package;
}

const struct fota_hash* hash_check(void) {
    return &check;
}
