#include "device_object.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/lwm2m.h>
#include <zephyr/sys/util.h>

#include "link.h"
#include "restart.h"
#include "running.h"

LOG_MODULE_REGISTER(device_object, LOG_LEVEL_INF);

#define MODE_PSK 0
#define MODE_NONE 3
#define SHORT_SERVER_ID 1
#define REBOOT_DELAY K_SECONDS(2)

static void reboot(struct k_work* work) {
    ARG_UNUSED(work);
    restart_device();
}

static K_WORK_DELAYABLE_DEFINE(reboot_work, reboot);

static int execute_reboot(uint16_t obj, uint8_t* args, uint16_t length) {
    ARG_UNUSED(obj);
    ARG_UNUSED(args);
    ARG_UNUSED(length);
    (void)k_work_schedule(&reboot_work, REBOOT_DELAY);
    return 0;
}

static int text(uint16_t resource, const char* value) {
    const uint16_t size = (uint16_t)(strlen(value) + 1u);

    return lwm2m_set_res_buf(&LWM2M_OBJ(3, 0, resource), (void*)value, size, size, LWM2M_RES_DATA_FLAG_RO);
}

static int account(struct lwm2m_ctx* client) {
    const bool secured = strncmp(link_server(), "coaps:", 6) == 0;
    int rc = lwm2m_set_string(&LWM2M_OBJ(0, 0, 0), link_server());

    rc = rc != 0 ? rc : lwm2m_set_u8(&LWM2M_OBJ(0, 0, 2), secured ? MODE_PSK : MODE_NONE);
    rc = rc != 0 ? rc : lwm2m_set_u16(&LWM2M_OBJ(0, 0, 10), SHORT_SERVER_ID);
    rc = rc != 0 ? rc : lwm2m_set_u16(&LWM2M_OBJ(1, 0, 0), SHORT_SERVER_ID);
    return rc == 0 && secured ? link_credentials(client) : rc;
}

int device_object_start(struct lwm2m_ctx* client) {
    int rc = account(client);

    rc = rc != 0 ? rc : text(0, CONFIG_APP_MANUFACTURER);
    rc = rc != 0 ? rc : text(1, CONFIG_BOARD);
    rc = rc != 0 ? rc : text(2, link_serial_number());
    rc = rc != 0 ? rc : text(3, running_version());
    return rc != 0 ? rc : lwm2m_register_exec_callback(&LWM2M_OBJ(3, 0, 4), execute_reboot);
}
