/* firmware/core's tests on its own processor: the checks of the host tests (beside this folder) that need no C++, on
 * the same images, in the instruction set and with the compiler options that a device gets. */
#include <stdbool.h>
#include <string.h>

#include "core/area.h"
#include "core/mcuboot.h"
#include "core/package.h"
#include "core/sfdp.h"
#include "core/sha256.h"
#include "core/slot_limit.h"
#include "core/slot_writer.h"
#include "machine.h"
#include "memory_nor.h"

#define LIMIT (NOR_SIZE - 8192u)

static uint8_t cells[NOR_SIZE];
static uint8_t package_bytes[NOR_SIZE];
static struct nor nor;
static struct fota_sha256 sha_state;
static struct fota_sha256 package_sha_state;
static const struct fota_hash sha = {&sha_state, fota_sha256_start, fota_sha256_update, fota_sha256_digest};
static const struct fota_hash package_sha = {&package_sha_state, fota_sha256_start, fota_sha256_update,
                                             fota_sha256_digest};
static uint32_t checks;
static uint32_t failures;

static void report(bool good, const char* what, uint32_t line, uint32_t found, uint32_t expected) {
    checks++;
    if (good) {
        return;
    }
    failures++;
    say("core_test.c:");
    say_number(line);
    say(": ");
    say(what);
    say(": expected ");
    say_number(expected);
    say(", found ");
    say_number(found);
    say("\n");
}

#define CHECK_EQ(found, expected) report_equal(#found, __LINE__, (uint32_t)(found), (uint32_t)(expected))
#define CHECK(condition) report((condition), #condition, __LINE__, 0u, 1u)

static void report_equal(const char* what, uint32_t line, uint32_t found, uint32_t expected) {
    report(found == expected, what, line, found, expected);
}

static bool holds(uint32_t offset, const uint8_t* bytes, uint32_t size) {
    return memcmp(&cells[offset], bytes, size) == 0;
}

static void make_pattern(uint32_t size, uint32_t seed) {
    for (uint32_t i = 0u; i < size; i++) {
        seed = (seed * 1664525u) + 1013904223u;
        package_bytes[i] = (uint8_t)(seed >> 24);
    }
}

static uint32_t random_state = 12345u;

static uint32_t next_random(void) {
    random_state = (random_state * 1664525u) + 1013904223u;
    return random_state >> 8;
}

/* An image of tests/data/mcuboot at the start of an erased slot; its size. */
static uint32_t load(const char* name) {
    nor_init(&nor, cells, 4u);
    const size_t size = read_host_file(name, cells, sizeof(cells));
    if (size == 0u) {
        say(name);
        say(": cannot be read\n");
    }
    CHECK(size != 0u);
    return (uint32_t)size;
}

/* ---- images ---- */

static void image_is_walked(void) {
    struct fota_image_extent image;

    (void)load("img/p256-4k.bin");
    CHECK_EQ(fota_image_walk(&nor.flash, NOR_SIZE, &image), FOTA_OK);
    CHECK_EQ(image.header.header_size, 0x200u);
    CHECK_EQ(image.header.image_size, 4096u);
    CHECK_EQ(image.header.version.major, 1u);
    CHECK_EQ(image.header.version.minor, 2u);
    CHECK_EQ(image.header.version.revision, 3u);
    CHECK_EQ(image.header.version.build, 4u);
    CHECK_EQ(image.hashed_size, 4608u);
    CHECK_EQ(image.end, 4758u);
    CHECK_EQ(image.hash_offset, 4616u);
    CHECK_EQ(fota_image_walk(&nor.flash, 4758u, &image), FOTA_OK);
    CHECK_EQ(fota_image_walk(&nor.flash, 4757u, &image), FOTA_ERR_RANGE);
    CHECK_EQ(fota_image_walk(&nor.flash, NOR_SIZE + 1u, &image), FOTA_ERR_RANGE);
}

