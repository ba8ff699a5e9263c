#include "self_test.h"

#include <errno.h>
#include <stdint.h>

#include "flash_facts.h"
#include "slots.h"

static int part_answers(void) {
    const uint8_t* id = flash_facts_get()->jedec_id;

    return (id[0] | id[1] | id[2]) == 0x00u || (id[0] & id[1] & id[2]) == 0xffu ? -ENODEV : 0;
}

int self_test(void) {
    uint8_t byte;

    if (part_answers() != 0) {
        return -ENODEV;
    }
    if (slots_image_limit() == 0u) {
        return -ENOSPC;
    }
    const struct fota_flash* slot = slots_secondary();
    return slot->read(slot->context, slot->size - sizeof(byte), &byte, sizeof(byte)) == 0 ? 0 : -EIO;
}
