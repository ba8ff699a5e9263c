/* A part of a flash area as a flash area of its own: how the update in swap-using-offset's secondary slot, which begins
 * one sector into it, is written, walked and checked like any other. It ends where the whole ends, so the trailer's
 * fields are where they were. */
#ifndef FOTA_CORE_AREA_H
#define FOTA_CORE_AREA_H

#include <stdint.h>

#include "core/flash.h"
#include "core/slot_limit.h"

#ifdef __cplusplus
extern "C" {
#endif

struct fota_area {
    struct fota_flash flash; /* the part; valid as long as the fota_area, which must not move */
    const struct fota_flash* whole;
    uint32_t offset; /* bytes from the whole's start */
};

/* FOTA_ERR_ARGUMENT: `offset` is not on a sector; FOTA_ERR_RANGE: nothing is left behind it. `whole` must outlive it.
 */
enum fota_status fota_area_from(struct fota_area* area, const struct fota_flash* whole, uint32_t offset);

/* Where in the secondary slot an update goes: everything from fota_upload_offset on. */
enum fota_status fota_area_for_upload(struct fota_area* area, const struct fota_flash* secondary,
                                      enum fota_boot_mode mode);

/* Swap-using-offset refuses an update while the sector before it still holds an image's header: the previous image,
 * after a confirmed update. Erases that sector if it holds one (at most one erase); in other modes there is none.
 * For an idle moment between the confirmation and the next package's first block: there is no way back after it. */
enum fota_status fota_area_clear_header(const struct fota_flash* secondary, enum fota_boot_mode mode);

#ifdef __cplusplus
}
#endif

#endif
