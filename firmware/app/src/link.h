/* The way to the server: the modem library on a nRF91, the host's sockets on native_sim. The rest of the application
 * does not know which. */
#ifndef APP_LINK_H
#define APP_LINK_H

#include <stdbool.h>

struct lwm2m_ctx;

/* Brings the interface up far enough to know who this device is. 0 or a negative errno. */
int link_start(void);

/* Waits until there is a network. 0 or a negative errno. */
int link_connect(void);

/* The endpoint name, the serial number (3/0/2), the server's URI. Valid after link_start. */
const char* link_endpoint(void);
const char* link_serial_number(void);
const char* link_server(void);

/* Where the credentials are: fills 0/0/3 and 0/0/5, or points `client` at those which the modem keeps. 0 or a negative
 * errno. Not called for coap:// URIs. */
int link_credentials(struct lwm2m_ctx* client);

#endif
