#include "firmware_object.h"

#include <errno.h>
#include <string.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/lwm2m.h>
#include <zephyr/sys/byteorder.h>
#include <zephyr/sys/util.h>

#include "core/mcuboot.h"
#include "package.h"
#include "restart.h"
#include "running.h"
#include "slots.h"
#include "store.h"

LOG_MODULE_REGISTER(firmware_object, LOG_LEVEL_INF);

#define REBOOT_DELAY K_SECONDS(2) /* lets the answer to Execute leave */

static uint8_t buffer[CONFIG_LWM2M_COAP_BLOCK_SIZE];
static uint8_t protocol_coap; /* 5/0/8: 0 */

static void remember(uint8_t state, uint8_t result, const uint8_t* image_hash) {
    struct update_record record = *store_update();

    record.state = state;
    record.result = result;
    if (image_hash != NULL) {
        (void)memcpy(record.image_hash, image_hash, sizeof(record.image_hash));
    }
    if (store_save_update(&record) != 0) {
        LOG_WRN("state %u of the update could not be stored", state);
    }
}

static bool is_image(const uint8_t* data, size_t size) {
    return size >= 4u && sys_get_le32(data) == FOTA_IMAGE_MAGIC;
}

static void* package_buffer(uint16_t obj, uint16_t res, uint16_t res_inst, size_t* length) {
    ARG_UNUSED(obj);
    ARG_UNUSED(res);
    ARG_UNUSED(res_inst);
    *length = sizeof(buffer);
    return buffer;
}

static int begin(const uint8_t* data, size_t size, size_t total) {
    if (package_start() == 0u && !is_image(data, size)) {
        LOG_ERR("the package does not begin with MCUboot's magic");
        return -ENOMSG;
    }
    if (store_update()->state != STATE_IDLE) {
        remember(STATE_IDLE, RESULT_DEFAULT, NULL); /* a half-stored package is no state worth keeping */
    }
    LOG_INF("a package of %zu bytes begins at %u", total, package_start());
    return package_begin(total);
}

/* A block of the package; `offset` counts from the start of this transfer, `total` is 0 where nothing was announced. */
static int package_block(uint16_t obj, uint16_t res, uint16_t res_inst, uint8_t* data, uint16_t length, bool last_block,
                         size_t total, size_t offset) {
    ARG_UNUSED(obj);
    ARG_UNUSED(res);
    ARG_UNUSED(res_inst);
    uint8_t image_hash[FOTA_DIGEST_SIZE];

    int rc = offset == 0u ? begin(data, length, total) : 0;
    rc = rc != 0 ? rc : package_write(data, length);
    if (rc == 0 && last_block) {
        rc = package_finish(image_hash);
        if (rc == 0) {
            remember(STATE_DOWNLOADED, RESULT_DEFAULT, image_hash);
            LOG_INF("downloaded: %u bytes", package_stored());
        }
    }
    /* What is on flash stays on offer for a resume, unless it was proven useless. */
    if (rc == -EFAULT || rc == -ENOMSG || rc == -ENOSPC) {
        package_discard();
    }
    return rc;
}

static int cancelled(uint16_t obj) {
    ARG_UNUSED(obj);
    package_discard();
    remember(STATE_IDLE, RESULT_DEFAULT, NULL);
    return 0;
}

static void reboot(struct k_work* work) {
    ARG_UNUSED(work);
    restart_device();
}

static K_WORK_DELAYABLE_DEFINE(reboot_work, reboot);

static int execute(uint16_t obj, uint8_t* args, uint16_t args_length) {
    ARG_UNUSED(obj);
    ARG_UNUSED(args);
    ARG_UNUSED(args_length);
    if (fota_mark_pending(slots_secondary(), false) != FOTA_OK) {
        LOG_ERR("the secondary slot's trailer could not be written");
        return -EIO;
    }
    remember(STATE_UPDATING, RESULT_DEFAULT, NULL);
    LOG_INF("restarting into the bootloader");
    (void)k_work_schedule(&reboot_work, REBOOT_DELAY);
    return 0;
}

