/* The LwM2M client: starts the engine and says when the server was reached. */
#ifndef APP_CLIENT_H
#define APP_CLIENT_H

struct lwm2m_ctx;

/* `reached` is called from the engine's thread after each accepted registration. 0 or a negative errno. */
int client_start(struct lwm2m_ctx* client, void (*reached)(void));

#endif
