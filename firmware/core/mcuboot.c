#include "core/mcuboot.h"

#include <string.h>

#define TLV_MAGIC 0x6907u
#define TLV_MAGIC_PROTECTED 0x6908u
#define TLV_HEADER_SIZE 4u
#define READ_SIZE 128u

static uint16_t le16(const uint8_t* p) {
    return (uint16_t)((uint32_t)p[0] | ((uint32_t)p[1] << 8));
}

static uint32_t le32(const uint8_t* p) {
    return (uint32_t)le16(p) | ((uint32_t)le16(&p[2]) << 16);
}

static bool is_erased(const uint8_t* bytes, size_t size) {
    for (size_t i = 0u; i < size; i++) {
        if (bytes[i] != FOTA_ERASED) {
            return false;
        }
    }
    return true;
}

/* ---- image ---- */

enum fota_status fota_image_parse_header(const uint8_t bytes[FOTA_IMAGE_HEADER_SIZE], struct fota_image_header* out) {
    if (le32(bytes) != FOTA_IMAGE_MAGIC) {
        return FOTA_ERR_FORMAT;
    }
    out->load_address = le32(&bytes[4]);
    out->header_size = le16(&bytes[8]);
    out->protected_size = le16(&bytes[10]);
    out->image_size = le32(&bytes[12]);
    out->flags = le32(&bytes[16]);
    out->version.major = bytes[20];
    out->version.minor = bytes[21];
    out->version.revision = le16(&bytes[22]);
    out->version.build = le32(&bytes[24]);
    return (out->header_size >= FOTA_IMAGE_HEADER_SIZE) ? FOTA_OK : FOTA_ERR_FORMAT;
}

static enum fota_status read_bytes(const struct fota_flash* slot, uint32_t offset, void* data, size_t size) {
    return (slot->read(slot->context, offset, data, size) == 0) ? FOTA_OK : FOTA_ERR_IO;
}

/* Walks one TLV area at `start`; on success `*end` is where it ends. */
static enum fota_status walk_area(const struct fota_flash* slot, uint64_t start, uint32_t limit, uint16_t magic,
                                  struct fota_image_extent* out, uint64_t* end) {
    uint8_t header[TLV_HEADER_SIZE];

    if ((start + TLV_HEADER_SIZE) > limit) {
        return FOTA_ERR_RANGE;
    }
    enum fota_status status = read_bytes(slot, (uint32_t)start, header, sizeof(header));
    if (status != FOTA_OK) {
        return status;
    }
    const uint16_t total = le16(&header[2]);
    if ((le16(header) != magic) || (total < TLV_HEADER_SIZE)) {
        return FOTA_ERR_FORMAT;
    }
    *end = start + total;
    if (*end > limit) {
        return FOTA_ERR_RANGE;
    }
    for (uint64_t at = start + TLV_HEADER_SIZE; at < *end;) {
        if ((*end - at) < TLV_HEADER_SIZE) {
            return FOTA_ERR_FORMAT;
        }
        status = read_bytes(slot, (uint32_t)at, header, sizeof(header));
        if (status != FOTA_OK) {
            return status;
        }
        const uint16_t type = le16(header);
        const uint16_t size = le16(&header[2]);
        at += TLV_HEADER_SIZE;
        if (size > (*end - at)) {
            return FOTA_ERR_FORMAT;
        }
        const bool is_hash = ((type == FOTA_TLV_SHA256) && (size == 32u)) ||
                             ((type == FOTA_TLV_SHA384) && (size == 48u)) ||
                             ((type == FOTA_TLV_SHA512) && (size == 64u));
        if (is_hash && (magic == TLV_MAGIC)) {
            out->hash_offset = (uint32_t)at;
            out->hash_type = type;
            out->hash_size = size;
        }
        at += size;
    }
    return FOTA_OK;
}

enum fota_status fota_image_walk(const struct fota_flash* slot, uint32_t limit, struct fota_image_extent* out) {
    static const struct fota_image_extent nothing = {0};
    uint8_t header[FOTA_IMAGE_HEADER_SIZE];

