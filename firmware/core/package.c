#include "core/package.h"

#define MARKER 0x504b4731u /* "1GKP": names this record's layout */
#define READ_SIZE 128u

static uint32_t get32(const uint8_t* p) {
    return (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) | ((uint32_t)p[3] << 24);
}

uint32_t fota_crc32(uint32_t crc, const void* data, size_t size) {
    /* Of the reflected polynomial 0xedb88320: what a half-byte becomes behind 0 to 7 more of them. A word's eight are
     * looked up side by side; 512 bytes of flash, where tables by whole bytes would take 4 KiB. */
    static const uint32_t table[8][16] = {
        {0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u, 0x4db26158u, 0x5005713cu,
         0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu, 0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu},
        {0x00000000u, 0x77073096u, 0xee0e612cu, 0x990951bau, 0x076dc419u, 0x706af48fu, 0xe963a535u, 0x9e6495a3u,
         0x0edb8832u, 0x79dcb8a4u, 0xe0d5e91eu, 0x97d2d988u, 0x09b64c2bu, 0x7eb17cbdu, 0xe7b82d07u, 0x90bf1d91u},
        {0x00000000u, 0x4ac21251u, 0x958424a2u, 0xdf4636f3u, 0xf0794f05u, 0xbabb5d54u, 0x65fd6ba7u, 0x2f3f79f6u,
         0x3b83984bu, 0x71418a1au, 0xae07bce9u, 0xe4c5aeb8u, 0xcbfad74eu, 0x8138c51fu, 0x5e7ef3ecu, 0x14bce1bdu},
        {0x00000000u, 0x191b3141u, 0x32366282u, 0x2b2d53c3u, 0x646cc504u, 0x7d77f445u, 0x565aa786u, 0x4f4196c7u,
         0xc8d98a08u, 0xd1c2bb49u, 0xfaefe88au, 0xe3f4d9cbu, 0xacb54f0cu, 0xb5ae7e4du, 0x9e832d8eu, 0x87981ccfu},
        {0x00000000u, 0x1c26a370u, 0x384d46e0u, 0x246be590u, 0x709a8dc0u, 0x6cbc2eb0u, 0x48d7cb20u, 0x54f16850u,
         0xe1351b80u, 0xfd13b8f0u, 0xd9785d60u, 0xc55efe10u, 0x91af9640u, 0x8d893530u, 0xa9e2d0a0u, 0xb5c473d0u},
        {0x00000000u, 0x01c26a37u, 0x0384d46eu, 0x0246be59u, 0x0709a8dcu, 0x06cbc2ebu, 0x048d7cb2u, 0x054f1685u,
         0x0e1351b8u, 0x0fd13b8fu, 0x0d9785d6u, 0x0c55efe1u, 0x091af964u, 0x08d89353u, 0x0a9e2d0au, 0x0b5c473du},
        {0x00000000u, 0x5019579fu, 0xa032af3eu, 0xf02bf8a1u, 0x9b14583du, 0xcb0d0fa2u, 0x3b26f703u, 0x6b3fa09cu,
         0xed59b63bu, 0xbd40e1a4u, 0x4d6b1905u, 0x1d724e9au, 0x764dee06u, 0x2654b999u, 0xd67f4138u, 0x866616a7u},
        {0x00000000u, 0xb8bc6765u, 0xaa09c88bu, 0x12b5afeeu, 0x8f629757u, 0x37def032u, 0x256b5fdcu, 0x9dd738b9u,
         0xc5b428efu, 0x7d084f8au, 0x6fbde064u, 0xd7018701u, 0x4ad6bfb8u, 0xf26ad8ddu, 0xe0df7733u, 0x58631056u}};
    const uint8_t* bytes = (const uint8_t*)data;
    uint32_t value = ~crc;
    size_t i = 0u;

    for (; (size - i) >= 4u; i += 4u) {
        const uint32_t word = value ^ get32(&bytes[i]);
        value = table[7][word & 0xfu] ^ table[6][(word >> 4) & 0xfu] ^ table[5][(word >> 8) & 0xfu] ^
                table[4][(word >> 12) & 0xfu] ^ table[3][(word >> 16) & 0xfu] ^ table[2][(word >> 20) & 0xfu] ^
                table[1][(word >> 24) & 0xfu] ^ table[0][word >> 28];
    }
    for (; i < size; i++) {
        value ^= bytes[i];
        value = (value >> 4) ^ table[0][value & 0xfu];
        value = (value >> 4) ^ table[0][value & 0xfu];
    }
    return ~value;
}

static void put32(uint8_t* p, uint32_t value) {
    p[0] = (uint8_t)value;
    p[1] = (uint8_t)(value >> 8);
    p[2] = (uint8_t)(value >> 16);
    p[3] = (uint8_t)(value >> 24);
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
