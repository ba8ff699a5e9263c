/* The link on native_sim: the host's sockets, names and keys from the command line. */
#include <cmdline.h>
#include <errno.h>
#include <posix_native_task.h>
#include <stdlib.h>
#include <string.h>
#include <zephyr/kernel.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/lwm2m.h>
#include <zephyr/sys/util.h>

#include "host_file.h"
#include "link.h"

LOG_MODULE_REGISTER(link, LOG_LEVEL_INF);

#define KEY_BYTES 32
#define TLS_TAG 1

static char* endpoint = "native-sim";
static char* server = CONFIG_APP_SERVER;
static char* identity;
static char* key_file;

static void options(void) {
    static struct args_struct_t table[] = {
        {.option = "endpoint", .name = "name", .type = 's', .dest = &endpoint, .descript = "LwM2M endpoint name"},
        {.option = "server", .name = "uri", .type = 's', .dest = &server, .descript = "coap[s]://HOST:PORT"},
        {.option = "identity", .name = "text", .type = 's', .dest = &identity, .descript = "DTLS PSK identity"},
        {.option = "psk-file", .name = "file", .type = 's', .dest = &key_file, .descript = "the key, as hex text"},
        ARG_TABLE_ENDMARKER,
    };
    native_add_command_line_opts(table);
}

NATIVE_TASK(options, PRE_BOOT_1, 10);

int link_start(void) {
    return 0;
}

int link_connect(void) {
    return 0;
}

const char* link_endpoint(void) {
    return endpoint;
}

const char* link_serial_number(void) {
    return "native_sim";
}

const char* link_server(void) {
    return server;
}

int link_credentials(struct lwm2m_ctx* client) {
    char text[2 * KEY_BYTES + 2] = {0};
    uint8_t key[KEY_BYTES];

    if (identity == NULL || key_file == NULL) {
        LOG_ERR("coaps needs --identity and --psk-file");
        return -EINVAL;
    }
    const int read = host_file_read_text(key_file, text, sizeof(text) - 1u);
    const size_t digits = read < 0 ? 0u : strspn(text, "0123456789abcdefABCDEF");
    const size_t size = hex2bin(text, digits, key, sizeof(key));
    if (size == 0u) {
        LOG_ERR("no key could be read from %s", key_file);
        return -EINVAL;
    }
    client->tls_tag = TLS_TAG;
    int rc = lwm2m_set_string(&LWM2M_OBJ(0, 0, 3), identity);
    rc = rc != 0 ? rc : lwm2m_set_opaque(&LWM2M_OBJ(0, 0, 5), (const char*)key, (uint16_t)size);
    (void)memset(key, 0, sizeof(key));
    (void)memset(text, 0, sizeof(text));
    return rc;
}
