/* The link over the nRF91's modem. Credentials never pass through the application: the modem keeps them under
 * CONFIG_APP_SEC_TAG, where provisioning wrote them, and runs DTLS itself. */
#include <errno.h>
#include <modem/lte_lc.h>
#include <modem/nrf_modem_lib.h>
#include <nrf_modem_at.h>
#include <stdio.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/lwm2m.h>

#include "link.h"

LOG_MODULE_REGISTER(link, LOG_LEVEL_INF);

#define IMEI_DIGITS 15

static char imei[IMEI_DIGITS + 1];
static char endpoint[sizeof("urn:imei:") + IMEI_DIGITS];

int link_start(void) {
    int rc = nrf_modem_lib_init();

    if (rc != 0) {
        LOG_ERR("the modem library did not start (%d)", rc);
        return rc < 0 ? rc : -EIO;
    }
    if (nrf_modem_at_scanf("AT+CGSN", "%15[0-9]", imei) != 1) {
        return -EIO;
    }
    (void)snprintf(endpoint, sizeof(endpoint), "urn:imei:%s", imei);
    return 0;
}

/* One attempt ends after CONFIG_LTE_NETWORK_TIMEOUT. A kit that starts without coverage is not a kit without a server.
 */
int link_connect(void) {
    int rc = lte_lc_connect();

    while (rc == -ETIMEDOUT) {
        LOG_WRN("no network yet");
        rc = lte_lc_connect();
    }
    return rc;
}

const char* link_endpoint(void) {
    return endpoint;
}

const char* link_serial_number(void) {
    return imei;
}

const char* link_server(void) {
    return CONFIG_APP_SERVER;
}

/* They are in the modem already. */
static int nothing_to_load(struct lwm2m_ctx* client) {
    ARG_UNUSED(client);
    return 0;
}

int link_credentials(struct lwm2m_ctx* client) {
    client->tls_tag = CONFIG_APP_SEC_TAG;
    client->load_credentials = nothing_to_load;
    return 0;
}
