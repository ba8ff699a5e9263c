/* A small image for the nRF9160 that is built from the core and checks itself: its own MCUboot header in the primary
 * slot, the flash table of the board's MX25R6435F, and the self-test region. A debugger reads the outcome in `report`.
 */
#include <stdbool.h>
#include <stdint.h>

#include "core/mcuboot.h"
#include "core/package.h"
#include "core/sfdp.h"
#include "core/slot_limit.h"

#define PRIMARY_ADDRESS 0x00010000u
#define PRIMARY_SIZE 0x000e8000u
#define SECTOR_SIZE 4096u
#define MAX_SECTORS 256u

extern const uint32_t self_test_region[];
extern const uint32_t self_test_region_end[];

struct report {
    uint32_t marker; /* "DONE" once all fields are valid */
    struct fota_image_version version;
    uint32_t image_end;   /* bytes, header and TLVs included; 0: no MCUboot header (started without a bootloader) */
    uint32_t image_limit; /* bytes */
    uint32_t external_size;
    uint32_t external_erase_size;
    uint32_t region_checksum;
    bool region_intact;
    bool revert_pending; /* the next reset brings the old image back unless this one is confirmed */
};

volatile struct report report;

/* The basic flash parameter table of the MX25R6435F, as its SFDP space holds it. */
static const uint8_t mx25r_bfp[64] = {0xe5, 0x20, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x03, 0x44, 0xeb, 0x08, 0x6b, 0x08,
                                      0x3b, 0x04, 0xbb, 0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0xff, 0xff, 0xff,
                                      0x00, 0xff, 0x0c, 0x20, 0x0f, 0x52, 0x10, 0xd8, 0x00, 0xff, 0x23, 0x72, 0xf5,
                                      0x00, 0x82, 0xed, 0x04, 0xcc, 0x44, 0x83, 0x68, 0x44, 0x30, 0xb0, 0x30, 0xb0,
                                      0xf7, 0xc4, 0xd5, 0x5c, 0x00, 0xbe, 0x29, 0xff, 0xf0, 0xd0, 0xff, 0xff};

/* Internal flash is memory mapped; this image only reads it. */
static int read_primary(void* context, uint32_t offset, void* data, size_t size) {
    const volatile uint8_t* from = (const volatile uint8_t*)(PRIMARY_ADDRESS + offset);
    uint8_t* to = data;
    (void)context;
    for (size_t i = 0u; i < size; i++) {
        to[i] = from[i];
    }
    return 0;
}

static bool region_intact(void) {
    uint32_t word = 1u;
    for (const uint32_t* at = self_test_region; at < self_test_region_end; at++) {
        word = (word * 1664525u) + 1013904223u;
        if (*at != word) {
            return false;
        }
    }
    return true;
}

int main(void) {
    static const struct fota_slot_geometry geometry = {PRIMARY_SIZE, PRIMARY_SIZE, SECTOR_SIZE, MAX_SECTORS, 4u};
    static const struct fota_flash primary = {NULL, read_primary, NULL, NULL, PRIMARY_SIZE, SECTOR_SIZE, 4u};
    const size_t region_size = (size_t)((const uint8_t*)self_test_region_end - (const uint8_t*)self_test_region);
    struct fota_image_extent image;
    struct fota_swap_state trailer;
    struct fota_sfdp part;

    report.image_limit = fota_image_limit(FOTA_BOOT_MOVE, &geometry);
    if (fota_image_walk(&primary, report.image_limit, &image) == FOTA_OK) {
        report.version.major = image.header.version.major;
        report.version.minor = image.header.version.minor;
        report.version.revision = image.header.version.revision;
        report.version.build = image.header.version.build;
        report.image_end = image.end;
    }
    if (fota_trailer_read(&primary, &trailer) == FOTA_OK) {
        report.revert_pending = (trailer.magic == FOTA_MAGIC_GOOD) && (trailer.image_ok != FOTA_FLAG_SET);
    }
    if (fota_bfp_decode(mx25r_bfp, sizeof(mx25r_bfp), &part) == FOTA_OK) {
        report.external_size = (uint32_t)part.size;
        report.external_erase_size = part.erase[0].size;
    }
    report.region_checksum = fota_crc32(0u, self_test_region, region_size);
    report.region_intact = region_intact();
    report.marker = 0x454e4f44u;
    for (;;) {
        __asm__ volatile("wfi");
    }
}
