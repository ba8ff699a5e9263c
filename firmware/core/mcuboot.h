/* MCUboot's image and trailer on flash: the header, the walk over the TLV areas, the trailer's fields and the decision
 * which swap comes next.
 *
 * Source: MCUboot boot/bootutil/include/bootutil/image.h, src/bootutil_priv.h (trailer), src/bootutil_public.c (flags,
 * swap type), src/tlv.c. Multi-byte fields are little endian. Images are not verified here beyond their hash:
 * signatures are the bootloader's business. */
#ifndef FOTA_CORE_MCUBOOT_H
#define FOTA_CORE_MCUBOOT_H

#include <stdbool.h>
#include <stdint.h>

#include "core/flash.h"
#include "core/slot_limit.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- image ---- */

#define FOTA_IMAGE_MAGIC 0x96f3b83du
#define FOTA_IMAGE_HEADER_SIZE 32u
#define FOTA_IMAGE_F_ENCRYPTED 0x0cu /* AES-128 or AES-256 */
#define FOTA_IMAGE_F_NON_BOOTABLE 0x10u

#define FOTA_TLV_SHA256 0x10u
#define FOTA_TLV_SHA384 0x11u
#define FOTA_TLV_SHA512 0x12u

struct fota_image_version {
    uint8_t major;
    uint8_t minor;
    uint16_t revision;
    uint32_t build;
};

struct fota_image_header {
    uint32_t load_address;
    uint16_t header_size;    /* bytes */
    uint16_t protected_size; /* bytes of the protected TLV area, its own header included; 0: none */
    uint32_t image_size;     /* bytes of the payload, without header and TLVs */
    uint32_t flags;
    struct fota_image_version version;
};

/* What the walk over an image found; offsets in bytes from the image's start. */
struct fota_image_extent {
    struct fota_image_header header;
    uint32_t hashed_size; /* header, payload and protected TLVs: what the image hash covers */
    uint32_t end;         /* end of the last TLV */
    uint32_t hash_offset; /* of the hash TLV's value; 0: there is none */
    uint16_t hash_type;   /* FOTA_TLV_SHA256, _SHA384 or _SHA512 */
    uint16_t hash_size;   /* bytes: 32, 48 or 64 */
};

/* FOTA_ERR_FORMAT: not MCUboot's magic, or a header size below 32. */
enum fota_status fota_image_parse_header(const uint8_t bytes[FOTA_IMAGE_HEADER_SIZE], struct fota_image_header* out);

/* Reads header and TLV areas at the start of `slot`; nothing may lie past `limit` (at most the slot's size).
 * FOTA_ERR_FORMAT: no image, or areas that cannot be walked; FOTA_ERR_RANGE: it reaches past `limit`. */
enum fota_status fota_image_walk(const struct fota_flash* slot, uint32_t limit, struct fota_image_extent* out);

/* Walks the image and compares its SHA-256 TLV with the hash of what the slot holds. FOTA_ERR_MISMATCH: other bytes;
 * FOTA_ERR_UNSUPPORTED: encrypted (the hash is that of the plain text), or hashed with SHA-384 or SHA-512;
 * FOTA_ERR_FORMAT: no hash at all, or as fota_image_walk. `out` may be null. */
enum fota_status fota_image_check(const struct fota_flash* slot, uint32_t limit, const struct fota_hash* hash,
                                  struct fota_image_extent* out);

/* Copies the image's hash TLV (of the running image: `slot` is the primary one) to `out` and its size, 32, 48 or 64, to
 * `size`. What a server compares with the image it sent; nothing is computed. Errors as fota_image_walk;
 * FOTA_ERR_FORMAT: no hash TLV. */
#define FOTA_IMAGE_HASH_MAX 64u
enum fota_status fota_image_read_hash(const struct fota_flash* slot, uint32_t limit, uint8_t out[FOTA_IMAGE_HASH_MAX],
                                      uint16_t* size);

/* ---- trailer ---- */

