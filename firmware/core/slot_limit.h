/* The largest image each of MCUboot's swap modes can take: one truth for the device, `layout` and the device model.
 *
 * Source: MCUboot boot/bootutil/src/swap_move.c, swap_offset.c, swap_scratch.c (app_max_size) and bootutil_misc.c. */
#ifndef FOTA_CORE_SLOT_LIMIT_H
#define FOTA_CORE_SLOT_LIMIT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum fota_boot_mode {
    FOTA_BOOT_MOVE,      /* swap-using-move: needs one spare sector in the primary slot */
    FOTA_BOOT_OFFSET,    /* swap-using-offset: needs one spare sector in the secondary slot */
    FOTA_BOOT_SCRATCH,   /* swap-using-scratch */
    FOTA_BOOT_OVERWRITE, /* overwrite-only */
};

struct fota_slot_geometry {
    uint32_t primary_size;   /* bytes */
    uint32_t secondary_size; /* bytes */
    uint32_t sector_size;    /* bytes; the erase sector of the primary slot, 4096 on nRF91 */
    uint32_t max_sectors;    /* CONFIG_BOOT_MAX_IMG_SECTORS */
    uint32_t write_size;     /* bytes; the larger of both slots' write blocks, 4 on nRF91 */
};

/* Bytes of a slot's trailer: swap status, fields and magic. Move and scratch keep three status entries for each of
 * `max_sectors` sectors, offset two (and one field more), overwrite none. UINT32_MAX when it does not fit 32 bits. */
uint32_t fota_trailer_size(enum fota_boot_mode mode, const struct fota_slot_geometry* geometry);

/* Where in the secondary slot an update begins: its first sector stays free for swap-using-offset, which moves the
 * update down by one sector while it swaps. Bytes. */
uint32_t fota_upload_offset(enum fota_boot_mode mode, uint32_t sector_size);

/* Largest offset at which the image's last TLV may end, in bytes. 0 when the slots cannot hold any image in this mode,
 * or a field of `geometry` is 0. */
uint32_t fota_image_limit(enum fota_boot_mode mode, const struct fota_slot_geometry* geometry);

/* The same for a bootloader that decrypts: in the swap modes its trailer also keeps a key of `key_bytes` (16 or 32, or
 * with MCUBOOT_SWAP_SAVE_ENCTLV the length of its TLV) for each of the two images. 0: as fota_image_limit(). */
uint32_t fota_encrypted_image_limit(enum fota_boot_mode mode, const struct fota_slot_geometry* geometry,
                                    uint32_t key_bytes);

#ifdef __cplusplus
}
#endif

#endif
