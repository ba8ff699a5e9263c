#include "trial.h"

#include <stdbool.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>

#include "firmware_object.h"
#include "restart.h"
#include "running.h"

LOG_MODULE_REGISTER(trial, LOG_LEVEL_INF);

static atomic_t on_trial;

static void roll_back(struct k_work* work) {
    ARG_UNUSED(work);
    if (!running_on_trial()) {
        return; /* kept meanwhile, by SMP's image group */
    }
    LOG_ERR("the new image was not proven in time: back to the old one");
    restart_device();
}

static K_WORK_DELAYABLE_DEFINE(deadline, roll_back);

/* Writing flash and settings is nothing for the engine's thread. */
static void confirm(struct k_work* work) {
    ARG_UNUSED(work);
    if (!atomic_cas(&on_trial, 1, 0)) {
        return;
    }
    (void)k_work_cancel_delayable(&deadline);
    if (running_confirm() != 0) {
        LOG_ERR("the image could not be confirmed");
        restart_device();
        return;
    }
    LOG_INF("image %s confirmed", running_version());
    firmware_object_installed();
}

static K_WORK_DEFINE(confirm_work, confirm);

void trial_start(int self_test) {
    if (!running_on_trial()) {
        return;
    }
    if (self_test != 0) {
        LOG_ERR("the self-test failed (%d)", self_test);
        (void)k_work_schedule(&deadline, K_NO_WAIT);
        return;
    }
    atomic_set(&on_trial, 1);
    LOG_INF("image %s is on trial for %d s", running_version(), CONFIG_APP_TRIAL_SECONDS);
    (void)k_work_schedule(&deadline, K_SECONDS(CONFIG_APP_TRIAL_SECONDS));
}

void trial_server_reached(void) {
    (void)k_work_submit(&confirm_work);
}
