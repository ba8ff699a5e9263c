/* The order of the start: flash, what runs, what is stored, then the server. Nothing here decides; each step is its
 * module's. */
#include <errno.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/lwm2m.h>

#include "client.h"
#include "device_object.h"
#include "firmware_object.h"
#include "flash_facts.h"
#include "flash_object.h"
#include "link.h"
#include "running.h"
#include "self_test.h"
#include "slots.h"
#include "store.h"
#include "trial.h"

LOG_MODULE_REGISTER(app, LOG_LEVEL_INF);

static struct lwm2m_ctx client;

static int start_flash(void) {
    int rc = slots_open();

    rc = rc != 0 ? rc : flash_facts_read();
    if (rc != 0) {
        LOG_ERR("the slots cannot be opened (%d)", rc);
    }
    return rc;
}

static void report_running(int rc) {
    if (rc == -ENOEXEC) {
        LOG_WRN("the primary slot holds no image: it runs without its bootloader");
    } else if (rc != 0) {
        LOG_WRN("the running image's header cannot be read (%d): a server sees no hash, and the version of VERSION",
                rc);
    }
}

static int start_objects(void) {
    int rc = device_object_start(&client);

    rc = rc != 0 ? rc : firmware_object_start();
    return rc != 0 ? rc : flash_object_start();
}

int main(void) {
    int rc = start_flash();

    if (rc == 0) {
        report_running(running_read());
    }
    trial_start(rc != 0 ? rc : self_test());
    if (rc != 0) {
        return 0;
    }
    if (store_load() != 0) {
        LOG_WRN("the settings cannot be read: no download survives a reset");
    }
    rc = link_start();
    rc = rc != 0 ? rc : start_objects();
    rc = rc != 0 ? rc : link_connect();
    rc = rc != 0 ? rc : client_start(&client, trial_server_reached);
    if (rc != 0) {
        LOG_ERR("the LwM2M client did not start (%d)", rc);
    } else {
        LOG_INF("%s runs %s", link_endpoint(), running_version());
    }
    return 0;
}
