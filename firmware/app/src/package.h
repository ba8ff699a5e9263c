/* Receives a package into the secondary slot through the core's slot writer, and knows after a reset how much of it is
 * there. */
#ifndef APP_PACKAGE_H
#define APP_PACKAGE_H

#include <stddef.h>
#include <stdint.h>

#include "core/flash.h"

/* After a reset: reads the stored prefix back. */
void package_restore(void);

/* After a reset in State 2: the slot holds a whole image. -ENOENT: it does not. */
int package_restore_whole(void);

/* The offset in the package at which the next transfer begins: 0, or package_stored(). -EINVAL: neither. */
int package_set_start(uint32_t offset);
uint32_t package_start(void);

/* Begins a transfer at package_start(). `total` is what the server announced for this transfer, 0 if it did not.
 * -ENOSPC: larger than the slots can swap; -EIO: the flash failed. */
int package_begin(size_t total);

/* -ENOSPC, -EIO, or -EFAULT before package_begin. */
int package_write(const uint8_t* data, size_t size);

/* Programs the rest and checks the image: -EFAULT when its hash is not that of the bytes. `image_hash` gets the first
 * 32 bytes of the hash TLV. */
int package_finish(uint8_t image_hash[FOTA_DIGEST_SIZE]);

/* Forgets the package. */
void package_discard(void);

/* Bytes on flash, and the SHA-256 of exactly those. */
uint32_t package_stored(void);
void package_digest(uint8_t out[FOTA_DIGEST_SIZE]);

/* Both of the same moment, for a thread that is not the one that writes. */
void package_facts(uint8_t digest[FOTA_DIGEST_SIZE], uint32_t* stored);

#endif
