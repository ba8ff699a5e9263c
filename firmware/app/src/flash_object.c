#include "flash_object.h"

#include <errno.h>
#include <string.h>
#include <zephyr/init.h>
#include <zephyr/logging/log.h>
#include <zephyr/net/lwm2m.h>
#include <zephyr/sys/util.h>

/* Objects of one's own are built with the engine's own header. */
#include "lwm2m_engine.h"
#include "lwm2m_object.h"

#include "flash_facts.h"
#include "package.h"
#include "running.h"
#include "slots.h"

LOG_MODULE_REGISTER(flash_object, LOG_LEVEL_INF);

enum {
    JEDEC_ID,
    SIZE,
    ERASE_SIZE,
    SFDP,
    PRIMARY_SIZE,
    SECONDARY_SIZE,
    BOOT_MODE,
    RUNNING_HASH,
    STORED_HASH,
    STORED_BYTES,
    START_OFFSET,
    RESOURCES,
};

static struct lwm2m_engine_obj object;
static struct lwm2m_engine_obj_inst instance;
static struct lwm2m_engine_res resources[RESOURCES];
static struct lwm2m_engine_res_inst values[RESOURCES];
static struct lwm2m_engine_obj_field fields[] = {
    OBJ_FIELD_DATA(JEDEC_ID, R, OPAQUE),    OBJ_FIELD_DATA(SIZE, R, U32),
    OBJ_FIELD_DATA(ERASE_SIZE, R, U32),     OBJ_FIELD_DATA(SFDP, R, OPAQUE),
    OBJ_FIELD_DATA(PRIMARY_SIZE, R, U32),   OBJ_FIELD_DATA(SECONDARY_SIZE, R, U32),
    OBJ_FIELD_DATA(BOOT_MODE, R, STRING),   OBJ_FIELD_DATA(RUNNING_HASH, R, OPAQUE),
    OBJ_FIELD_DATA(STORED_HASH, R, OPAQUE), OBJ_FIELD_DATA(STORED_BYTES, R, U32),
    OBJ_FIELD_DATA(START_OFFSET, RW, U32),
};

static uint32_t size, erase_size, primary_size, secondary_size, stored_bytes, start_offset;
static uint8_t stored_hash[FOTA_DIGEST_SIZE];

static void* read_stored_hash(uint16_t obj, uint16_t res, uint16_t res_inst, size_t* length) {
    ARG_UNUSED(obj);
    ARG_UNUSED(res);
    ARG_UNUSED(res_inst);
    package_digest(stored_hash);
    *length = sizeof(stored_hash);
    return stored_hash;
}

static void* read_stored_bytes(uint16_t obj, uint16_t res, uint16_t res_inst, size_t* length) {
    ARG_UNUSED(obj);
    ARG_UNUSED(res);
    ARG_UNUSED(res_inst);
    stored_bytes = package_stored();
    *length = sizeof(stored_bytes);
    return &stored_bytes;
}

static void* read_start_offset(uint16_t obj, uint16_t res, uint16_t res_inst, size_t* length) {
    ARG_UNUSED(obj);
    ARG_UNUSED(res);
    ARG_UNUSED(res_inst);
    start_offset = package_start();
    *length = sizeof(start_offset);
    return &start_offset;
}

static int written_start_offset(uint16_t obj, uint16_t res, uint16_t res_inst, uint8_t* data, uint16_t length,
                                bool last_block, size_t total, size_t offset) {
    ARG_UNUSED(obj);
    ARG_UNUSED(res);
    ARG_UNUSED(res_inst);
    ARG_UNUSED(data);
    ARG_UNUSED(length);
    ARG_UNUSED(last_block);
    ARG_UNUSED(total);
    ARG_UNUSED(offset);
    const uint8_t state = lwm2m_firmware_get_update_state();
    if (state == STATE_DOWNLOADED || state == STATE_UPDATING) {
        return -EPERM;
    }
    return package_set_start(start_offset);
}

static struct lwm2m_engine_obj_inst* create(uint16_t id) {
    ARG_UNUSED(id);
    int r = 0;
    int v = 0;

    init_res_instance(values, ARRAY_SIZE(values));
    INIT_OBJ_RES_OPTDATA(JEDEC_ID, resources, r, values, v);
    INIT_OBJ_RES_DATA(SIZE, resources, r, values, v, &size, sizeof(size));
    INIT_OBJ_RES_DATA(ERASE_SIZE, resources, r, values, v, &erase_size, sizeof(erase_size));
    INIT_OBJ_RES_OPTDATA(SFDP, resources, r, values, v);
    INIT_OBJ_RES_DATA(PRIMARY_SIZE, resources, r, values, v, &primary_size, sizeof(primary_size));
    INIT_OBJ_RES_DATA(SECONDARY_SIZE, resources, r, values, v, &secondary_size, sizeof(secondary_size));
    INIT_OBJ_RES_OPTDATA(BOOT_MODE, resources, r, values, v);
    INIT_OBJ_RES_OPTDATA(RUNNING_HASH, resources, r, values, v);
    INIT_OBJ_RES(STORED_HASH, resources, r, values, v, 1U, false, true, stored_hash, sizeof(stored_hash),
                 read_stored_hash, NULL, NULL, NULL, NULL);
    INIT_OBJ_RES(STORED_BYTES, resources, r, values, v, 1U, false, true, &stored_bytes, sizeof(stored_bytes),
                 read_stored_bytes, NULL, NULL, NULL, NULL);
    INIT_OBJ_RES(START_OFFSET, resources, r, values, v, 1U, false, true, &start_offset, sizeof(start_offset),
                 read_start_offset, NULL, NULL, written_start_offset, NULL);
    instance.resources = resources;
    instance.resource_count = r;
    return &instance;
}

static int register_object(void) {
    object.obj_id = FLASH_OBJECT_ID;
    object.version_major = 1;
    object.version_minor = 0;
    object.is_core = false;
    object.fields = fields;
    object.field_count = ARRAY_SIZE(fields);
    object.max_instance_count = 1U;
    object.create_cb = create;
    lwm2m_register_obj(&object);
    return 0;
}

LWM2M_OBJ_INIT(register_object);

static int constant(uint16_t resource, const void* data, uint16_t length) {
    return lwm2m_set_res_buf(&LWM2M_OBJ(FLASH_OBJECT_ID, 0, resource), (void*)data, length, length,
                             LWM2M_RES_DATA_FLAG_RO);
}

int flash_object_start(void) {
    struct lwm2m_engine_obj_inst* created = NULL;
    const struct flash_facts* facts = flash_facts_get();
    const char* mode = slots_boot_mode();
    uint16_t hash_size = 0;
    const uint8_t* hash = running_hash(&hash_size);

    size = facts->size;
    erase_size = facts->erase_size;
    primary_size = slots_primary()->size;
    secondary_size = slots_secondary()->size;
    int rc = lwm2m_create_obj_inst(FLASH_OBJECT_ID, 0, &created);
    rc = rc != 0 ? rc : constant(JEDEC_ID, facts->jedec_id, sizeof(facts->jedec_id));
    rc = rc != 0 ? rc : constant(SFDP, facts->bfp, facts->bfp_size);
    rc = rc != 0 ? rc : constant(BOOT_MODE, mode, (uint16_t)(strlen(mode) + 1u));
    return rc != 0 ? rc : constant(RUNNING_HASH, hash, hash_size);
}
