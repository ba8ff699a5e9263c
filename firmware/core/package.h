/* Remembers, in sixteen bytes, which prefix of a package the slot holds, so that a device that was reset can tell a
 * server how much it has, with proof, and take the rest.
 *
 * The record names the prefix by its length and CRC-32. After a reset the prefix is read back from flash: a record that
 * does not describe what is there (another package, a torn sector) counts as no record. The SHA-256 that the server
 * compares is computed from the same bytes in the same pass, so it is never older than the flash.
 *
 * Record, little endian: u32 marker, u32 length, u32 CRC-32 of the prefix, u32 CRC-32 of the twelve bytes before. */
#ifndef FOTA_CORE_PACKAGE_H
#define FOTA_CORE_PACKAGE_H

#include <stddef.h>
#include <stdint.h>

#include "core/flash.h"
#include "core/slot_writer.h"

#ifdef __cplusplus
extern "C" {
#endif

#define FOTA_PACKAGE_RECORD_SIZE 16u

struct fota_package {
    uint32_t length;   /* bytes; the start of a sector */
    uint32_t checksum; /* CRC-32 of the prefix */
};

/* CRC-32 (IEEE 802.3, reflected), continued from `crc`; 0 for the first bytes. */
uint32_t fota_crc32(uint32_t crc, const void* data, size_t size);

void fota_package_encode(const struct fota_package* package, uint8_t record[FOTA_PACKAGE_RECORD_SIZE]);

/* FOTA_ERR_FORMAT: erased, torn or foreign bytes. */
enum fota_status fota_package_decode(const uint8_t record[FOTA_PACKAGE_RECORD_SIZE], struct fota_package* out);

/* The whole sectors that the writer has programmed so far. Worth storing when `length` has changed. */
struct fota_package fota_package_of(const struct fota_slot_writer* writer);

/* Reads the prefix back: starts `hash` (may be null) and feeds it, and compares the checksum. FOTA_ERR_MISMATCH: the
 * flash holds other bytes; FOTA_ERR_RANGE: a length outside the slot or not on a sector. On FOTA_OK the writer may
 * begin with resume_at = package->length and checksum = package->checksum. */
enum fota_status fota_package_restore(const struct fota_package* package, const struct fota_flash* slot,
                                      const struct fota_hash* hash);

#ifdef __cplusplus
}
#endif

#endif
