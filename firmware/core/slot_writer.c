#include "core/slot_writer.h"

#include <string.h>

#include "core/package.h"

#define VERIFY_SIZE 64u

static bool geometry_ok(const struct fota_flash* flash) {
    const uint32_t block = flash->write_size;
    if ((block == 0u) || (block > FOTA_MAX_WRITE_SIZE) || ((block & (block - 1u)) != 0u)) {
        return false;
    }
    return (flash->erase_size != 0u) && ((flash->erase_size % block) == 0u) && (flash->size != 0u) &&
           ((flash->size % flash->erase_size) == 0u);
}

static enum fota_status fail(struct fota_slot_writer* writer) {
    writer->open = false;
    return FOTA_ERR_IO;
}

/* A part that was busy or browned out for a moment deserves a second try; erasing twice harms nothing. */
static bool erase(const struct fota_flash* flash, uint32_t sector) {
    return (flash->erase(flash->context, sector, flash->erase_size) == 0) ||
           (flash->erase(flash->context, sector, flash->erase_size) == 0);
}

static enum fota_status erase_trailer(struct fota_slot_writer* writer) {
    const struct fota_flash* flash = writer->flash;
    const uint32_t last = flash->size - flash->erase_size;

    writer->trailer_stale = false;
    /* A package that reaches into the trailer's sector has had it erased already. */
    if (writer->erased_to > last) {
        return FOTA_OK;
    }
    return erase(flash, last) ? FOTA_OK : fail(writer);
}

enum fota_status fota_slot_writer_begin(struct fota_slot_writer* writer, const struct fota_flash* flash,
                                        const struct fota_hash* hash, uint32_t limit, uint32_t resume_at,
                                        uint32_t checksum) {
    static const struct fota_slot_writer closed = {0};

    *writer = closed;
    if (!geometry_ok(flash) || (limit > flash->size)) {
        return FOTA_ERR_ARGUMENT;
    }
    if ((resume_at > limit) || ((resume_at % flash->erase_size) != 0u)) {
        return FOTA_ERR_RANGE;
    }
    writer->flash = flash;
    writer->hash = hash;
    writer->limit = limit;
    writer->programmed = resume_at;
    writer->erased_to = resume_at; /* what lies there may be half written */
    writer->checksum = (resume_at == 0u) ? 0u : checksum;
    writer->sectors_end = resume_at;
    writer->sectors_checksum = writer->checksum;
    if (resume_at == 0u) {
        if ((hash != NULL) && (hash->start(hash->context) != 0)) {
            return FOTA_ERR_IO;
        }
        struct fota_swap_state trailer;
        const enum fota_status status = fota_trailer_read(flash, &trailer);
        if (status != FOTA_OK) {
            return status;
        }
        if ((trailer.magic != FOTA_MAGIC_UNSET) && (erase_trailer(writer) != FOTA_OK)) {
            return FOTA_ERR_IO;
        }
        writer->trailer_stale = (trailer.magic == FOTA_MAGIC_UNSET);
    } else {
        /* Whether the trailer was erased before the reset is not known; once more harms nothing. */
        writer->trailer_stale = true;
    }
    writer->open = true;
    return FOTA_OK;
}

enum { HOLDS_DATA, HOLDS_NOTHING, HOLDS_OTHER };

static bool is_erased(const uint8_t* bytes, uint32_t size) {
    for (uint32_t i = 0u; i < size; i++) {
        if (bytes[i] != FOTA_ERASED) {
            return false;
        }
    }
    return true;
}

/* What the flash holds at `offset`: the data, erased bytes, or anything else (a failed read included). */
static int content(const struct fota_flash* flash, uint32_t offset, const uint8_t* data, uint32_t size) {
    uint8_t buffer[VERIFY_SIZE];
    bool same = true;
    bool erased = true;

    for (uint32_t at = 0u; (at < size) && (same || erased);) {
        const uint32_t left = size - at;
        const uint32_t part = (left < VERIFY_SIZE) ? left : VERIFY_SIZE;
        if (flash->read(flash->context, offset + at, buffer, part) != 0) {
            return HOLDS_OTHER;
        }
        same = same && (memcmp(buffer, &data[at], part) == 0);
        erased = erased && is_erased(buffer, part);
        at += part;
    }
    if (same) {
        return HOLDS_DATA;
    }
    return erased ? HOLDS_NOTHING : HOLDS_OTHER;
}

