/* LwM2M objects 0 (server account), 1 and 3 (device). */
#ifndef APP_DEVICE_OBJECT_H
#define APP_DEVICE_OBJECT_H

struct lwm2m_ctx;

/* After link_start and running_read. 0 or a negative errno. */
int device_object_start(struct lwm2m_ctx* client);

#endif