static void hash_is_checked(void) {
    static const char* const good[] = {"img/p256-seccnt-auto.bin", "img/p256-deps.bin", "img/rsa2048-4k.bin"};
    struct fota_image_extent image;

    for (uint32_t i = 0u; i < (sizeof(good) / sizeof(good[0])); i++) {
        (void)load(good[i]);
        CHECK_EQ(fota_image_check(&nor.flash, NOR_SIZE, &sha, &image), FOTA_OK);
        cells[image.hashed_size - 1u] ^= 1u;
        CHECK(fota_image_check(&nor.flash, NOR_SIZE, &sha, NULL) != FOTA_OK);
    }
    (void)load("img/p384-4k.bin");
    CHECK_EQ(fota_image_check(&nor.flash, NOR_SIZE, &sha, NULL), FOTA_ERR_UNSUPPORTED);
    (void)load("img/enc-p256-aes128.bin");
    CHECK_EQ(fota_image_check(&nor.flash, NOR_SIZE, &sha, NULL), FOTA_ERR_UNSUPPORTED);
    (void)load("bad/no-hash.bin");
    CHECK_EQ(fota_image_check(&nor.flash, NOR_SIZE, &sha, NULL), FOTA_ERR_FORMAT);
    (void)load("bad/flip-payload-mid.bin");
    CHECK_EQ(fota_image_check(&nor.flash, NOR_SIZE, &sha, NULL), FOTA_ERR_MISMATCH);
    (void)load("img/p256-4k.bin");
    nor.failing_reads = 1u;
    CHECK_EQ(fota_image_check(&nor.flash, NOR_SIZE, &sha, NULL), FOTA_ERR_IO);
}

static void running_hash_is_read(void) {
    uint8_t hash[FOTA_IMAGE_HASH_MAX];
    uint16_t size = 0u;

    (void)load("img/p256-4k.bin");
    CHECK_EQ(fota_image_read_hash(&nor.flash, NOR_SIZE, hash, &size), FOTA_OK);
    CHECK_EQ(size, 32u);
    CHECK(holds(4616u, hash, 32u));
    (void)load("img/ed25519-sha512.bin");
    CHECK_EQ(fota_image_read_hash(&nor.flash, NOR_SIZE, hash, &size), FOTA_OK);
    CHECK_EQ(size, 64u);
    nor_init(&nor, cells, 4u);
    CHECK_EQ(fota_image_read_hash(&nor.flash, NOR_SIZE, hash, &size), FOTA_ERR_FORMAT);
}

static void hostile_images_are_refused(void) {
    static const char* const bad[] = {"bad/img-size-wrap.bin",    "bad/hdr-size-ffff.bin", "bad/prot-total-ffff.bin",
                                      "bad/tlv-total-minus1.bin", "bad/flip-magic.bin",    "bad/img-size-plus1.bin"};
    struct fota_image_extent image;

    for (uint32_t i = 0u; i < (sizeof(bad) / sizeof(bad[0])); i++) {
        (void)load(bad[i]);
        CHECK(fota_image_walk(&nor.flash, NOR_SIZE, &image) != FOTA_OK);
    }
    const uint32_t size = load("img/p256-customtlv.bin");
    (void)memcpy(package_bytes, cells, size);
    for (uint32_t i = 0u; i < 2000u; i++) {
        (void)memcpy(cells, package_bytes, size);
        for (uint32_t flips = 0u; flips < 4u; flips++) {
            const uint32_t at = ((next_random() % 2u) == 0u) ? (next_random() % 32u) : (next_random() % size);
            cells[at] = (uint8_t)next_random();
        }
        if (fota_image_walk(&nor.flash, 4096u, &image) == FOTA_OK) {
            CHECK(image.end <= 4096u);
        }
    }
    CHECK_EQ(nor.violations, 0u);
}

/* ---- trailer ---- */

static void trailer_is_imgtools(void) {
    struct fota_swap_state state;
    static uint8_t end[256];

    const uint32_t size = load("img/p256-pad-align4.bin");
    CHECK_EQ(size, NOR_SIZE);
    CHECK_EQ(fota_trailer_read(&nor.flash, &state), FOTA_OK);
    CHECK_EQ(state.magic, FOTA_MAGIC_GOOD);
    CHECK_EQ(state.image_ok, FOTA_FLAG_UNSET);
    (void)memcpy(end, &cells[NOR_SIZE - sizeof(end)], sizeof(end));
    nor_init(&nor, cells, 4u);
    CHECK_EQ(fota_trailer_write_magic(&nor.flash), FOTA_OK);
    CHECK(holds(NOR_SIZE - sizeof(end), end, sizeof(end)));
}

