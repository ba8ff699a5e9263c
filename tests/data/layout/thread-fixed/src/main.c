/* Sensor node: registers with the LwM2M server and reports; firmware updates arrive through object 5. */
#include <net/lwm2m_client_utils.h>
#include <zephyr/kernel.h>
#include <zephyr/net/lwm2m.h>

static struct lwm2m_ctx client;

int main(void)
{
	/* Confirms the running image, or finishes an update that MCUboot has just swapped in. */
	int err = lwm2m_init_image();

	if (err < 0) {
		return err;
	}
	lwm2m_init_security(&client, "urn:imei:000000000000000", NULL);
	return lwm2m_rd_client_start(&client, "urn:imei:000000000000000", 0, NULL, NULL);
}
