/* One flash area (a slot) and one hash, as the core sees them: function pointers with a context.
 *
 * Offsets are in bytes from the start of the area. All functions return 0 on success and any other value on failure;
 * the core assumes nothing about the bytes of a failed write or erase. The memory is NOR: erased bytes read 0xff, a
 * write needs erased bytes. */
#ifndef FOTA_CORE_FLASH_H
#define FOTA_CORE_FLASH_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FOTA_ERASED 0xffu
#define FOTA_DIGEST_SIZE 32u
/* The largest write block the core can serve; MCUboot's own limit as well. */
#define FOTA_MAX_WRITE_SIZE 32u

enum fota_status {
    FOTA_OK = 0,
    FOTA_ERR_IO,       /* a read, write, erase or hash function failed, or the flash does not hold what was written */
    FOTA_ERR_RANGE,    /* outside the area, or larger than allowed */
    FOTA_ERR_ARGUMENT, /* a geometry or argument the core cannot serve */
    FOTA_ERR_FORMAT,   /* the bytes are not what they should be: magic, lengths, types */
    FOTA_ERR_STATE,    /* not now: the writer has failed or finished, the trailer forbids it */
    FOTA_ERR_MISMATCH, /* a hash or checksum is that of other bytes */
    FOTA_ERR_UNSUPPORTED, /* well-formed, but of a kind this code cannot judge */
};

struct fota_flash {
    void* context; /* handed to each function; owned by the caller */
    int (*read)(void* context, uint32_t offset, void* data, size_t size);
    int (*write)(void* context, uint32_t offset, const void* data, size_t size); /* both aligned to write_size */
    int (*erase)(void* context, uint32_t offset, size_t size);                   /* both aligned to erase_size */
    uint32_t size;                                                               /* bytes, a multiple of erase_size */
    uint32_t erase_size;                                                         /* bytes; a multiple of write_size */
    uint32_t write_size;                                                         /* bytes: 1, 2, 4, 8, 16 or 32 */
};

/* SHA-256, one running instance. */
struct fota_hash {
    void* context;
    int (*start)(void* context);
    int (*update)(void* context, const void* data, size_t size);
    /* The digest of everything since `start`; more updates may follow. */
    int (*digest)(void* context, uint8_t out[FOTA_DIGEST_SIZE]);
};

#ifdef __cplusplus
}
#endif

#endif