static void trailer_of_each_mode(void) {
    const struct fota_trailer move = {0xe8000u, 4u, 256u, FOTA_BOOT_MOVE};
    const struct fota_trailer offset = {0xe9000u, 4u, 256u, FOTA_BOOT_OFFSET};
    const struct fota_trailer overwrite = {0xe8000u, 4u, 256u, FOTA_BOOT_OVERWRITE};
    const struct fota_trailer scratch = {4096u, 4u, 1u, FOTA_BOOT_SCRATCH};
    const struct fota_trailer absurd = {0xffffffffu, 32u, 0xffffffffu, FOTA_BOOT_MOVE};

    CHECK_EQ(fota_trailer_status_offset(&move), 0xe8000u - 48u - 3072u);
    CHECK_EQ(fota_trailer_swap_size_offset(&move), 0xe8000u - 48u);
    CHECK_EQ(fota_trailer_status_offset(&offset), 0xe9000u - 56u - 2048u);
    CHECK_EQ(fota_trailer_swap_size_offset(&offset), 0xe9000u - 56u);
    CHECK_EQ(fota_trailer_tlv_sizes_offset(&offset), 0xe9000u - 48u);
    CHECK_EQ(fota_trailer_status_offset(&overwrite), 0xe8000u - 40u);
    CHECK_EQ(fota_trailer_status_offset(&scratch), 4096u - 60u);
    CHECK(!fota_trailer_fits(&absurd));
}

static void pending_and_confirmed(void) {
    static const enum fota_boot_mode modes[] = {FOTA_BOOT_MOVE, FOTA_BOOT_OFFSET, FOTA_BOOT_SCRATCH,
                                                FOTA_BOOT_OVERWRITE};
    const struct fota_swap_state running = {FOTA_MAGIC_UNSET, FOTA_FLAG_UNSET, FOTA_FLAG_UNSET, FOTA_SWAP_NONE};
    const struct fota_swap_state tried = {FOTA_MAGIC_GOOD, FOTA_FLAG_UNSET, FOTA_FLAG_SET, FOTA_SWAP_TEST};
    struct fota_swap_state state;

    for (uint32_t i = 0u; i < 4u; i++) {
        for (uint32_t permanent = 0u; permanent < 2u; permanent++) {
            nor_init(&nor, cells, 4u);
            CHECK_EQ(fota_mark_pending(&nor.flash, permanent != 0u), FOTA_OK);
            CHECK_EQ(fota_trailer_read(&nor.flash, &state), FOTA_OK);
            CHECK_EQ(fota_next_swap(modes[i], &running, &state),
                     (permanent != 0u) ? FOTA_SWAP_PERMANENT : FOTA_SWAP_TEST);
            const uint32_t writes = nor.writes;
            CHECK_EQ(fota_mark_pending(&nor.flash, permanent != 0u), FOTA_OK);
            CHECK_EQ(nor.writes, writes);
        }
        CHECK_EQ(fota_next_swap(modes[i], &tried, &running), FOTA_SWAP_REVERT);
    }
    nor_init(&nor, cells, 4u);
    CHECK_EQ(fota_mark_confirmed(&nor.flash), FOTA_OK);
    CHECK_EQ(nor.writes, 0u);
    CHECK_EQ(fota_trailer_write_magic(&nor.flash), FOTA_OK);
    CHECK_EQ(fota_mark_confirmed(&nor.flash), FOTA_OK);
    CHECK_EQ(fota_trailer_read(&nor.flash, &state), FOTA_OK);
    CHECK_EQ(state.image_ok, FOTA_FLAG_SET);
    cells[NOR_SIZE - 1u] = 0u;
    CHECK_EQ(fota_mark_confirmed(&nor.flash), FOTA_ERR_STATE);
    CHECK_EQ(fota_mark_pending(&nor.flash, false), FOTA_ERR_STATE);
}

static void image_limits(void) {
    const struct fota_slot_geometry quarter = {256u * 1024u, 256u * 1024u, 4096u, 128u, 4u};
    const struct fota_slot_geometry dk = {0xe8000u, 0xe8000u, 4096u, 512u, 4u};
    const struct fota_slot_geometry absurd = {0xffffffffu, 0xffffffffu, 4096u, 0xffffffffu, 0xffffffffu};

    CHECK_EQ(fota_image_limit(FOTA_BOOT_MOVE, &quarter), 253952u);
    CHECK_EQ(fota_image_limit(FOTA_BOOT_OFFSET, &quarter), 253952u);
    CHECK_EQ(fota_image_limit(FOTA_BOOT_SCRATCH, &quarter), 260560u);
    CHECK_EQ(fota_image_limit(FOTA_BOOT_OVERWRITE, &quarter), 262104u);
    CHECK_EQ(fota_image_limit(FOTA_BOOT_MOVE, &dk), 0xe5000u);
    CHECK_EQ(fota_image_limit(FOTA_BOOT_SCRATCH, &absurd), 0u);
}