    *out = nothing;
    if ((limit > slot->size) || (limit < sizeof(header))) {
        return FOTA_ERR_RANGE;
    }
    enum fota_status status = read_bytes(slot, 0u, header, sizeof(header));
    if (status == FOTA_OK) {
        status = fota_image_parse_header(header, &out->header);
    }
    if (status != FOTA_OK) {
        return status;
    }
    /* In 64 bits: header and payload sizes come from the image. */
    uint64_t end = (uint64_t)out->header.header_size + out->header.image_size;
    if (out->header.protected_size != 0u) {
        const uint64_t start = end;
        status = walk_area(slot, start, limit, TLV_MAGIC_PROTECTED, out, &end);
        if ((status == FOTA_OK) && ((end - start) != out->header.protected_size)) {
            status = FOTA_ERR_FORMAT;
        }
        if (status != FOTA_OK) {
            return status;
        }
    }
    const uint64_t hashed = end;
    status = walk_area(slot, hashed, limit, TLV_MAGIC, out, &end);
    if (status == FOTA_OK) {
        out->hashed_size = (uint32_t)hashed;
        out->end = (uint32_t)end;
    }
    return status;
}

enum fota_status fota_image_read_hash(const struct fota_flash* slot, uint32_t limit, uint8_t out[FOTA_IMAGE_HASH_MAX],
                                      uint16_t* size) {
    struct fota_image_extent extent;
    enum fota_status status = fota_image_walk(slot, limit, &extent);

    if ((status == FOTA_OK) && (extent.hash_offset == 0u)) {
        status = FOTA_ERR_FORMAT;
    }
    if (status == FOTA_OK) {
        *size = extent.hash_size;
        status = read_bytes(slot, extent.hash_offset, out, extent.hash_size);
    }
    return status;
}

static enum fota_status hash_range(const struct fota_flash* slot, uint32_t size, const struct fota_hash* hash,
                                   uint8_t digest[FOTA_DIGEST_SIZE]) {
    uint8_t buffer[READ_SIZE];

    if (hash->start(hash->context) != 0) {
        return FOTA_ERR_IO;
    }
    for (uint32_t at = 0u; at < size;) {
        const uint32_t left = size - at;
        const uint32_t part = (left < READ_SIZE) ? left : READ_SIZE;
        if ((slot->read(slot->context, at, buffer, part) != 0) || (hash->update(hash->context, buffer, part) != 0)) {
            return FOTA_ERR_IO;
        }
        at += part;
    }
    return (hash->digest(hash->context, digest) == 0) ? FOTA_OK : FOTA_ERR_IO;
}

enum fota_status fota_image_check(const struct fota_flash* slot, uint32_t limit, const struct fota_hash* hash,
                                  struct fota_image_extent* out) {
    struct fota_image_extent extent;
    uint8_t expected[FOTA_DIGEST_SIZE];
    uint8_t found[FOTA_DIGEST_SIZE];

    enum fota_status status = fota_image_walk(slot, limit, &extent);
    if (out != NULL) {
        *out = extent;
    }
    if (status != FOTA_OK) {
        return status;
    }
    if (extent.hash_offset == 0u) {
        return FOTA_ERR_FORMAT;
    }
    if ((extent.hash_type != FOTA_TLV_SHA256) || ((extent.header.flags & FOTA_IMAGE_F_ENCRYPTED) != 0u)) {
        return FOTA_ERR_UNSUPPORTED;
    }
    status = read_bytes(slot, extent.hash_offset, expected, sizeof(expected));
    if (status == FOTA_OK) {
        status = hash_range(slot, extent.hashed_size, hash, found);
    }
    if ((status == FOTA_OK) && (memcmp(expected, found, sizeof(expected)) != 0)) {
        status = FOTA_ERR_MISMATCH;
    }
    return status;
}

/* ---- trailer ---- */

#define MIN_ALIGN 8u
#define FLAG_SET 0x01u

static uint32_t align_up(uint32_t value, uint32_t step) {
    return ((value + step - 1u) / step) * step;
}

static uint32_t max_align(uint32_t write_size) {
    return (write_size > MIN_ALIGN) ? write_size : MIN_ALIGN;
}