/* Without a readable header only the trailer is left to tell: what was swapped in for a test is the update. Overwriting
 * leaves no trailer and nothing on trial: a good update cannot be told there from one that MCUboot refused, and is not
 * to be reported as failed. */
static bool is_running(const uint8_t image_hash[FOTA_DIGEST_SIZE]) {
    uint16_t size = 0;
    const uint8_t* hash = running_hash(&size);

    if (size == 0u) {
        return IS_ENABLED(CONFIG_APP_BOOT_MODE_OVERWRITE) || running_on_trial();
    }
    return size >= FOTA_DIGEST_SIZE && memcmp(hash, image_hash, FOTA_DIGEST_SIZE) == 0;
}

static void take_up(uint8_t state, uint8_t result) {
    (void)lwm2m_set_u8(&LWM2M_OBJ(5, 0, 3), state);
    (void)lwm2m_set_u8(&LWM2M_OBJ(5, 0, 5), result);
}

/* A whole package that the server resets (5/0/1 written empty) is forgotten here too. */
static int state_changed(uint16_t obj, uint16_t res, uint16_t res_inst, uint8_t* data, uint16_t length, bool last_block,
                         size_t total, size_t offset) {
    ARG_UNUSED(obj);
    ARG_UNUSED(res);
    ARG_UNUSED(res_inst);
    ARG_UNUSED(last_block);
    ARG_UNUSED(total);
    ARG_UNUSED(offset);
    if (length == 1u && data[0] == STATE_IDLE && store_update()->state == STATE_DOWNLOADED) {
        package_discard();
        remember(STATE_IDLE, RESULT_DEFAULT, NULL);
    }
    return 0;
}

/* After an Execute the running image tells how it ended. */
static void judge_boot(void) {
    const struct update_record record = *store_update();

    if (record.state == STATE_DOWNLOADED && package_restore_whole() == 0) {
        take_up(STATE_DOWNLOADED, RESULT_DEFAULT);
    } else if (record.state != STATE_UPDATING) {
        package_restore();
        take_up(STATE_IDLE, record.result);
    } else if (!is_running(record.image_hash)) {
        LOG_ERR("the update was not installed, or it was taken back");
        package_discard();
        remember(STATE_IDLE, RESULT_UPDATE_FAILED, NULL);
        take_up(STATE_IDLE, RESULT_UPDATE_FAILED);
    } else if (running_on_trial()) {
        take_up(STATE_UPDATING, RESULT_DEFAULT); /* until the server was reached again */
    } else {
        firmware_object_installed();
    }
}

void firmware_object_installed(void) {
    if (store_update()->state != STATE_UPDATING) {
        return;
    }
    package_discard(); /* the slot holds the previous image now */
    remember(STATE_IDLE, RESULT_SUCCESS, NULL);
    take_up(STATE_IDLE, RESULT_SUCCESS);
}

int firmware_object_start(void) {
    int rc = lwm2m_register_pre_write_callback(&LWM2M_OBJ(5, 0, 0), package_buffer);

    lwm2m_firmware_set_write_cb(package_block);
    lwm2m_firmware_set_update_cb(execute);
    lwm2m_firmware_set_cancel_cb(cancelled);
    rc = rc != 0 ? rc : lwm2m_create_res_inst(&LWM2M_OBJ(5, 0, 8, 0));
    rc = rc != 0 ? rc
                 : lwm2m_set_res_buf(&LWM2M_OBJ(5, 0, 8, 0), &protocol_coap, sizeof(protocol_coap),
                                     sizeof(protocol_coap), LWM2M_RES_DATA_FLAG_RO);
    if (rc == 0) {
        judge_boot();
        rc = lwm2m_register_post_write_callback(&LWM2M_OBJ(5, 0, 3), state_changed);
    }
    return rc;
}