/* ---- SFDP ---- */

static const uint8_t mx25r[64] = {0xe5, 0x20, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x03, 0x44, 0xeb, 0x08, 0x6b, 0x08,
                                  0x3b, 0x04, 0xbb, 0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0xff, 0xff, 0xff,
                                  0x00, 0xff, 0x0c, 0x20, 0x0f, 0x52, 0x10, 0xd8, 0x00, 0xff, 0x23, 0x72, 0xf5,
                                  0x00, 0x82, 0xed, 0x04, 0xcc, 0x44, 0x83, 0x68, 0x44, 0x30, 0xb0, 0x30, 0xb0,
                                  0xf7, 0xc4, 0xd5, 0x5c, 0x00, 0xbe, 0x29, 0xff, 0xf0, 0xd0, 0xff, 0xff};

static int read_sfdp(void* context, uint32_t offset, void* data, size_t size) {
    static const uint8_t header[16] = {'S',   'F',   'D',   'P', 0x06, 0x01, 0x00, 0xff,
                                       0x00u, 0x06u, 0x01u, 16u, 0x30, 0x00, 0x00, 0xff};
    uint8_t* out = data;
    (void)context;
    for (size_t i = 0u; i < size; i++) {
        const size_t at = offset + i;
        out[i] = (at < sizeof(header)) ? header[at] : 0xffu;
        if ((at >= 0x30u) && (at < (0x30u + sizeof(mx25r)))) {
            out[i] = mx25r[at - 0x30u];
        }
    }
    return 0;
}

static void sfdp_is_decoded(void) {
    struct fota_bfp_location at;
    struct fota_sfdp part;
    uint8_t table[FOTA_SFDP_BFP_MAX];

    CHECK_EQ(fota_sfdp_find(read_sfdp, NULL, &at), FOTA_OK);
    CHECK_EQ(at.offset, 0x30u);
    CHECK_EQ(at.size, 64u);
    (void)read_sfdp(NULL, at.offset, table, at.size);
    CHECK_EQ(fota_bfp_decode(table, at.size, &part), FOTA_OK);
    CHECK_EQ(part.size, 8u << 20);
    CHECK_EQ(part.page_size, 256u);
    CHECK_EQ(part.page_program_us, 896u);
    CHECK_EQ(part.erase[0].typical_ms, 48u);
    CHECK_EQ(part.erase[0].max_ms, 384u);
    CHECK_EQ(fota_sfdp_erase_of(&part, 4096u)->opcode, 0x20u);
    CHECK_EQ(fota_sfdp_erase_at(&part, 0x8000u, 65536u)->opcode, 0x52u);
    CHECK(fota_sfdp_erase_at(&part, 1u, 65536u) == NULL);
    CHECK_EQ(fota_bfp_decode(table, 35u, &part), FOTA_ERR_FORMAT);
}

/* ---- the slot writer and its bookkeeping ---- */

static void any_chunks_give_the_same_slot(void) {
    for (uint32_t block = 1u; block <= 32u; block *= 2u) {
        struct fota_slot_writer writer;
        const uint32_t size = 1u + (next_random() % (LIMIT - 1u));
        uint8_t stored[FOTA_DIGEST_SIZE];
        uint8_t whole[FOTA_DIGEST_SIZE];

        make_pattern(size, block);
        nor_init(&nor, cells, block);
        (void)memset(cells, 0x5a, sizeof(cells));
        CHECK_EQ(fota_slot_writer_begin(&writer, &nor.flash, &package_sha, LIMIT, 0u, 0u), FOTA_OK);
        for (uint32_t at = 0u; at < size;) {
            const uint32_t wanted = next_random() % 1500u;
            const uint32_t part = (wanted < (size - at)) ? wanted : (size - at);
            CHECK_EQ(fota_slot_writer_write(&writer, &package_bytes[at], part), FOTA_OK);
            at += part;
        }
        CHECK_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
        CHECK(holds(0u, package_bytes, size));
        CHECK_EQ(writer.programmed, size);
        (void)sha.start(sha.context);
        (void)sha.update(sha.context, package_bytes, size);
        (void)sha.digest(sha.context, whole);
        (void)package_sha.digest(package_sha.context, stored);
        CHECK_EQ(memcmp(stored, whole, sizeof(whole)), 0);
        CHECK_EQ(nor.violations, 0u);
        CHECK_EQ(fota_mark_pending(&nor.flash, false), FOTA_OK);
    }
}

