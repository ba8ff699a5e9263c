#include "flash_facts.h"

#include <errno.h>
#include <string.h>
#include <zephyr/device.h>
#include <zephyr/drivers/flash.h>
#include <zephyr/logging/log.h>

#include "slots.h"

LOG_MODULE_REGISTER(flash_facts, LOG_LEVEL_INF);

static struct flash_facts facts;

static int read_sfdp(void* context, uint32_t offset, void* data, size_t size) {
    return flash_sfdp_read(context, (off_t)offset, data, size);
}

static void read_table(const struct device* part) {
    struct fota_bfp_location where;
    struct fota_sfdp sfdp;

    if (fota_sfdp_find(read_sfdp, (void*)part, &where) != FOTA_OK) {
        LOG_WRN("the part has no SFDP table");
        return;
    }
    const uint16_t size = (uint16_t)(where.size < sizeof(facts.bfp) ? where.size : sizeof(facts.bfp));
    if (flash_sfdp_read(part, (off_t)where.offset, facts.bfp, size) != 0 ||
        fota_bfp_decode(facts.bfp, size, &sfdp) != FOTA_OK) {
        return;
    }
    facts.bfp_size = size;
    facts.size = sfdp.size > UINT32_MAX ? UINT32_MAX : (uint32_t)sfdp.size;
    facts.erase_size = 0u;
    for (unsigned i = 0; i < FOTA_SFDP_ERASE_TYPES; i++) {
        const uint32_t type = sfdp.erase[i].size;
        if (type != 0u && (facts.erase_size == 0u || type < facts.erase_size)) {
            facts.erase_size = type;
        }
    }
}

int flash_facts_read(void) {
    const struct device* part = slots_external_device();
    uint64_t size = 0;

    if (flash_read_jedec_id(part, facts.jedec_id) != 0) {
        return -EIO;
    }
    facts.erase_size = slots_secondary()->erase_size;
    if (flash_get_size(part, &size) == 0) {
        facts.size = (uint32_t)size;
    }
    read_table(part);
    LOG_INF("external flash %02x %02x %02x, %u bytes, erase %u", facts.jedec_id[0], facts.jedec_id[1],
            facts.jedec_id[2], facts.size, facts.erase_size);
    return 0;
}

const struct flash_facts* flash_facts_get(void) {
    return &facts;
}
