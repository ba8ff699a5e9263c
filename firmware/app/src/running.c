#include "running.h"

#include <app_version.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <zephyr/sys/util.h>

#include "core/mcuboot.h"
#include "partitions.h"
#include "slots.h"

#if defined(CONFIG_TRUSTED_EXECUTION_NONSECURE)
#include <tfm_ioctl_api.h>
#if defined(USE_PARTITION_MANAGER) && USE_PARTITION_MANAGER
#define PAD_SIZE PM_MCUBOOT_PAD_SIZE
#else
#define PAD_SIZE 0x200
#endif
#endif

static char version[sizeof("255.255.65535+4294967295")] = APP_VERSION_TWEAK_STRING;
static uint8_t hash[RUNNING_HASH_MAX];
static uint16_t hash_size;

#if defined(CONFIG_TRUSTED_EXECUTION_NONSECURE)
/* The service refuses a read that leaves the pad, and the core's walk reads the header first. */
static int read_running(void* context, uint32_t offset, void* data, size_t size) {
    if (offset < PAD_SIZE) {
        uint32_t refused = 0;
        if (size > PAD_SIZE - offset) {
            return -ERANGE;
        }
        const enum tfm_platform_err_t rc = tfm_platform_mem_read(data, PRIMARY_SLOT_ADDRESS + offset, size, &refused);
        return rc == TFM_PLATFORM_ERR_SUCCESS && refused == 0 ? 0 : -EACCES;
    }
    return slots_primary()->read(context, offset, data, size);
}
#endif

static struct fota_flash running_slot(void) {
    struct fota_flash slot = *slots_primary();
#if defined(CONFIG_TRUSTED_EXECUTION_NONSECURE)
    slot.read = read_running;
#endif
    return slot;
}

int running_read(void) {
    const struct fota_flash slot = running_slot();
    struct fota_image_extent extent;
    const enum fota_status status = fota_image_walk(&slot, slot.size, &extent);

    if (status != FOTA_OK) {
        return status == FOTA_ERR_IO ? -EIO : -ENOEXEC;
    }
    const struct fota_image_version* v = &extent.header.version;
    (void)snprintf(version, sizeof(version), "%u.%u.%u+%u", v->major, v->minor, v->revision, (unsigned)v->build);
    if (extent.hash_offset != 0u && extent.hash_size <= sizeof(hash)) {
        if (slot.read(slot.context, extent.hash_offset, hash, extent.hash_size) != 0) {
            return -EIO;
        }
        hash_size = extent.hash_size;
    }
    return 0;
}

const char* running_version(void) {
    return version;
}

const uint8_t* running_hash(uint16_t* size) {
    *size = hash_size;
    return hash;
}

bool running_on_trial(void) {
    struct fota_swap_state state;

    return fota_trailer_read(slots_primary(), &state) == FOTA_OK && state.magic == FOTA_MAGIC_GOOD &&
           state.copy_done == FOTA_FLAG_SET && state.image_ok == FOTA_FLAG_UNSET;
}

int running_confirm(void) {
    return fota_mark_confirmed(slots_primary()) == FOTA_OK ? 0 : -EIO;
}
