#include "core/package.h"

#define MARKER 0x504b4731u /* "1GKP": names this record's layout */
#define READ_SIZE 128u

uint32_t fota_crc32(uint32_t crc, const void* data, size_t size) {
    /* Half-byte table of the reflected polynomial 0xedb88320: 64 bytes of flash in place of 1 KiB. */
    static const uint32_t table[16] = {0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u,
                                       0x4db26158u, 0x5005713cu, 0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
                                       0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu};
    const uint8_t* bytes = (const uint8_t*)data;
    uint32_t value = ~crc;

    for (size_t i = 0u; i < size; i++) {
        value ^= bytes[i];
        value = (value >> 4) ^ table[value & 0xfu];
        value = (value >> 4) ^ table[value & 0xfu];
    }
    return ~value;
}

static void put32(uint8_t* p, uint32_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    p[2] = (uint8_t)(value >> 16);
    p[3] = (uint8_t)(value >> 24);
}

static uint32_t get32(const uint8_t* p) {
    return (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) | ((uint32_t)p[3] << 24);
}

void fota_package_encode(const struct fota_package* package, uint8_t record[FOTA_PACKAGE_RECORD_SIZE]) {
    put32(&record[0], MARKER);
    put32(&record[4], package->length);
    put32(&record[8], package->checksum);
    put32(&record[12], fota_crc32(0u, record, 12u));
}

enum fota_status fota_package_decode(const uint8_t record[FOTA_PACKAGE_RECORD_SIZE], struct fota_package* out) {
    if ((get32(&record[0]) != MARKER) || (get32(&record[12]) != fota_crc32(0u, record, 12u))) {
        return FOTA_ERR_FORMAT;
    }
    out->length = get32(&record[4]);
    out->checksum = get32(&record[8]);
    return FOTA_OK;
}

struct fota_package fota_package_of(const struct fota_slot_writer* writer) {
    const struct fota_package package = {writer->sectors_end, writer->sectors_checksum};
    return package;
}

enum fota_status fota_package_restore(const struct fota_package* package, const struct fota_flash* slot,
                                      const struct fota_hash* hash) {
    uint8_t buffer[READ_SIZE];
    uint32_t crc = 0u;

    if ((slot->erase_size == 0u) || (package->length > slot->size) || ((package->length % slot->erase_size) != 0u)) {
        return FOTA_ERR_RANGE;
    }
    if ((hash != NULL) && (hash->start(hash->context) != 0)) {
        return FOTA_ERR_IO;
    }
    for (uint32_t at = 0u; at < package->length;) {
        const uint32_t left = package->length - at;
        const uint32_t part = (left < READ_SIZE) ? left : READ_SIZE;
        if (slot->read(slot->context, at, buffer, part) != 0) {
            return FOTA_ERR_IO;
        }
        if ((hash != NULL) && (hash->update(hash->context, buffer, part) != 0)) {
            return FOTA_ERR_IO;
        }
        crc = fota_crc32(crc, buffer, part);
        at += part;
    }
    return (crc == package->checksum) ? FOTA_OK : FOTA_ERR_MISMATCH;
}
