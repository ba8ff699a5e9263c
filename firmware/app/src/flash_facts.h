/* What the part behind the secondary slot says of itself, read once at start. Shared by the LwM2M object and the SMP
 * group, so that both tell the same. */
#ifndef APP_FLASH_FACTS_H
#define APP_FLASH_FACTS_H

#include <stdint.h>

#include "core/sfdp.h"

struct flash_facts {
    uint8_t jedec_id[3]; /* 00 00 00 or ff ff ff: nothing drives MISO */
    uint8_t bfp[FOTA_SFDP_BFP_MAX];
    uint16_t bfp_size;   /* bytes; 0: the part has no SFDP */
    uint32_t size;       /* bytes, by the SFDP table; by the driver where there is none */
    uint32_t erase_size; /* bytes, the smallest erase type */
};

/* 0, or -EIO when the part does not answer at all. */
int flash_facts_read(void);
const struct flash_facts* flash_facts_get(void);

#endif
