#include "core/slot_limit.h"

#include <stdbool.h>

/* BOOT_MAX_ALIGN for write sizes up to 8, and the magic's 16 bytes. */
#define MIN_ALIGN 8u
#define MAGIC_SIZE 16u

static uint64_t align_up(uint64_t value, uint64_t step) {
    return (value + step - 1u) / step * step;
}

static uint64_t max_align(const struct fota_slot_geometry* g) {
    return g->write_size > MIN_ALIGN ? g->write_size : MIN_ALIGN;
}

/* boot_trailer_info_sz(): the keys of both images, each on its own write blocks. */
static uint64_t keys_size(const struct fota_slot_geometry* g, uint32_t key_bytes) {
    return 2u * align_up(key_bytes, max_align(g));
}

/* In 64 bits: status entries times any 32-bit sector count must not wrap. */
static uint64_t trailer_size(enum fota_boot_mode mode, const struct fota_slot_geometry* g, uint32_t key_bytes) {
    const uint64_t sectors = g->max_sectors;
    const uint64_t align = max_align(g);
    uint64_t entries = 3u * sectors;
    uint64_t fields = 4u; /* swap size, swap info, copy_done, image_ok */

    if (mode == FOTA_BOOT_OFFSET) {
        entries = 2u * sectors;
        fields = 5u; /* and the TLV sizes of both images */
    } else if (mode == FOTA_BOOT_OVERWRITE) {
        entries = 0u;
        fields = 3u; /* no swap size */
    }
    /* Overwriting starts afresh after a reset: no key has to be kept for it. */
    const uint64_t keys = (mode == FOTA_BOOT_OVERWRITE) ? 0u : keys_size(g, key_bytes);
    return (entries * g->write_size) + keys + (fields * align) + align_up(MAGIC_SIZE, align);
}

static bool usable(const struct fota_slot_geometry* g) {
    return g->primary_size != 0u && g->secondary_size != 0u && g->sector_size != 0u && g->max_sectors != 0u &&
           g->write_size != 0u;
}

uint32_t fota_trailer_size(enum fota_boot_mode mode, const struct fota_slot_geometry* geometry) {
    const uint64_t size = trailer_size(mode, geometry, 0u);
    return size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
}

uint32_t fota_upload_offset(enum fota_boot_mode mode, uint32_t sector_size) {
    return (mode == FOTA_BOOT_OFFSET) ? sector_size : 0u;
}

static uint64_t minus(uint64_t from, uint64_t what) {
    return what < from ? from - what : 0u;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* While the sector with the trailer's begin is in the scratch area, a trailer of one sector's entries stands there: the
 * image must leave it room where the slot's trailer itself takes less of that sector. */
static uint64_t scratch_padding(const struct fota_slot_geometry* g, uint32_t key_bytes) {
    const uint64_t in_scratch = (3u * (uint64_t)g->write_size) + keys_size(g, key_bytes) + (4u * max_align(g)) +
                                align_up(MAGIC_SIZE, max_align(g));
    const uint64_t in_sector = ((trailer_size(FOTA_BOOT_SCRATCH, g, key_bytes) - 1u) % g->sector_size) + 1u;
    return minus(in_scratch, in_sector);
}

uint32_t fota_image_limit(enum fota_boot_mode mode, const struct fota_slot_geometry* geometry) {
    return fota_encrypted_image_limit(mode, geometry, 0u);
}

uint32_t fota_encrypted_image_limit(enum fota_boot_mode mode, const struct fota_slot_geometry* geometry,
                                    uint32_t key_bytes) {
    if (!usable(geometry)) {
        return 0u;
    }
    const uint64_t primary = geometry->primary_size;
    const uint64_t secondary = geometry->secondary_size;
    const uint64_t sector = geometry->sector_size;
    const uint64_t trailer = align_up(trailer_size(mode, geometry, key_bytes), sector);
    uint64_t limit = 0u;

    switch (mode) {
        case FOTA_BOOT_MOVE:
            /* Every sector moves up by one in the primary slot before it is swapped. */
            limit = smaller(minus(primary, trailer + sector), minus(secondary, trailer));
            break;
        case FOTA_BOOT_OFFSET:
            /* The update lies one sector into the secondary slot. */
            limit = smaller(minus(primary, trailer), minus(secondary, trailer + sector));
            break;
        case FOTA_BOOT_SCRATCH:
            limit = minus(smaller(primary, secondary),
                          trailer_size(mode, geometry, key_bytes) + scratch_padding(geometry, key_bytes));
            break;
        case FOTA_BOOT_OVERWRITE:
            limit = minus(smaller(primary, secondary), trailer_size(mode, geometry, key_bytes));
            break;
    }
    return (uint32_t)limit;
}