/* Whatever the driver reports, the bytes read back decide. */
static bool program(const struct fota_flash* flash, uint32_t offset, const uint8_t* data, uint32_t size) {
    for (uint32_t attempt = 0u; attempt < 2u; attempt++) {
        (void)flash->write(flash->context, offset, data, size);
        const int found = content(flash, offset, data, size);
        if (found == HOLDS_DATA) {
            return true;
        }
        if (found == HOLDS_OTHER) {
            return false;
        }
    }
    return false;
}

/* Programs whole write blocks inside one sector; `useful` of the `size` bytes belong to the package. */
static enum fota_status put(struct fota_slot_writer* writer, const uint8_t* data, uint32_t size, uint32_t useful) {
    const struct fota_flash* flash = writer->flash;

    if ((writer->programmed + size) > writer->erased_to) {
        if (!erase(flash, writer->erased_to)) {
            return fail(writer);
        }
        writer->erased_to += flash->erase_size;
    }
    if (!program(flash, writer->programmed, data, size)) {
        return fail(writer);
    }
    if ((writer->hash != NULL) && (writer->hash->update(writer->hash->context, data, useful) != 0)) {
        return fail(writer);
    }
    writer->programmed += useful;
    writer->checksum = fota_crc32(writer->checksum, data, useful);
    if ((writer->programmed % flash->erase_size) == 0u) {
        writer->sectors_end = writer->programmed;
        writer->sectors_checksum = writer->checksum;
    }
    return FOTA_OK;
}

enum fota_status fota_slot_writer_write(struct fota_slot_writer* writer, const void* data, size_t size) {
    const uint8_t* bytes = (const uint8_t*)data;
    enum fota_status status = FOTA_OK;

    if (!writer->open) {
        return FOTA_ERR_STATE;
    }
    if (size > (size_t)(writer->limit - fota_slot_writer_received(writer))) {
        return FOTA_ERR_RANGE;
    }
    const uint32_t block = writer->flash->write_size;
    uint32_t left = (uint32_t)size;
    while ((left > 0u) && (status == FOTA_OK)) {
        uint32_t taken;
        if ((writer->tail_size > 0u) || (left < block)) {
            const uint32_t room = block - writer->tail_size;
            taken = (left < room) ? left : room;
            (void)memcpy(&writer->tail[writer->tail_size], bytes, taken);
            writer->tail_size = (uint8_t)(writer->tail_size + taken);
            if (writer->tail_size == block) {
                writer->tail_size = 0u;
                status = put(writer, writer->tail, block, block);
            }
        } else {
            const uint32_t sector_left = writer->flash->erase_size - (writer->programmed % writer->flash->erase_size);
            const uint32_t whole = left - (left % block);
            taken = (whole < sector_left) ? whole : sector_left;
            status = put(writer, bytes, taken, taken);
        }
        bytes = &bytes[taken];
        left -= taken;
    }
    return status;
}

enum fota_status fota_slot_writer_prepare(struct fota_slot_writer* writer) {
    if (!writer->open) {
        return FOTA_ERR_STATE;
    }
    const uint32_t sector = writer->flash->erase_size;
    if (((writer->erased_to - writer->programmed) < sector) && (writer->erased_to < writer->limit)) {
        if (!erase(writer->flash, writer->erased_to)) {
            return fail(writer);
        }
        writer->erased_to += sector;
        return FOTA_OK;
    }
    return writer->trailer_stale ? erase_trailer(writer) : FOTA_OK;
}

enum fota_status fota_slot_writer_rewind(struct fota_slot_writer* writer) {
    writer->tail_size = 0u;
    return writer->open ? FOTA_OK : FOTA_ERR_STATE;
}

enum fota_status fota_slot_writer_finish(struct fota_slot_writer* writer) {
    enum fota_status status = FOTA_OK;

    if (!writer->open) {
        return FOTA_ERR_STATE;
    }
    if (writer->tail_size > 0u) {
        const uint32_t block = writer->flash->write_size;
        const uint32_t useful = writer->tail_size;
        (void)memset(&writer->tail[useful], (int)FOTA_ERASED, block - useful);
        writer->tail_size = 0u;
        status = put(writer, writer->tail, block, useful);
    }
    if ((status == FOTA_OK) && writer->trailer_stale) {
        status = erase_trailer(writer);
    }
    writer->open = false;
    return status;
}

uint32_t fota_slot_writer_received(const struct fota_slot_writer* writer) {
    return writer->programmed + writer->tail_size;
}

uint32_t fota_slot_writer_resume_point(const struct fota_slot_writer* writer) {
    return writer->sectors_end;
}
