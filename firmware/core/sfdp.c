#include "core/sfdp.h"

#include <stdbool.h>

#define HEADER_SIZE 8u
#define BFP_MIN 36u /* bytes: nine double words, JESD216 without suffix */
#define DEFAULT_PAGE 256u
#define BITS_PER_BYTE 8u

/* Byte offsets of the double words, counted from 1 in the standard. */
#define DW1 0u
#define DW2 4u
#define DW8 28u
#define DW10 36u
#define DW11 40u

static uint32_t le32(const uint8_t* p) {
    return (uint32_t)p[0] | ((uint32_t)p[1] << 8) | ((uint32_t)p[2] << 16) | ((uint32_t)p[3] << 24);
}

enum fota_status fota_sfdp_find(fota_sfdp_read read, void* context, struct fota_bfp_location* location) {
    static const uint8_t signature[4] = {0x53u, 0x46u, 0x44u, 0x50u}; /* "SFDP" */
    uint8_t header[HEADER_SIZE];

    if (read(context, 0u, header, sizeof(header)) != 0) {
        return FOTA_ERR_IO;
    }
    for (size_t i = 0u; i < sizeof(signature); i++) {
        if (header[i] != signature[i]) {
            return FOTA_ERR_FORMAT;
        }
    }
    const uint32_t count = (uint32_t)header[6] + 1u; /* the field counts from 0 */
    bool found = false;
    for (uint32_t i = 0u; i < count; i++) {
        uint8_t entry[HEADER_SIZE];
        if (read(context, HEADER_SIZE * (i + 1u), entry, sizeof(entry)) != 0) {
            return FOTA_ERR_IO;
        }
        /* JESD216 without suffix left the id's high byte unused: erased. */
        const bool basic = (entry[0] == 0x00u) && (entry[7] == 0xffu);
        const uint32_t size = 4u * (uint32_t)entry[3];
        const bool newer =
            !found || (entry[2] > location->major) || ((entry[2] == location->major) && (entry[1] > location->minor));
        if (basic && (size >= BFP_MIN) && newer) {
            location->offset = le32(&entry[4]) & 0x00ffffffu;
            location->size = size;
            location->major = entry[2];
            location->minor = entry[1];
            found = true;
        }
    }
    return found ? FOTA_OK : FOTA_ERR_FORMAT;
}

/* JESD216, second double word: the density in bits, minus one, or its base-2 logarithm. 0: no part has this density. */
static uint64_t size_of(uint32_t density) {
    uint64_t bits = 0u;
    if ((density & 0x80000000u) != 0u) {
        const uint32_t exponent = density & 0x7fffffffu;
        if ((exponent >= 32u) && (exponent <= 48u)) {
            bits = (uint64_t)1u << exponent;
        }
    } else {
        bits = (uint64_t)density + 1u;
    }
    return ((bits % BITS_PER_BYTE) == 0u) ? (bits / BITS_PER_BYTE) : 0u;
}

/* Tenth double word: seven bits for each erase type, from bit 4 on. */
static uint32_t erase_time(uint32_t dw10, uint32_t type) {
    static const uint32_t units_ms[4] = {1u, 16u, 128u, 1000u};
    const uint32_t field = (dw10 >> (4u + (7u * type))) & 0x7fu;
    return ((field & 0x1fu) + 1u) * units_ms[field >> 5];
}

/* Tenth and eleventh double word: how many times the typical time the longest is. */
static uint32_t longest(uint32_t dw) {
    return 2u * ((dw & 0xfu) + 1u);
}

enum fota_status fota_bfp_decode(const uint8_t* bfp, size_t size, struct fota_sfdp* out) {
    static const struct fota_sfdp nothing = {0};

    if ((size < BFP_MIN) || ((size % 4u) != 0u)) {
        return FOTA_ERR_FORMAT;
    }
    *out = nothing;
    out->size = size_of(le32(&bfp[DW2]));
    if (out->size == 0u) {
        return FOTA_ERR_FORMAT;
    }
    switch ((le32(&bfp[DW1]) >> 17) & 3u) {
        case 0u:
            out->address_mode = FOTA_ADDRESS_3;
            break;
        case 1u:
            out->address_mode = FOTA_ADDRESS_3_OR_4;
            break;
        case 2u:
            out->address_mode = FOTA_ADDRESS_4;
            break;
        default:
            return FOTA_ERR_FORMAT;
    }
    for (uint32_t i = 0u; i < FOTA_SFDP_ERASE_TYPES; i++) {
        const uint8_t exponent = bfp[DW8 + (2u * i)];
        if (exponent >= 32u) {
            return FOTA_ERR_FORMAT;
        }
        if (exponent != 0u) {
            out->erase[i].size = (uint32_t)1u << exponent;
            out->erase[i].opcode = bfp[DW8 + (2u * i) + 1u];
            if (size >= DW11) {
                const uint32_t dw10 = le32(&bfp[DW10]);
                out->erase[i].typical_ms = erase_time(dw10, i);
                out->erase[i].max_ms = out->erase[i].typical_ms * longest(dw10);
            }
        }
    }
    out->page_size = DEFAULT_PAGE;
    if (size >= (DW11 + 4u)) {
        const uint32_t dw11 = le32(&bfp[DW11]);
        const uint32_t unit_us = ((dw11 & 0x2000u) != 0u) ? 64u : 8u;
        out->page_size = (uint32_t)1u << ((dw11 >> 4) & 0xfu);
        out->page_program_us = (((dw11 >> 8) & 0x1fu) + 1u) * unit_us;
        out->page_program_max_us = out->page_program_us * longest(dw11);
    }
    return FOTA_OK;
}

const struct fota_erase_type* fota_sfdp_erase_at(const struct fota_sfdp* part, uint32_t offset, uint32_t size) {
    const struct fota_erase_type* best = NULL;
    for (uint32_t i = 0u; i < FOTA_SFDP_ERASE_TYPES; i++) {
        const struct fota_erase_type* type = &part->erase[i];
        const bool fits = (type->size != 0u) && (type->size <= size) && ((offset % type->size) == 0u);
        if (fits && ((best == NULL) || (type->size > best->size))) {
            best = type;
        }
    }
    return best;
}

const struct fota_erase_type* fota_sfdp_erase_of(const struct fota_sfdp* part, uint32_t size) {
    for (uint32_t i = 0u; i < FOTA_SFDP_ERASE_TYPES; i++) {
        if ((size != 0u) && (part->erase[i].size == size)) {
            return &part->erase[i];
        }
    }
    return NULL;
}

uint32_t fota_jedec_size(const uint8_t id[3]) {
    /* 64 KiB to 2 GiB; 0x20 and up name densities by other rules. */
    return ((id[2] >= 0x10u) && (id[2] < 0x20u)) ? ((uint32_t)1u << id[2]) : 0u;
}
