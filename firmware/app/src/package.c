#include "package.h"

#include <errno.h>
#include <string.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>

#include "core/mcuboot.h"
#include "core/package.h"
#include "core/slot_writer.h"
#include "hash.h"
#include "slots.h"
#include "store.h"

LOG_MODULE_REGISTER(package, LOG_LEVEL_INF);

/* The LwM2M engine's thread writes, the system work queue prepares, SMP's thread asks at any time. */
static K_MUTEX_DEFINE(lock);
static struct fota_slot_writer writer;
static uint32_t saved_length;
static uint32_t start;

/* Between two blocks: the next sector's erase happens while the acknowledgement travels. */
static void prepare(struct k_work* work) {
    ARG_UNUSED(work);
    k_mutex_lock(&lock, K_FOREVER);
    if (writer.open) {
        (void)fota_slot_writer_prepare(&writer);
    }
    k_mutex_unlock(&lock);
}

static K_WORK_DEFINE(prepare_work, prepare);

static void save(const struct fota_package* package) {
    if (package->length == saved_length) {
        return;
    }
    if (store_save_package(package) != 0) {
        LOG_WRN("the resume record could not be stored; a reset now costs the whole download");
    }
    saved_length = package->length;
}

static void restore(void) {
    struct fota_package package = {0};

    (void)hash_package()->start(hash_package()->context);
    if (fota_package_decode(store_package(), &package) != FOTA_OK || package.length == 0u) {
        return;
    }
    saved_length = package.length;
    if (package.length > slots_image_limit() ||
        fota_package_restore(&package, slots_upload(), hash_package()) != FOTA_OK) {
        LOG_WRN("the secondary slot does not hold the package that was recorded");
        package_discard();
        return;
    }
    writer.programmed = package.length;
    writer.checksum = package.checksum;
    LOG_INF("%u bytes of a package are stored", package.length);
}

void package_restore(void) {
    k_mutex_lock(&lock, K_FOREVER);
    restore();
    k_mutex_unlock(&lock);
}

static int restore_whole(void) {
    const struct fota_flash* slot = slots_upload();
    struct fota_image_extent extent;
    uint8_t chunk[64];

    (void)hash_package()->start(hash_package()->context);
    if (fota_image_check(slot, slots_image_limit(), hash_check(), &extent) != FOTA_OK) {
        return -ENOENT;
    }
    for (uint32_t at = 0u; at < extent.end;) {
        const uint32_t left = extent.end - at;
        const uint32_t part = left < sizeof(chunk) ? left : sizeof(chunk);
        if (slot->read(slot->context, at, chunk, part) != 0 ||
            hash_package()->update(hash_package()->context, chunk, part) != 0) {
            return -EIO;
        }
        at += part;
    }
    writer.programmed = extent.end;
    return 0;
}

int package_restore_whole(void) {
    k_mutex_lock(&lock, K_FOREVER);
    const int rc = restore_whole();
    k_mutex_unlock(&lock);
    return rc;
}

int package_set_start(uint32_t offset) {
    if (offset != 0u && offset != package_stored()) {
        return -EINVAL;
    }
    start = offset;
    return 0;
}

uint32_t package_start(void) {
    return start;
}

static int begin(size_t total) {
    if (start != 0u && start != writer.programmed) {
        start = 0u;
        return -EFAULT;
    }
    if (total > slots_image_limit() - start) {
        return -ENOSPC;
    }
    if (start == 0u) {
        package_discard();
        if (slots_make_room() != 0) {
            return -EIO;
        }
    } else if (writer.open) {
        return fota_slot_writer_rewind(&writer) == FOTA_OK ? 0 : -EIO;
    }
    const enum fota_status status =
        fota_slot_writer_begin(&writer, slots_upload(), hash_package(), slots_image_limit(), start, writer.checksum);
    return status == FOTA_OK ? 0 : -EIO;
}

int package_begin(size_t total) {
    k_mutex_lock(&lock, K_FOREVER);
    const int rc = begin(total);
    k_mutex_unlock(&lock);
    return rc;
}

int package_write(const uint8_t* data, size_t size) {
    int rc = -EIO;

    k_mutex_lock(&lock, K_FOREVER);
    const enum fota_status status = fota_slot_writer_write(&writer, data, size);
    if (status == FOTA_OK) {
        const struct fota_package package = fota_package_of(&writer);
        save(&package);
        rc = 0;
    } else if (status == FOTA_ERR_RANGE) {
        rc = -ENOSPC;
    } else if (status == FOTA_ERR_STATE) {
        rc = -EFAULT;
    }
    k_mutex_unlock(&lock);
    if (rc == 0) {
        (void)k_work_submit(&prepare_work);
    }
    return rc;
}

static int finish(uint8_t image_hash[FOTA_DIGEST_SIZE]) {
    static const struct fota_package none = {0};
    struct fota_image_extent extent;
    const struct fota_flash* slot = slots_upload();

    start = 0u;
    if (fota_slot_writer_finish(&writer) != FOTA_OK) {
        return -EIO;
    }
    const enum fota_status status = fota_image_check(slot, package_stored(), hash_check(), &extent);
    if (status != FOTA_OK && status != FOTA_ERR_UNSUPPORTED) {
        LOG_ERR("the package is not a whole MCUboot image (%d)", status);
        return -EFAULT;
    }
    save(&none); /* whole now: nothing to resume */
    (void)memset(image_hash, 0, FOTA_DIGEST_SIZE);
    if (extent.hash_size >= FOTA_DIGEST_SIZE && extent.hash_offset != 0u &&
        slot->read(slot->context, extent.hash_offset, image_hash, FOTA_DIGEST_SIZE) != 0) {
        return -EIO;
    }
    return 0;
}

int package_finish(uint8_t image_hash[FOTA_DIGEST_SIZE]) {
    k_mutex_lock(&lock, K_FOREVER);
    const int rc = finish(image_hash);
    k_mutex_unlock(&lock);
    return rc;
}

void package_discard(void) {
    static const struct fota_package none = {0};

    k_mutex_lock(&lock, K_FOREVER);
    (void)memset(&writer, 0, sizeof(writer));
    (void)hash_package()->start(hash_package()->context);
    start = 0u;
    save(&none);
    k_mutex_unlock(&lock);
}

uint32_t package_stored(void) {
    return writer.programmed;
}

void package_digest(uint8_t out[FOTA_DIGEST_SIZE]) {
    uint32_t stored = 0;

    package_facts(out, &stored);
}

void package_facts(uint8_t digest[FOTA_DIGEST_SIZE], uint32_t* stored) {
    k_mutex_lock(&lock, K_FOREVER);
    (void)hash_package()->digest(hash_package()->context, digest);
    *stored = writer.programmed;
    k_mutex_unlock(&lock);
}
