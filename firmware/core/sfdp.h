/* Serial Flash Discoverable Parameters: the header and the Basic Flash Parameter table (BFP).
 *
 * Source: JESD216 (A to F), sections 6.2 to 6.4. All multi-byte fields are little endian. Every length is checked
 * against what is there; a table shorter than a field leaves the field 0. */
#ifndef FOTA_CORE_SFDP_H
#define FOTA_CORE_SFDP_H

#include <stddef.h>
#include <stdint.h>

#include "core/flash.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FOTA_SFDP_ERASE_TYPES 4u
#define FOTA_SFDP_BFP_MAX 96u /* bytes: 24 double words, the longest table known (JESD216F) */

enum fota_address_mode {
    FOTA_ADDRESS_3,      /* three address bytes only */
    FOTA_ADDRESS_3_OR_4, /* three after reset, four on request */
    FOTA_ADDRESS_4,      /* four only */
};

struct fota_erase_type {
    uint32_t size;       /* bytes; 0: this type is absent */
    uint32_t typical_ms; /* typical time; 0: the table does not say */
    uint32_t max_ms;     /* longest time; what a message may have to wait for; 0: the table does not say */
    uint8_t opcode;      /* the erase instruction */
};

struct fota_sfdp {
    uint64_t size;                /* bytes */
    uint32_t page_size;           /* bytes; 256 where the table is too short to say (JESD216 without suffix) */
    uint32_t page_program_us;     /* typical; 0: the table does not say */
    uint32_t page_program_max_us; /* longest; 0: the table does not say */
    struct fota_erase_type erase[FOTA_SFDP_ERASE_TYPES];
    enum fota_address_mode address_mode;
};

/* Where the newest basic table lies in SFDP space. */
struct fota_bfp_location {
    uint32_t offset; /* bytes */
    uint32_t size;   /* bytes, a multiple of 4 */
    uint8_t major;   /* revision of the table */
    uint8_t minor;
};

/* Reads SFDP space (instruction 0x5a); returns 0 on success. */
typedef int (*fota_sfdp_read)(void* context, uint32_t offset, void* data, size_t size);

/* Finds the newest basic table through the SFDP header. FOTA_ERR_FORMAT: no signature, or no basic table of at least
 * nine double words; FOTA_ERR_IO: `read` failed. */
enum fota_status fota_sfdp_find(fota_sfdp_read read, void* context, struct fota_bfp_location* location);

/* Decodes a basic table of `size` bytes. FOTA_ERR_FORMAT: shorter than nine double words, not a multiple of 4, or a
 * density that no part can have. */
enum fota_status fota_bfp_decode(const uint8_t* bfp, size_t size, struct fota_sfdp* out);

/* Geometry: what one erase can do at `offset` for `size` more bytes: the largest type that begins there and does not
 * reach further. Null when no type fits: neither offset nor size are whole smallest sectors. */
const struct fota_erase_type* fota_sfdp_erase_at(const struct fota_sfdp* part, uint32_t offset, uint32_t size);

/* The type that erases exactly `size` bytes, MCUboot's sector (4096 on nRF91); null: the part has none, and no slot on
 * it can be swapped with internal flash. */
const struct fota_erase_type* fota_sfdp_erase_of(const struct fota_sfdp* part, uint32_t size);

/* Bytes by the density code of a JEDEC id (its third byte, a power of two); 0: no density that a SPI NOR part has. */
uint32_t fota_jedec_size(const uint8_t id[3]);

#ifdef __cplusplus
}
#endif

#endif
