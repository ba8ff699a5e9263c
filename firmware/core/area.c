#include "core/area.h"

#include "core/mcuboot.h"

static const struct fota_area* area_of(const void* context) {
    return (const struct fota_area*)context;
}

static int area_read(void* context, uint32_t offset, void* data, size_t size) {
    const struct fota_area* area = area_of(context);
    return area->whole->read(area->whole->context, area->offset + offset, data, size);
}

static int area_write(void* context, uint32_t offset, const void* data, size_t size) {
    const struct fota_area* area = area_of(context);
    return area->whole->write(area->whole->context, area->offset + offset, data, size);
}

static int area_erase(void* context, uint32_t offset, size_t size) {
    const struct fota_area* area = area_of(context);
    return area->whole->erase(area->whole->context, area->offset + offset, size);
}

enum fota_status fota_area_from(struct fota_area* area, const struct fota_flash* whole, uint32_t offset) {
    if ((whole->erase_size == 0u) || ((offset % whole->erase_size) != 0u)) {
        return FOTA_ERR_ARGUMENT;
    }
    if (offset >= whole->size) {
        return FOTA_ERR_RANGE;
    }
    area->whole = whole;
    area->offset = offset;
    area->flash.context = area;
    area->flash.read = area_read;
    area->flash.write = area_write;
    area->flash.erase = area_erase;
    area->flash.size = whole->size - offset;
    area->flash.erase_size = whole->erase_size;
    area->flash.write_size = whole->write_size;
    return FOTA_OK;
}

enum fota_status fota_area_for_upload(struct fota_area* area, const struct fota_flash* secondary,
                                      enum fota_boot_mode mode) {
    return fota_area_from(area, secondary, fota_upload_offset(mode, secondary->erase_size));
}

enum fota_status fota_area_clear_header(const struct fota_flash* secondary, enum fota_boot_mode mode) {
    uint8_t header[FOTA_IMAGE_HEADER_SIZE];
    struct fota_image_header parsed;

    if (fota_upload_offset(mode, secondary->erase_size) == 0u) {
        return FOTA_OK;
    }
    if (secondary->read(secondary->context, 0u, header, sizeof(header)) != 0) {
        return FOTA_ERR_IO;
    }
    if (fota_image_parse_header(header, &parsed) != FOTA_OK) {
        return FOTA_OK;
    }
    return (secondary->erase(secondary->context, 0u, secondary->erase_size) == 0) ? FOTA_OK : FOTA_ERR_IO;
}
