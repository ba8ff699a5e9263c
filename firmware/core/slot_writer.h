/* Writes a package into a slot as it arrives: chunks of any size, each byte programmed once, each sector erased just
 * before its first byte.
 *
 * A chunk of at most one sector waits for at most one sector's erase; calling fota_slot_writer_prepare after a chunk
 * was acknowledged moves that erase into the time until the next one. What was programmed is read back. A failed erase
 * is repeated once; so is a failed write whose bytes are still erased. After any other failure the writer refuses
 * everything until it is begun again at a resume point.
 *
 * A new package needs the slot's last sector erased too, for the request that follows it. Where that sector still holds
 * one, beginning at 0 erases it at once: a slot with half a package is never pending. Otherwise it waits for
 * fota_slot_writer_prepare or the end, so that the first block, too, waits for one erase only. */
#ifndef FOTA_CORE_SLOT_WRITER_H
#define FOTA_CORE_SLOT_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/flash.h"
#include "core/mcuboot.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fota_slot_writer {
    const struct fota_flash* flash;    /* must outlive the writer */
    const struct fota_hash* hash;      /* may be null; otherwise as `flash` */
    uint32_t limit;                    /* bytes; nothing is written at or past it */
    uint32_t programmed;               /* bytes from the slot's start that are on flash */
    uint32_t erased_to;                /* [programmed, erased_to) is erased */
    uint32_t checksum;                 /* CRC-32 of the programmed bytes: see core/package.h */
    uint32_t sectors_end;              /* bytes: end of the last sector that was filled */
    uint32_t sectors_checksum;         /* CRC-32 of the bytes before sectors_end */
    uint8_t tail[FOTA_MAX_WRITE_SIZE]; /* bytes short of a write block */
    uint8_t tail_size;
    bool trailer_stale; /* the last sector is still to be erased */
    bool open;
};

/* Begins, or goes on after a reset. `resume_at` is 0 or a value of fota_slot_writer_resume_point: the start of a
 * sector. `checksum` and `hash` must then stand at the prefix already stored (fota_package_restore does both); for 0
 * the hash is started here and `checksum` is ignored. FOTA_ERR_ARGUMENT: geometry or `limit` that cannot be served;
 * FOTA_ERR_RANGE: `resume_at` past the limit or not on a sector. */
enum fota_status fota_slot_writer_begin(struct fota_slot_writer* writer, const struct fota_flash* flash,
                                        const struct fota_hash* hash, uint32_t limit, uint32_t resume_at,
                                        uint32_t checksum);

/* FOTA_ERR_RANGE: the chunk reaches past the limit; nothing of it was taken. */
enum fota_status fota_slot_writer_write(struct fota_slot_writer* writer, const void* data, size_t size);

/* Erases the next sector if it is not erased yet, else the trailer's if that is due: at most one erase. */
enum fota_status fota_slot_writer_prepare(struct fota_slot_writer* writer);

/* Forgets the bytes short of a write block: the next chunk starts at `programmed`, for a server that sends the rest
 * anew. */
enum fota_status fota_slot_writer_rewind(struct fota_slot_writer* writer);

/* Programs the rest, filled up to a write block with 0xff, and closes the writer. The trailer's sector is erased
 * then, if it was still due. What the package is, fota_image_check says. */
enum fota_status fota_slot_writer_finish(struct fota_slot_writer* writer);

/* Bytes taken so far, the unprogrammed tail included. */
uint32_t fota_slot_writer_received(const struct fota_slot_writer* writer);

/* Where a writer can begin again after a reset: the start of the sector that is being filled. */
uint32_t fota_slot_writer_resume_point(const struct fota_slot_writer* writer);

#ifdef __cplusplus
}
#endif

#endif
