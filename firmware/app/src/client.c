#include "client.h"

#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/lwm2m.h>

#include "link.h"

LOG_MODULE_REGISTER(client, LOG_LEVEL_INF);

#define RETRY_DELAY K_SECONDS(CONFIG_APP_RETRY_SECONDS)

static struct lwm2m_ctx* context;
static void (*on_reached)(void);

static void event(struct lwm2m_ctx* client, enum lwm2m_rd_client_event what);

static void start(struct k_work* work) {
    ARG_UNUSED(work);
    (void)lwm2m_rd_client_start(context, link_endpoint(), 0, event, NULL);
}

static K_WORK_DELAYABLE_DEFINE(start_work, start);

/* The engine gives up for long after some failures; a device with an update to prove keeps asking. */
static void retry(void) {
    (void)lwm2m_rd_client_stop(context, NULL, false);
    (void)k_work_schedule(&start_work, RETRY_DELAY);
}

static void event(struct lwm2m_ctx* client, enum lwm2m_rd_client_event what) {
    ARG_UNUSED(client);
    switch (what) {
        case LWM2M_RD_CLIENT_EVENT_REGISTRATION_COMPLETE:
            LOG_INF("registered");
            on_reached();
            break;
        case LWM2M_RD_CLIENT_EVENT_REGISTRATION_FAILURE:
        case LWM2M_RD_CLIENT_EVENT_REG_TIMEOUT:
            LOG_WRN("the server did not accept the registration");
            retry();
            break;
        case LWM2M_RD_CLIENT_EVENT_NETWORK_ERROR:
        case LWM2M_RD_CLIENT_EVENT_SERVER_DISABLED:
            LOG_WRN("the server cannot be reached");
            retry();
            break;
        default:
            break;
    }
}

int client_start(struct lwm2m_ctx* client, void (*reached)(void)) {
    context = client;
    on_reached = reached;
    return lwm2m_rd_client_start(client, link_endpoint(), 0, event, NULL);
}
