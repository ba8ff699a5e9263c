#include "slots.h"

#include <errno.h>
#include <stddef.h>
#include <zephyr/device.h>
#include <zephyr/storage/flash_map.h>
#include <zephyr/sys/util.h>

#include "core/area.h"
#include "core/slot_limit.h"
#include "partitions.h"

#define SECTOR_SIZE 4096u
#define WRITE_SIZE 4u /* the nRF91's own flash; the SPI NOR part takes single bytes */

static int area_read(void* context, uint32_t offset, void* data, size_t size) {
    return flash_area_read(context, (off_t)offset, data, size);
}

static int area_write(void* context, uint32_t offset, const void* data, size_t size) {
    return flash_area_write(context, (off_t)offset, data, size);
}

static int area_erase(void* context, uint32_t offset, size_t size) {
    return flash_area_erase(context, (off_t)offset, size);
}

static struct fota_flash primary = {
    .read = area_read, .write = area_write, .erase = area_erase, .erase_size = SECTOR_SIZE, .write_size = WRITE_SIZE};
static struct fota_flash secondary = {
    .read = area_read, .write = area_write, .erase = area_erase, .erase_size = SECTOR_SIZE, .write_size = WRITE_SIZE};

static int open_area(uint8_t id, struct fota_flash* out) {
    const struct flash_area* area = NULL;
    const int rc = flash_area_open(id, &area);

    if (rc != 0) {
        return rc;
    }
    if (!flash_area_device_is_ready(area)) {
        return -ENODEV;
    }
    out->context = (void*)area;
    out->size = (uint32_t)area->fa_size;
    return 0;
}

/* The part of the secondary slot in which an update goes. */
static struct fota_area upload;

static enum fota_boot_mode boot_mode(void) {
    if (IS_ENABLED(CONFIG_APP_BOOT_MODE_OFFSET)) {
        return FOTA_BOOT_OFFSET;
    }
    if (IS_ENABLED(CONFIG_APP_BOOT_MODE_OVERWRITE)) {
        return FOTA_BOOT_OVERWRITE;
    }
    return FOTA_BOOT_MOVE;
}

int slots_open(void) {
    int rc = open_area(PRIMARY_SLOT_ID, &primary);

    if (rc == 0) {
        rc = open_area(SECONDARY_SLOT_ID, &secondary);
    }
    if (rc == 0 && fota_area_for_upload(&upload, &secondary, boot_mode()) != FOTA_OK) {
        rc = -EINVAL;
    }
    return rc;
}

const struct fota_flash* slots_primary(void) {
    return &primary;
}

const struct fota_flash* slots_secondary(void) {
    return &secondary;
}

const struct fota_flash* slots_upload(void) {
    return &upload.flash;
}

int slots_make_room(void) {
    return fota_area_clear_header(&secondary, boot_mode()) == FOTA_OK ? 0 : -EIO;
}

uint32_t slots_image_limit(void) {
    const struct fota_slot_geometry geometry = {
        .primary_size = primary.size,
        .secondary_size = secondary.size,
        .sector_size = SECTOR_SIZE,
        .max_sectors = CONFIG_APP_BOOT_MAX_IMG_SECTORS,
        .write_size = WRITE_SIZE,
    };
    return fota_image_limit(boot_mode(), &geometry);
}

const char* slots_boot_mode(void) {
    switch (boot_mode()) {
        case FOTA_BOOT_OFFSET:
            return "offset";
        case FOTA_BOOT_OVERWRITE:
            return "overwrite";
        default:
            return "move";
    }
}

const struct device* slots_external_device(void) {
    const struct flash_area* area = secondary.context;

    return area->fa_dev;
}