static void no_block_waits_for_two_erases(void) {
    struct fota_slot_writer writer;

    make_pattern(LIMIT, 1u);
    for (uint32_t ahead = 0u; ahead < 2u; ahead++) {
        nor_init(&nor, cells, 4u);
        (void)memset(cells, 0x5a, NOR_SIZE - NOR_SECTOR);
        for (uint32_t at = 0u; at < LIMIT; at += 512u) {
            const uint32_t erases = nor.erases;
            if (at == 0u) {
                CHECK_EQ(fota_slot_writer_begin(&writer, &nor.flash, NULL, LIMIT, 0u, 0u), FOTA_OK);
            }
            CHECK_EQ(fota_slot_writer_write(&writer, &package_bytes[at], 512u), FOTA_OK);
            CHECK((nor.erases - erases) <= (((ahead != 0u) && (at != 0u)) ? 0u : 1u));
            if (ahead != 0u) {
                CHECK_EQ(fota_slot_writer_prepare(&writer), FOTA_OK);
            }
        }
        CHECK_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
        CHECK(holds(0u, package_bytes, LIMIT));
        CHECK_EQ(nor.erases, 1u + (LIMIT / NOR_SECTOR));
    }
}

static void failures_are_tolerated_or_final(void) {
    struct fota_slot_writer writer;

    make_pattern(20000u, 3u);
    nor_init(&nor, cells, 4u);
    CHECK_EQ(fota_slot_writer_begin(&writer, &nor.flash, NULL, LIMIT, 0u, 0u), FOTA_OK);
    for (uint32_t at = 0u; at < 20000u; at += 1000u) {
        nor.failing_erases = (at == 4000u) ? 1u : 0u;
        nor.failing_writes = (at == 7000u) ? 1u : 0u;
        nor.lost_writes = (at == 9000u) ? 1u : 0u;
        CHECK_EQ(fota_slot_writer_write(&writer, &package_bytes[at], 1000u), FOTA_OK);
    }
    CHECK_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
    CHECK(holds(0u, package_bytes, 20000u));
    CHECK_EQ(fota_slot_writer_begin(&writer, &nor.flash, NULL, LIMIT, 0u, 0u), FOTA_OK);
    nor.lost_writes = 2u;
    CHECK_EQ(fota_slot_writer_write(&writer, package_bytes, 1000u), FOTA_ERR_IO);
    CHECK_EQ(fota_slot_writer_write(&writer, package_bytes, 1000u), FOTA_ERR_STATE);
    CHECK_EQ(fota_slot_writer_begin(&writer, &nor.flash, NULL, LIMIT, 100u, 0u), FOTA_ERR_RANGE);
    CHECK_EQ(fota_slot_writer_begin(&writer, &nor.flash, NULL, NOR_SIZE + 1u, 0u, 0u), FOTA_ERR_ARGUMENT);
}

static void resumes_after_a_reset(void) {
    static const uint32_t resets[] = {0u, 1u, 4095u, 4096u, 5000u, 20001u, 39999u};
    uint8_t record[FOTA_PACKAGE_RECORD_SIZE];

    make_pattern(40000u, 1u);
    for (uint32_t i = 0u; i < (sizeof(resets) / sizeof(resets[0])); i++) {
        struct fota_slot_writer writer;
        struct fota_package stored;

        nor_init(&nor, cells, 4u);
        CHECK_EQ(fota_slot_writer_begin(&writer, &nor.flash, NULL, LIMIT, 0u, 0u), FOTA_OK);
        CHECK_EQ(fota_slot_writer_write(&writer, package_bytes, resets[i]), FOTA_OK);
        stored = fota_package_of(&writer);
        fota_package_encode(&stored, record);
        (void)memset(&writer, 0xee, sizeof(writer));
        (void)memset(&stored, 0xee, sizeof(stored));
        CHECK_EQ(fota_package_decode(record, &stored), FOTA_OK);
        CHECK_EQ(stored.length, (resets[i] / 4096u) * 4096u);
        CHECK_EQ(fota_package_restore(&stored, &nor.flash, &package_sha), FOTA_OK);
        CHECK_EQ(fota_slot_writer_begin(&writer, &nor.flash, &package_sha, LIMIT, stored.length, stored.checksum),
                 FOTA_OK);
        CHECK_EQ(fota_slot_writer_write(&writer, &package_bytes[stored.length], 40000u - stored.length), FOTA_OK);
        CHECK_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
        CHECK(holds(0u, package_bytes, 40000u));
        cells[100] ^= 1u;
        stored.length = 8192u;
        CHECK_EQ(fota_package_restore(&stored, &nor.flash, NULL), FOTA_ERR_MISMATCH);
        for (uint32_t bit = 0u; bit < (8u * sizeof(record)); bit++) {
            record[bit / 8u] ^= (uint8_t)(1u << (bit % 8u));
            CHECK_EQ(fota_package_decode(record, &stored), FOTA_ERR_FORMAT);
            record[bit / 8u] ^= (uint8_t)(1u << (bit % 8u));
        }
    }
    CHECK_EQ(fota_crc32(0u, "123456789", 9u), 0xcbf43926u);
}