/* Above an alignment of 8 the magic states the alignment in its first two bytes. */
static void make_magic(uint32_t write_size, uint8_t magic[FOTA_TRAILER_MAGIC_SIZE]) {
    static const uint8_t plain[FOTA_TRAILER_MAGIC_SIZE] = {0x77u, 0xc2u, 0x95u, 0xf3u, 0x60u, 0xd2u, 0xefu, 0x7fu,
                                                           0x35u, 0x52u, 0x50u, 0x0fu, 0x2cu, 0xb6u, 0x79u, 0x80u};
    static const uint8_t aligned[FOTA_TRAILER_MAGIC_SIZE] = {0x00u, 0x00u, 0x2du, 0xe1u, 0x5du, 0x29u, 0x41u, 0x0bu,
                                                             0x8du, 0x77u, 0x67u, 0x9cu, 0x11u, 0x0fu, 0x1fu, 0x8au};
    if (max_align(write_size) == MIN_ALIGN) {
        (void)memcpy(magic, plain, sizeof(plain));
    } else {
        (void)memcpy(magic, aligned, sizeof(aligned));
        magic[0] = (uint8_t)write_size;
    }
}

uint32_t fota_trailer_magic_offset(const struct fota_trailer* trailer) {
    return trailer->slot_size - FOTA_TRAILER_MAGIC_SIZE;
}

uint32_t fota_trailer_image_ok_offset(const struct fota_trailer* trailer) {
    const uint32_t align = max_align(trailer->write_size);
    return trailer->slot_size - align_up(FOTA_TRAILER_MAGIC_SIZE, align) - align;
}

uint32_t fota_trailer_copy_done_offset(const struct fota_trailer* trailer) {
    return fota_trailer_image_ok_offset(trailer) - max_align(trailer->write_size);
}

uint32_t fota_trailer_swap_info_offset(const struct fota_trailer* trailer) {
    return fota_trailer_copy_done_offset(trailer) - max_align(trailer->write_size);
}

uint32_t fota_trailer_tlv_sizes_offset(const struct fota_trailer* trailer) {
    return fota_trailer_swap_info_offset(trailer) - max_align(trailer->write_size);
}

uint32_t fota_trailer_swap_size_offset(const struct fota_trailer* trailer) {
    const uint32_t above = (trailer->mode == FOTA_BOOT_OFFSET) ? fota_trailer_tlv_sizes_offset(trailer)
                                                               : fota_trailer_swap_info_offset(trailer);
    return above - max_align(trailer->write_size);
}

static struct fota_slot_geometry geometry_of(const struct fota_trailer* trailer) {
    const struct fota_slot_geometry geometry = {trailer->slot_size, trailer->slot_size, trailer->write_size,
                                                trailer->max_sectors, trailer->write_size};
    return geometry;
}

uint32_t fota_trailer_status_offset(const struct fota_trailer* trailer) {
    const struct fota_slot_geometry geometry = geometry_of(trailer);
    return trailer->slot_size - fota_trailer_size(trailer->mode, &geometry);
}

uint32_t fota_trailer_status_entries(const struct fota_trailer* trailer) {
    uint32_t per_sector = 3u;
    if (trailer->mode == FOTA_BOOT_OFFSET) {
        per_sector = 2u;
    } else if (trailer->mode == FOTA_BOOT_OVERWRITE) {
        per_sector = 0u;
    }
    return per_sector * trailer->max_sectors;
}

bool fota_trailer_fits(const struct fota_trailer* trailer) {
    const struct fota_slot_geometry geometry = geometry_of(trailer);
    const uint32_t block = trailer->write_size;
    const uint32_t size = fota_trailer_size(trailer->mode, &geometry); /* UINT32_MAX: more than any slot */
    const bool power_of_two = (block != 0u) && ((block & (block - 1u)) == 0u);

    return power_of_two && (block <= FOTA_MAX_WRITE_SIZE) && (size != UINT32_MAX) && (size <= trailer->slot_size);
}

/* Fields only: they end at the same offsets whatever the number of status entries. */
static struct fota_trailer trailer_of(const struct fota_flash* slot) {
    const struct fota_trailer trailer = {slot->size, slot->write_size, 0u, FOTA_BOOT_MOVE};
    return trailer;
}

static enum fota_status read_flag(const struct fota_flash* slot, uint32_t offset, enum fota_flag* out) {
    uint8_t value = FOTA_ERASED;
    const enum fota_status status = read_bytes(slot, offset, &value, sizeof(value));
    if (value == FOTA_ERASED) {
        *out = FOTA_FLAG_UNSET;
    } else {
        *out = (value == FLAG_SET) ? FOTA_FLAG_SET : FOTA_FLAG_BAD;
    }
    return status;
}