#define FOTA_TRAILER_MAGIC_SIZE 16u

/* The slot, the write block size and the mode decide where each field lies; max_sectors is
 * CONFIG_BOOT_MAX_IMG_SECTORS, or 1 for the trailer in a scratch area. */
struct fota_trailer {
    uint32_t slot_size;
    uint32_t write_size;
    uint32_t max_sectors;
    enum fota_boot_mode mode;
};

/* Offsets in bytes from the slot's start. The trailer must fit its slot: fota_trailer_fits. Magic, image_ok, copy_done
 * and swap info lie in the same place in all modes; what lies below differs. */
bool fota_trailer_fits(const struct fota_trailer* trailer);
uint32_t fota_trailer_magic_offset(const struct fota_trailer* trailer);
uint32_t fota_trailer_image_ok_offset(const struct fota_trailer* trailer);
uint32_t fota_trailer_copy_done_offset(const struct fota_trailer* trailer);
uint32_t fota_trailer_swap_info_offset(const struct fota_trailer* trailer);
uint32_t fota_trailer_swap_size_offset(const struct fota_trailer* trailer);
uint32_t fota_trailer_tlv_sizes_offset(const struct fota_trailer* trailer); /* FOTA_BOOT_OFFSET only */
uint32_t fota_trailer_status_offset(
    const struct fota_trailer* trailer); /* first swap status entry: the trailer's start */
uint32_t fota_trailer_status_entries(const struct fota_trailer* trailer); /* how many; one write block each */

/* Values as in bootutil_public.h, so that logs compare with a real bootloader's. */
enum fota_magic { FOTA_MAGIC_GOOD = 1, FOTA_MAGIC_BAD = 2, FOTA_MAGIC_UNSET = 3 };
enum fota_flag { FOTA_FLAG_SET = 1, FOTA_FLAG_BAD = 2, FOTA_FLAG_UNSET = 3 };
enum fota_swap_type { FOTA_SWAP_NONE = 1, FOTA_SWAP_TEST = 2, FOTA_SWAP_PERMANENT = 3, FOTA_SWAP_REVERT = 4 };

struct fota_swap_state {
    enum fota_magic magic;
    enum fota_flag image_ok;
    enum fota_flag copy_done;
    enum fota_swap_type swap_type; /* the trailer's swap info; FOTA_SWAP_NONE when unset */
};

enum fota_status fota_trailer_read(const struct fota_flash* slot, struct fota_swap_state* out);

/* What the bootloader will do at the next reset, by both slots' trailers. */
enum fota_swap_type fota_next_swap(enum fota_boot_mode mode, const struct fota_swap_state* primary,
                                   const struct fota_swap_state* secondary);

/* Field writers: each field must be erased. */
enum fota_status fota_trailer_write_magic(const struct fota_flash* slot);
enum fota_status fota_trailer_write_image_ok(const struct fota_flash* slot);
enum fota_status fota_trailer_write_copy_done(const struct fota_flash* slot);
enum fota_status fota_trailer_write_swap_info(const struct fota_flash* slot, enum fota_swap_type type);
enum fota_status fota_trailer_write_swap_size(const struct fota_flash* slot, enum fota_boot_mode mode, uint32_t size);
enum fota_status fota_trailer_write_tlv_sizes(const struct fota_flash* slot, uint16_t primary, uint16_t secondary);

/* Asks for the secondary slot's image at the next reset: once (then confirm or revert), or for good. Asking again
 * changes nothing. FOTA_ERR_STATE: the trailer holds something else and has to be erased first. */
enum fota_status fota_mark_pending(const struct fota_flash* secondary, bool permanent);

/* Keeps the running image of the primary slot. A slot without a magic was never swapped in and needs no mark.
 * FOTA_ERR_STATE: the trailer's magic is neither good nor unset. */
enum fota_status fota_mark_confirmed(const struct fota_flash* primary);

#ifdef __cplusplus
}
#endif

#endif
