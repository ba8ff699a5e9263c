/* SMP group 26245, command 0 (read): the facts of LwM2M object 26245 under their names, for a bench without a network.
 *
 * Answer: {"jedec": bstr, "size": uint, "erase": uint, "sfdp": bstr, "primary": uint, "secondary": uint, "mode": tstr,
 * "hash": bstr, "stored_hash": bstr, "stored": uint}. */
#include <zcbor_encode.h>
#include <zephyr/mgmt/mcumgr/mgmt/handlers.h>
#include <zephyr/mgmt/mcumgr/mgmt/mgmt.h>
#include <zephyr/mgmt/mcumgr/smp/smp.h>
#include <zephyr/sys/util.h>

#include "flash_facts.h"
#include "flash_object.h"
#include "package.h"
#include "running.h"
#include "slots.h"

static bool put_uint(zcbor_state_t* state, const char* name, uint32_t value) {
    return zcbor_tstr_put_term(state, name, SIZE_MAX) && zcbor_uint32_put(state, value);
}

static bool put_bytes(zcbor_state_t* state, const char* name, const uint8_t* data, size_t size) {
    return zcbor_tstr_put_term(state, name, SIZE_MAX) && zcbor_bstr_encode_ptr(state, (const char*)data, size);
}

static int read_facts(struct smp_streamer* request) {
    zcbor_state_t* state = request->writer->zs;
    const struct flash_facts* facts = flash_facts_get();
    uint8_t stored_hash[FOTA_DIGEST_SIZE];
    uint32_t stored = 0;
    uint16_t hash_size = 0;
    const uint8_t* hash = running_hash(&hash_size);

    package_facts(stored_hash, &stored);
    const bool ok =
        put_bytes(state, "jedec", facts->jedec_id, sizeof(facts->jedec_id)) && put_uint(state, "size", facts->size) &&
        put_uint(state, "erase", facts->erase_size) && put_bytes(state, "sfdp", facts->bfp, facts->bfp_size) &&
        put_uint(state, "primary", slots_primary()->size) && put_uint(state, "secondary", slots_secondary()->size) &&
        zcbor_tstr_put_lit(state, "mode") && zcbor_tstr_put_term(state, slots_boot_mode(), SIZE_MAX) &&
        put_bytes(state, "hash", hash, hash_size) &&
        put_bytes(state, "stored_hash", stored_hash, sizeof(stored_hash)) && put_uint(state, "stored", stored);
    return ok ? MGMT_ERR_EOK : MGMT_ERR_EMSGSIZE;
}

static const struct mgmt_handler handlers[] = {{.mh_read = read_facts}};

static struct mgmt_group group = {
    .mg_handlers = handlers,
    .mg_handlers_count = ARRAY_SIZE(handlers),
    .mg_group_id = FLASH_OBJECT_ID,
};

static void register_group(void) {
    mgmt_register_group(&group);
}

MCUMGR_HANDLER_DEFINE(fota_facts, register_group);