static enum fota_status read_magic(const struct fota_flash* slot, uint32_t offset, enum fota_magic* out) {
    uint8_t expected[FOTA_TRAILER_MAGIC_SIZE];
    uint8_t found[FOTA_TRAILER_MAGIC_SIZE] = {0};
    const enum fota_status status = read_bytes(slot, offset, found, sizeof(found));

    make_magic(slot->write_size, expected);
    if (is_erased(found, sizeof(found))) {
        *out = FOTA_MAGIC_UNSET;
    } else {
        *out = (memcmp(expected, found, sizeof(found)) == 0) ? FOTA_MAGIC_GOOD : FOTA_MAGIC_BAD;
    }
    return status;
}

enum fota_status fota_trailer_read(const struct fota_flash* slot, struct fota_swap_state* out) {
    const struct fota_trailer trailer = trailer_of(slot);
    uint8_t info = FOTA_ERASED;

    if (!fota_trailer_fits(&trailer)) {
        return FOTA_ERR_ARGUMENT;
    }
    enum fota_status status = read_magic(slot, fota_trailer_magic_offset(&trailer), &out->magic);
    if (status == FOTA_OK) {
        status = read_flag(slot, fota_trailer_image_ok_offset(&trailer), &out->image_ok);
    }
    if (status == FOTA_OK) {
        status = read_flag(slot, fota_trailer_copy_done_offset(&trailer), &out->copy_done);
    }
    if (status == FOTA_OK) {
        status = read_bytes(slot, fota_trailer_swap_info_offset(&trailer), &info, sizeof(info));
    }
    /* The low half is the type, the high half the image number: 0 here. */
    switch (info & 0x0fu) {
        case (uint8_t)FOTA_SWAP_TEST:
            out->swap_type = FOTA_SWAP_TEST;
            break;
        case (uint8_t)FOTA_SWAP_PERMANENT:
            out->swap_type = FOTA_SWAP_PERMANENT;
            break;
        case (uint8_t)FOTA_SWAP_REVERT:
            out->swap_type = FOTA_SWAP_REVERT;
            break;
        default:
            out->swap_type = FOTA_SWAP_NONE;
            break;
    }
    return status;
}

/* The secondary slot's wish comes first; a primary that was swapped in and never confirmed goes back. Swap-using-offset
 * notes a revert that it has begun in the secondary slot, with a copy_done that no other request has. */
enum fota_swap_type fota_next_swap(enum fota_boot_mode mode, const struct fota_swap_state* primary,
                                   const struct fota_swap_state* secondary) {
    if ((mode == FOTA_BOOT_OFFSET) && (secondary->magic == FOTA_MAGIC_GOOD) &&
        (secondary->image_ok == FOTA_FLAG_UNSET) && (secondary->copy_done == FOTA_FLAG_SET)) {
        return FOTA_SWAP_REVERT;
    }
    if ((secondary->magic == FOTA_MAGIC_GOOD) && (secondary->image_ok == FOTA_FLAG_UNSET)) {
        return FOTA_SWAP_TEST;
    }
    if ((secondary->magic == FOTA_MAGIC_GOOD) && (secondary->image_ok == FOTA_FLAG_SET)) {
        return FOTA_SWAP_PERMANENT;
    }
    if ((primary->magic == FOTA_MAGIC_GOOD) && (primary->image_ok == FOTA_FLAG_UNSET) &&
        (primary->copy_done == FOTA_FLAG_SET)) {
        return FOTA_SWAP_REVERT;
    }
    return FOTA_SWAP_NONE;
}

/* Writes a field of at most 32 bytes, filled up to whole write blocks with erased bytes. */
static enum fota_status write_field(const struct fota_flash* slot, uint32_t offset, const uint8_t* value,
                                    uint32_t size) {
    uint8_t block[FOTA_MAX_WRITE_SIZE];
    const uint32_t whole = align_up(size, slot->write_size);

    if (whole > sizeof(block)) {
        return FOTA_ERR_ARGUMENT;
    }
    (void)memset(block, (int)FOTA_ERASED, sizeof(block));
    (void)memcpy(block, value, size);
    return (slot->write(slot->context, offset, block, whole) == 0) ? FOTA_OK : FOTA_ERR_IO;
}

