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

/* In 64 bits: three status entries a sector times any 32-bit sector count must not wrap. */
static uint64_t trailer_size(const struct fota_slot_geometry* g) {
    const uint64_t status = 3u * (uint64_t)g->max_sectors * g->write_size;
    return status + 4u * max_align(g) + align_up(MAGIC_SIZE, max_align(g));
}

static bool usable(const struct fota_slot_geometry* g) {
    return g->primary_size != 0u && g->secondary_size != 0u && g->sector_size != 0u && g->max_sectors != 0u &&
           g->write_size != 0u;
}

uint32_t fota_trailer_size(const struct fota_slot_geometry* geometry) {
    const uint64_t size = trailer_size(geometry);
    return size > UINT32_MAX ? UINT32_MAX : (uint32_t)size;
}

static uint64_t minus(uint64_t from, uint64_t what) {
    return what < from ? from - what : 0u;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint32_t fota_image_limit(enum fota_boot_mode mode, const struct fota_slot_geometry* geometry) {
    if (!usable(geometry)) {
        return 0u;
    }
    const uint64_t primary = geometry->primary_size;
    const uint64_t secondary = geometry->secondary_size;
    const uint64_t sector = geometry->sector_size;
    const uint64_t trailer = align_up(trailer_size(geometry), sector);
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
            limit = minus(smaller(primary, secondary), trailer_size(geometry));
            break;
        case FOTA_BOOT_OVERWRITE:
            /* No swap status: magic, image_ok, copy_done and swap info only. */
            limit = minus(smaller(primary, secondary),
                          3u * max_align(geometry) + align_up(MAGIC_SIZE, max_align(geometry)));
            break;
    }
    return (uint32_t)limit;
}