static void sha256_is_the_standards(void) {
    /* FIPS 180-4's examples: nothing, one block, two blocks. */
    static const char* const text[] = {"", "abc", "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"};
    static const uint8_t expected[][FOTA_DIGEST_SIZE] = {
        {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24,
         0x27, 0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55},
        {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
         0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad},
        {0x24, 0x8d, 0x6a, 0x61, 0xd2, 0x06, 0x38, 0xb8, 0xe5, 0xc0, 0x26, 0x93, 0x0c, 0x3e, 0x60, 0x39,
         0xa3, 0x3c, 0xe4, 0x59, 0x64, 0xff, 0x21, 0x67, 0xf6, 0xec, 0xed, 0xd4, 0x19, 0xdb, 0x06, 0xc1}};
    uint8_t digest[FOTA_DIGEST_SIZE];

    for (uint32_t i = 0u; i < 3u; i++) {
        CHECK_EQ(sha.start(sha.context), 0);
        CHECK_EQ(sha.update(sha.context, text[i], strlen(text[i])), 0);
        CHECK_EQ(sha.digest(sha.context, digest), 0);
        CHECK(memcmp(digest, expected[i], sizeof(expected[i])) == 0);
    }
}

static void upload_for_swap_using_offset(void) {
    struct fota_area area;
    struct fota_slot_writer writer;
    const uint32_t size = load("img/p256-4k.bin");

    (void)memcpy(package_bytes, cells, size);
    CHECK_EQ(fota_area_clear_header(&nor.flash, FOTA_BOOT_OFFSET), FOTA_OK);
    CHECK_EQ(cells[0], FOTA_ERASED);
    CHECK_EQ(fota_area_for_upload(&area, &nor.flash, FOTA_BOOT_OFFSET), FOTA_OK);
    CHECK_EQ(fota_slot_writer_begin(&writer, &area.flash, NULL, 40000u, 0u, 0u), FOTA_OK);
    CHECK_EQ(fota_slot_writer_write(&writer, package_bytes, size), FOTA_OK);
    CHECK_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
    CHECK(holds(NOR_SECTOR, package_bytes, size));
    CHECK_EQ(fota_image_check(&area.flash, 40000u, &sha, NULL), FOTA_OK);
}

int main(void) {
    static void (*const tests[])(void) = {sha256_is_the_standards,
                                          image_is_walked,
                                          hash_is_checked,
                                          running_hash_is_read,
                                          hostile_images_are_refused,
                                          trailer_is_imgtools,
                                          trailer_of_each_mode,
                                          pending_and_confirmed,
                                          image_limits,
                                          sfdp_is_decoded,
                                          any_chunks_give_the_same_slot,
                                          no_block_waits_for_two_erases,
                                          failures_are_tolerated_or_final,
                                          resumes_after_a_reset,
                                          upload_for_swap_using_offset};
    const uint32_t count = sizeof(tests) / sizeof(tests[0]);
    uint32_t deepest = 0u;

    for (uint32_t i = 0u; i < count; i++) {
        stack_paint();
        tests[i]();
        const uint32_t used = stack_used();
        deepest = (used > deepest) ? used : deepest;
    }
    say_number(count);
    say(" tests, ");
    say_number(checks);
    say(" checks, ");
    say_number(failures);
    say(" failed; RAM: slot writer ");
    say_number(sizeof(struct fota_slot_writer));
    say(" bytes, deepest stack ");
    say_number(deepest);
    say(" bytes with the test's own\n");
    return (failures != 0u) ? 1 : 0;
}