static enum fota_status write_byte(const struct fota_flash* slot, uint32_t (*offset_of)(const struct fota_trailer*),
                                   uint8_t value) {
    const struct fota_trailer trailer = trailer_of(slot);
    return fota_trailer_fits(&trailer) ? write_field(slot, offset_of(&trailer), &value, sizeof(value))
                                       : FOTA_ERR_ARGUMENT;
}

enum fota_status fota_trailer_write_magic(const struct fota_flash* slot) {
    const struct fota_trailer trailer = trailer_of(slot);
    uint8_t block[FOTA_MAX_WRITE_SIZE];

    if (!fota_trailer_fits(&trailer)) {
        return FOTA_ERR_ARGUMENT;
    }
    /* The magic ends its slot; write blocks longer than it begin before it. */
    const uint32_t size = align_up(FOTA_TRAILER_MAGIC_SIZE, max_align(slot->write_size));
    (void)memset(block, (int)FOTA_ERASED, sizeof(block));
    make_magic(slot->write_size, &block[size - FOTA_TRAILER_MAGIC_SIZE]);
    return write_field(slot, trailer.slot_size - size, block, size);
}

enum fota_status fota_trailer_write_image_ok(const struct fota_flash* slot) {
    return write_byte(slot, fota_trailer_image_ok_offset, FLAG_SET);
}

enum fota_status fota_trailer_write_copy_done(const struct fota_flash* slot) {
    return write_byte(slot, fota_trailer_copy_done_offset, FLAG_SET);
}

enum fota_status fota_trailer_write_swap_info(const struct fota_flash* slot, enum fota_swap_type type) {
    return write_byte(slot, fota_trailer_swap_info_offset, (uint8_t)type);
}

static enum fota_status write_word(const struct fota_flash* slot, enum fota_boot_mode mode,
                                   uint32_t (*offset_of)(const struct fota_trailer*), uint32_t word) {
    const struct fota_trailer trailer = {slot->size, slot->write_size, 0u, mode};
    const uint8_t value[4] = {(uint8_t)word, (uint8_t)(word >> 8), (uint8_t)(word >> 16), (uint8_t)(word >> 24)};

    return fota_trailer_fits(&trailer) ? write_field(slot, offset_of(&trailer), value, sizeof(value))
                                       : FOTA_ERR_ARGUMENT;
}

enum fota_status fota_trailer_write_swap_size(const struct fota_flash* slot, enum fota_boot_mode mode, uint32_t size) {
    return write_word(slot, mode, fota_trailer_swap_size_offset, size);
}

enum fota_status fota_trailer_write_tlv_sizes(const struct fota_flash* slot, uint16_t primary, uint16_t secondary) {
    return write_word(slot, FOTA_BOOT_OFFSET, fota_trailer_tlv_sizes_offset, ((uint32_t)secondary << 16) | primary);
}

/* Like MCUboot's own boot_set_next the magic goes first, so an interrupted permanent request comes out as a test: the
 * weaker promise, which the application can still confirm. */
enum fota_status fota_mark_pending(const struct fota_flash* secondary, bool permanent) {
    struct fota_swap_state state;
    enum fota_status status = fota_trailer_read(secondary, &state);

    if ((status != FOTA_OK) || (state.magic == FOTA_MAGIC_GOOD)) {
        return status;
    }
    if (state.magic == FOTA_MAGIC_BAD) {
        return FOTA_ERR_STATE;
    }
    status = fota_trailer_write_magic(secondary);
    if ((status == FOTA_OK) && permanent) {
        status = fota_trailer_write_image_ok(secondary);
    }
    if (status == FOTA_OK) {
        status = fota_trailer_write_swap_info(secondary, permanent ? FOTA_SWAP_PERMANENT : FOTA_SWAP_TEST);
    }
    return status;
}

enum fota_status fota_mark_confirmed(const struct fota_flash* primary) {
    struct fota_swap_state state;
    const enum fota_status status = fota_trailer_read(primary, &state);

    if (status != FOTA_OK) {
        return status;
    }
    if (state.magic == FOTA_MAGIC_BAD) {
        return FOTA_ERR_STATE;
    }
    const bool needed = (state.magic == FOTA_MAGIC_GOOD) && (state.image_ok == FOTA_FLAG_UNSET);
    return needed ? fota_trailer_write_image_ok(primary) : FOTA_OK;
}
