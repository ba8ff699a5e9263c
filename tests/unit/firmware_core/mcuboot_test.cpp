#include "core/mcuboot.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "strict_nor.hpp"

namespace fota {
namespace {

using test::load;
using test::StrictNor;
using test::TestHash;

void put(StrictNor& nor, BytesView bytes) {
    std::ranges::copy(bytes, nor.cells.begin());
}

TEST(CoreImage, WalksWhatImgtoolMade) {
    StrictNor nor(65536);
    put(nor, load("mcuboot/img/p256-4k.bin"));
    fota_image_extent image{};
    ASSERT_EQ(fota_image_walk(&nor.flash, 65536, &image), FOTA_OK);
    EXPECT_EQ(image.header.header_size, 0x200);
    EXPECT_EQ(image.header.image_size, 4096u);
    EXPECT_EQ(image.header.version.major, 1);
    EXPECT_EQ(image.header.version.minor, 2);
    EXPECT_EQ(image.header.version.revision, 3);
    EXPECT_EQ(image.header.version.build, 4u);
    EXPECT_EQ(image.hashed_size, 4608u);
    EXPECT_EQ(image.end, 4758u);
    EXPECT_EQ(image.hash_offset, 4616u);
    EXPECT_EQ(image.hash_type, FOTA_TLV_SHA256);
    // The last byte counts.
    EXPECT_EQ(fota_image_walk(&nor.flash, 4758, &image), FOTA_OK);
    EXPECT_EQ(fota_image_walk(&nor.flash, 4757, &image), FOTA_ERR_RANGE);
    EXPECT_EQ(fota_image_walk(&nor.flash, 65537, &image), FOTA_ERR_RANGE);
}

TEST(CoreImage, TheHashCoversProtectedTlvs) {
    for (const char* name : {"p256-seccnt-auto", "p256-deps", "p256-customtlv", "p256-bootrecord", "rsa2048-4k"}) {
        StrictNor nor(65536);
        TestHash hash;
        put(nor, load(std::string("mcuboot/img/") + name + ".bin"));
        fota_image_extent image{};
        EXPECT_EQ(fota_image_check(&nor.flash, 65536, &hash.hash, &image), FOTA_OK) << name;
        nor.cells[image.hashed_size - 1] ^= 1;
        EXPECT_NE(fota_image_check(&nor.flash, 65536, &hash.hash, nullptr), FOTA_OK) << name;
    }
}

TEST(CoreImage, SaysWhatItCannotJudge) {
    TestHash hash;
    for (const char* name : {"ed25519-sha512", "p384-4k", "enc-p256-aes128"}) {
        StrictNor nor(65536);
        put(nor, load(std::string("mcuboot/img/") + name + ".bin"));
        EXPECT_EQ(fota_image_check(&nor.flash, 65536, &hash.hash, nullptr), FOTA_ERR_UNSUPPORTED) << name;
    }
    StrictNor none(65536);
    put(none, load("mcuboot/bad/no-hash.bin"));
    EXPECT_EQ(fota_image_check(&none.flash, 65536, &hash.hash, nullptr), FOTA_ERR_FORMAT);
    StrictNor erased(65536);
    EXPECT_EQ(fota_image_check(&erased.flash, 65536, &hash.hash, nullptr), FOTA_ERR_FORMAT);
    StrictNor other(65536);
    put(other, load("mcuboot/bad/flip-payload-mid.bin"));
    EXPECT_EQ(fota_image_check(&other.flash, 65536, &hash.hash, nullptr), FOTA_ERR_MISMATCH);
    StrictNor broken(65536);
    put(broken, load("mcuboot/img/p256-4k.bin"));
    broken.failing_reads = 1;
    EXPECT_EQ(fota_image_check(&broken.flash, 65536, &hash.hash, nullptr), FOTA_ERR_IO);
}

TEST(CoreImage, ReadsTheRunningImagesHash) {
    std::uint8_t hash[FOTA_IMAGE_HASH_MAX];
    std::uint16_t size = 0;
    for (const auto& [name, expected] : {std::pair{"p256-4k", 32}, {"p384-4k", 48}, {"ed25519-sha512", 64}}) {
        StrictNor nor(65536);
        put(nor, load(std::string("mcuboot/img/") + name + ".bin"));
        ASSERT_EQ(fota_image_read_hash(&nor.flash, 65536, hash, &size), FOTA_OK) << name;
        ASSERT_EQ(size, expected) << name;
        fota_image_extent image{};
        ASSERT_EQ(fota_image_walk(&nor.flash, 65536, &image), FOTA_OK);
        EXPECT_TRUE(std::equal(hash, hash + size, nor.cells.begin() + image.hash_offset)) << name;
    }
    StrictNor none(65536);
    EXPECT_EQ(fota_image_read_hash(&none.flash, 65536, hash, &size), FOTA_ERR_FORMAT);
    put(none, load("mcuboot/bad/no-hash.bin"));
    EXPECT_EQ(fota_image_read_hash(&none.flash, 65536, hash, &size), FOTA_ERR_FORMAT);
    StrictNor broken(65536);
    put(broken, load("mcuboot/img/p256-4k.bin"));
    broken.failing_reads = 1;
    EXPECT_EQ(fota_image_read_hash(&broken.flash, 65536, hash, &size), FOTA_ERR_IO);
}

TEST(CoreImage, SizesThatWrapAreRefused) {
    for (const char* name :
         {"img-size-wrap", "hdr-size-ffff", "prot-total-ffff", "tlv-total-minus1", "flip-magic", "img-size-plus1"}) {
        StrictNor nor(65536);
        put(nor, load(std::string("mcuboot/bad/") + name + ".bin"));
        fota_image_extent image{};
        EXPECT_NE(fota_image_walk(&nor.flash, 65536, &image), FOTA_OK) << name;
    }
}

TEST(CoreImage, DamagedImagesNeverReachOutOfTheSlot) {
    const auto seed = std::random_device{}();
    std::mt19937 random(seed);
    SCOPED_TRACE(seed);
    const Bytes good = load("mcuboot/img/p256-customtlv.bin");
    for (int i = 0; i < 5000; i++) {
        StrictNor nor(4096);  // reads outside fail the test
        put(nor, good);
        for (int flips = 0; flips < 4; flips++) {
            const std::size_t at = random() % 2 == 0 ? random() % 32 : 1536 + random() % 257;
            nor.cells[at] = static_cast<std::uint8_t>(random());
        }
        fota_image_extent image{};
        if (fota_image_walk(&nor.flash, 4096, &image) == FOTA_OK) {
            ASSERT_LE(image.end, 4096u);
        }
    }
}

TEST(CoreTrailer, LiesWhereImgtoolPutIt) {
    const struct {
        const char* name;
        std::uint32_t write_size;
        fota_flag image_ok;
    } padded[] = {{"p256-pad-align4", 4, FOTA_FLAG_UNSET}, {"p256-confirm-align16", 16, FOTA_FLAG_SET}};
    for (const auto& [name, write_size, image_ok] : padded) {
        const Bytes file = load(std::string("mcuboot/img/") + name + ".bin");
        StrictNor nor(65536, 4096, write_size);
        put(nor, file);
        fota_swap_state state{};
        ASSERT_EQ(fota_trailer_read(&nor.flash, &state), FOTA_OK);
        EXPECT_EQ(state.magic, FOTA_MAGIC_GOOD) << name;
        EXPECT_EQ(state.image_ok, image_ok) << name;
        EXPECT_EQ(state.copy_done, FOTA_FLAG_UNSET) << name;
        // Writing the same fields into an erased trailer gives imgtool's bytes.
        StrictNor own(65536, 4096, write_size);
        ASSERT_EQ(fota_trailer_write_magic(&own.flash), FOTA_OK);
        if (image_ok == FOTA_FLAG_SET) {
            ASSERT_EQ(fota_trailer_write_image_ok(&own.flash), FOTA_OK);
        }
        EXPECT_TRUE(std::equal(own.cells.end() - 256, own.cells.end(), file.end() - 256)) << name;
    }
}

TEST(CoreTrailer, OffsetsOfTheDksSlot) {
    const fota_trailer dk{0xe8000, 4, 256, FOTA_BOOT_MOVE};
    ASSERT_TRUE(fota_trailer_fits(&dk));
    EXPECT_EQ(fota_trailer_magic_offset(&dk), 0xe8000u - 16);
    EXPECT_EQ(fota_trailer_image_ok_offset(&dk), 0xe8000u - 24);
    EXPECT_EQ(fota_trailer_copy_done_offset(&dk), 0xe8000u - 32);
    EXPECT_EQ(fota_trailer_swap_info_offset(&dk), 0xe8000u - 40);
    EXPECT_EQ(fota_trailer_swap_size_offset(&dk), 0xe8000u - 48);
    EXPECT_EQ(fota_trailer_status_offset(&dk), 0xe8000u - 48 - 256 * 3 * 4);
    EXPECT_EQ(fota_trailer_status_entries(&dk), 3u * 256);
    const fota_trailer too_many{4096, 4, 512, FOTA_BOOT_MOVE};
    EXPECT_FALSE(fota_trailer_fits(&too_many));
    const fota_trailer absurd{0xffffffff, 32, 0xffffffff, FOTA_BOOT_MOVE};
    EXPECT_FALSE(fota_trailer_fits(&absurd));
    const fota_trailer odd{65536, 3, 16, FOTA_BOOT_MOVE};
    EXPECT_FALSE(fota_trailer_fits(&odd));
}

TEST(CoreTrailer, EachModeHasItsOwnFieldsBelowTheSwapInfo) {
    const fota_trailer offset{0xe9000, 4, 256, FOTA_BOOT_OFFSET};
    EXPECT_EQ(fota_trailer_swap_info_offset(&offset), 0xe9000u - 40);
    EXPECT_EQ(fota_trailer_tlv_sizes_offset(&offset), 0xe9000u - 48);
    EXPECT_EQ(fota_trailer_swap_size_offset(&offset), 0xe9000u - 56);
    EXPECT_EQ(fota_trailer_status_offset(&offset), 0xe9000u - 56 - 256 * 2 * 4);
    EXPECT_EQ(fota_trailer_status_entries(&offset), 2u * 256);
    const fota_trailer overwrite{0xe8000, 4, 256, FOTA_BOOT_OVERWRITE};
    EXPECT_EQ(fota_trailer_status_offset(&overwrite), 0xe8000u - 40);
    EXPECT_EQ(fota_trailer_status_entries(&overwrite), 0u);
    // What a scratch area keeps: one sector's entries.
    const fota_trailer scratch{4096, 4, 1, FOTA_BOOT_SCRATCH};
    EXPECT_EQ(fota_trailer_status_offset(&scratch), 4096u - 48 - 12);
    const fota_trailer coarse{65536, 16, 16, FOTA_BOOT_OFFSET};
    EXPECT_EQ(fota_trailer_swap_size_offset(&coarse), 65536u - 16 - 5 * 16);
    StrictNor slot(65536);
    ASSERT_EQ(fota_trailer_write_swap_size(&slot.flash, FOTA_BOOT_OFFSET, 0x01020304), FOTA_OK);
    ASSERT_EQ(fota_trailer_write_tlv_sizes(&slot.flash, 0x1122, 0x3344), FOTA_OK);
    const Bytes expected = {4, 3, 2, 1, 0xff, 0xff, 0xff, 0xff, 0x22, 0x11, 0x44, 0x33};
    EXPECT_TRUE(std::equal(expected.begin(), expected.end(), slot.cells.end() - 56));
}

TEST(CoreTrailer, NextSwapForEveryPairOfTrailers) {
    const fota_magic magics[] = {FOTA_MAGIC_GOOD, FOTA_MAGIC_BAD, FOTA_MAGIC_UNSET};
    const fota_flag flags[] = {FOTA_FLAG_SET, FOTA_FLAG_BAD, FOTA_FLAG_UNSET};
    int seen = 0;
    for (auto pm : magics) {
        for (auto sm : magics) {
            for (auto pok : flags) {
                for (auto sok : flags) {
                    for (auto done : flags) {
                        const fota_swap_state primary{pm, pok, done, FOTA_SWAP_NONE};
                        const fota_swap_state secondary{sm, sok, FOTA_FLAG_UNSET, FOTA_SWAP_NONE};
                        auto expected = FOTA_SWAP_NONE;
                        if (pm == FOTA_MAGIC_GOOD && pok == FOTA_FLAG_UNSET && done == FOTA_FLAG_SET) {
                            expected = FOTA_SWAP_REVERT;
                        }
                        if (sm == FOTA_MAGIC_GOOD && sok == FOTA_FLAG_UNSET) expected = FOTA_SWAP_TEST;
                        if (sm == FOTA_MAGIC_GOOD && sok == FOTA_FLAG_SET) expected = FOTA_SWAP_PERMANENT;
                        EXPECT_EQ(fota_next_swap(FOTA_BOOT_MOVE, &primary, &secondary), expected);
                        EXPECT_EQ(fota_next_swap(FOTA_BOOT_OFFSET, &primary, &secondary), expected);
                        // A revert that swap-using-offset has begun stands in the secondary slot.
                        const fota_swap_state begun{sm, sok, FOTA_FLAG_SET, FOTA_SWAP_NONE};
                        const bool revert = sm == FOTA_MAGIC_GOOD && sok == FOTA_FLAG_UNSET;
                        EXPECT_EQ(fota_next_swap(FOTA_BOOT_OFFSET, &primary, &begun),
                                  revert ? FOTA_SWAP_REVERT : expected);
                        seen++;
                    }
                }
            }
        }
    }
    EXPECT_EQ(seen, 243);
}

TEST(CoreTrailer, MarkPendingAndConfirm) {
    for (bool permanent : {false, true}) {
        StrictNor secondary(65536);
        StrictNor primary(65536);
        ASSERT_EQ(fota_mark_pending(&secondary.flash, permanent), FOTA_OK);
        fota_swap_state wish{};
        fota_swap_state running{};
        ASSERT_EQ(fota_trailer_read(&secondary.flash, &wish), FOTA_OK);
        ASSERT_EQ(fota_trailer_read(&primary.flash, &running), FOTA_OK);
        const auto type = permanent ? FOTA_SWAP_PERMANENT : FOTA_SWAP_TEST;
        EXPECT_EQ(fota_next_swap(FOTA_BOOT_MOVE, &running, &wish), type);
        EXPECT_EQ(wish.swap_type, type);
        // Again: nothing to do, nothing written twice (the strict flash would object).
        const auto writes = secondary.writes;
        ASSERT_EQ(fota_mark_pending(&secondary.flash, permanent), FOTA_OK);
        EXPECT_EQ(secondary.writes, writes);
    }
    StrictNor slot(65536);
    ASSERT_EQ(fota_mark_confirmed(&slot.flash), FOTA_OK);  // never swapped in: nothing to keep
    EXPECT_EQ(slot.writes, 0u);
    ASSERT_EQ(fota_trailer_write_magic(&slot.flash), FOTA_OK);
    ASSERT_EQ(fota_mark_confirmed(&slot.flash), FOTA_OK);
    ASSERT_EQ(fota_mark_confirmed(&slot.flash), FOTA_OK);
    fota_swap_state state{};
    ASSERT_EQ(fota_trailer_read(&slot.flash, &state), FOTA_OK);
    EXPECT_EQ(state.image_ok, FOTA_FLAG_SET);

    slot.cells[65535] = 0;
    EXPECT_EQ(fota_mark_confirmed(&slot.flash), FOTA_ERR_STATE);
    EXPECT_EQ(fota_mark_pending(&slot.flash, false), FOTA_ERR_STATE);
    slot.failing_reads = 1;
    EXPECT_EQ(fota_mark_pending(&slot.flash, false), FOTA_ERR_IO);
}

}  // namespace
}  // namespace fota
