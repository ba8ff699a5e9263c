#include "core/slot_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "core/package.h"
#include "strict_nor.hpp"

namespace fota {
namespace {

using test::pattern;
using test::StrictNor;
using test::TestHash;

constexpr std::uint32_t slot_size = 64 * 1024;
constexpr std::uint32_t limit = slot_size - 8192;

void fill_with_old_content(StrictNor& nor) {
    std::ranges::fill(nor.cells, std::uint8_t{0x5a});
}

bool holds(const StrictNor& nor, BytesView package) {
    return std::equal(package.begin(), package.end(), nor.cells.begin());
}

TEST(SlotWriter, AnyChunkSizesGiveTheSameSlot) {
    const auto seed = std::random_device{}();
    std::mt19937 random(seed);
    SCOPED_TRACE(seed);
    for (std::uint32_t block : {1u, 2u, 4u, 8u, 16u, 32u}) {
        for (int round = 0; round < 10; round++) {
            const Bytes package = pattern(1 + random() % (limit - 1), static_cast<std::uint32_t>(random()));
            StrictNor nor(slot_size, 4096, block);
            fill_with_old_content(nor);
            TestHash hash;
            fota_slot_writer writer{};
            ASSERT_EQ(fota_slot_writer_begin(&writer, &nor.flash, &hash.hash, limit, 0, 0), FOTA_OK);
            for (std::size_t at = 0; at < package.size();) {
                const std::size_t size = std::min<std::size_t>(random() % 1500, package.size() - at);
                ASSERT_EQ(fota_slot_writer_write(&writer, package.data() + at, size), FOTA_OK);
                at += size;
                ASSERT_EQ(fota_slot_writer_received(&writer), at);
                ASSERT_EQ(hash.sha.digest(), sha256(BytesView(package).first(writer.programmed)));
                if (random() % 2 == 0) {
                    ASSERT_EQ(fota_slot_writer_prepare(&writer), FOTA_OK);
                }
            }
            ASSERT_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
            EXPECT_TRUE(holds(nor, package));
            EXPECT_EQ(hash.sha.digest(), sha256(package));
            EXPECT_EQ(writer.programmed, package.size());
            EXPECT_EQ(fota_slot_writer_write(&writer, package.data(), 1), FOTA_ERR_STATE);
        }
    }
}

TEST(SlotWriter, NoChunkWaitsForMoreThanOneErase) {
    const Bytes package = pattern(limit, 1);
    for (bool ahead : {false, true}) {
        for (std::size_t chunk : {64u, 512u, 1000u, 1024u, 4095u, 4096u}) {
            StrictNor nor(slot_size);
            fill_with_old_content(nor);
            fota_slot_writer writer{};
            ASSERT_EQ(fota_slot_writer_begin(&writer, &nor.flash, nullptr, limit, 0, 0), FOTA_OK);
            if (ahead) {
                ASSERT_EQ(fota_slot_writer_prepare(&writer), FOTA_OK);
            }
            for (std::size_t at = 0; at < package.size(); at += chunk) {
                const auto erases = nor.erases;
                const std::size_t size = std::min(chunk, package.size() - at);
                ASSERT_EQ(fota_slot_writer_write(&writer, package.data() + at, size), FOTA_OK);
                ASSERT_LE(nor.erases - erases, ahead ? 0u : 1u) << chunk << " at " << at;
                if (ahead) {
                    const auto before = nor.erases;
                    ASSERT_EQ(fota_slot_writer_prepare(&writer), FOTA_OK);
                    ASSERT_LE(nor.erases - before, 1u);
                }
            }
            ASSERT_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
            EXPECT_TRUE(holds(nor, package));
            EXPECT_EQ(nor.erases, 1 + limit / 4096);  // the trailer's sector and each of the package's, once
        }
    }
}

TEST(SlotWriter, ANewPackageTakesBackAPendingRequest) {
    StrictNor nor(slot_size);
    ASSERT_EQ(fota_mark_pending(&nor.flash, true), FOTA_OK);
    fota_slot_writer writer{};
    ASSERT_EQ(fota_slot_writer_begin(&writer, &nor.flash, nullptr, limit, 0, 0), FOTA_OK);
    fota_swap_state state{};
    ASSERT_EQ(fota_trailer_read(&nor.flash, &state), FOTA_OK);
    EXPECT_EQ(state.magic, FOTA_MAGIC_UNSET);
}

TEST(SlotWriter, EvenTheFirstBlockWaitsForOneErase) {
    // A slot that MCUboot has swapped: old content, an erased trailer.
    StrictNor nor(slot_size);
    fill_with_old_content(nor);
    std::fill_n(nor.cells.end() - 4096, 4096, std::uint8_t{0xff});
    nor.cells[slot_size - 4000] = 0;  // an old status entry that the next swap must not find
    const Bytes package = pattern(limit, 6);
    fota_slot_writer writer{};
    for (std::size_t at = 0; at < package.size(); at += 512) {
        const auto erases = nor.erases;
        if (at == 0) {
            ASSERT_EQ(fota_slot_writer_begin(&writer, &nor.flash, nullptr, limit, 0, 0), FOTA_OK);
        }
        ASSERT_EQ(fota_slot_writer_write(&writer, package.data() + at, 512), FOTA_OK);
        ASSERT_LE(nor.erases - erases, at == 0 ? 1u : 0u) << at;
        const auto before = nor.erases;
        ASSERT_EQ(fota_slot_writer_prepare(&writer), FOTA_OK);
        ASSERT_LE(nor.erases - before, 1u);
    }
    const auto erases = nor.erases;
    ASSERT_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
    EXPECT_EQ(nor.erases, erases) << "the trailer's sector was prepared long before";
    EXPECT_EQ(nor.cells[slot_size - 4000], 0xff);
    EXPECT_TRUE(holds(nor, package));
    EXPECT_EQ(nor.erases, 1 + limit / 4096);
}

TEST(SlotWriter, APackageMayReachIntoTheTrailersSector) {
    // Overwrite-only and scratch: the trailer shares its sector with the image's end.
    const std::uint32_t end = slot_size - 40;
    const Bytes package = pattern(end, 7);
    for (bool ahead : {false, true}) {
        StrictNor nor(slot_size);
        fill_with_old_content(nor);
        fota_slot_writer writer{};
        ASSERT_EQ(fota_slot_writer_begin(&writer, &nor.flash, nullptr, end, 0, 0), FOTA_OK);
        for (std::size_t at = 0; at < package.size(); at += 1000) {
            const std::size_t size = std::min<std::size_t>(1000, package.size() - at);
            ASSERT_EQ(fota_slot_writer_write(&writer, package.data() + at, size), FOTA_OK);
            if (ahead) {
                ASSERT_EQ(fota_slot_writer_prepare(&writer), FOTA_OK);
            }
        }
        ASSERT_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
        EXPECT_TRUE(holds(nor, package));
        EXPECT_EQ(fota_mark_pending(&nor.flash, false), FOTA_OK);
    }
}

TEST(SlotWriter, StaysBelowTheLimit) {
    StrictNor nor(slot_size);
    const Bytes package = pattern(9001, 2);
    fota_slot_writer writer{};
    ASSERT_EQ(fota_slot_writer_begin(&writer, &nor.flash, nullptr, 9000, 0, 0), FOTA_OK);
    EXPECT_EQ(fota_slot_writer_write(&writer, package.data(), 9001), FOTA_ERR_RANGE);
    EXPECT_EQ(fota_slot_writer_received(&writer), 0u);
    EXPECT_EQ(fota_slot_writer_write(&writer, package.data(), 8999), FOTA_OK);
    EXPECT_EQ(fota_slot_writer_write(&writer, package.data() + 8999, 2), FOTA_ERR_RANGE);
    EXPECT_EQ(fota_slot_writer_write(&writer, package.data() + 8999, 1), FOTA_OK);
    EXPECT_EQ(fota_slot_writer_write(&writer, package.data(), SIZE_MAX), FOTA_ERR_RANGE);
    ASSERT_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
    EXPECT_TRUE(holds(nor, BytesView(package).first(9000)));
}

TEST(SlotWriter, RefusesWhatItCannotServe) {
    StrictNor nor(slot_size);
    fota_slot_writer writer{};
    EXPECT_EQ(fota_slot_writer_begin(&writer, &nor.flash, nullptr, slot_size + 1, 0, 0), FOTA_ERR_ARGUMENT);
    EXPECT_EQ(fota_slot_writer_begin(&writer, &nor.flash, nullptr, limit, 100, 0), FOTA_ERR_RANGE);
    EXPECT_EQ(fota_slot_writer_begin(&writer, &nor.flash, nullptr, limit, limit + 4096, 0), FOTA_ERR_RANGE);
    for (std::uint32_t block : {0u, 3u, 64u}) {
        fota_flash flash = nor.flash;
        flash.write_size = block;
        EXPECT_EQ(fota_slot_writer_begin(&writer, &flash, nullptr, limit, 0, 0), FOTA_ERR_ARGUMENT);
    }
    EXPECT_EQ(fota_slot_writer_write(&writer, "x", 1), FOTA_ERR_STATE);
    EXPECT_EQ(nor.erases, 0u);
}

TEST(SlotWriter, ToleratesSingleFailures) {
    const Bytes package = pattern(20000, 3);
    StrictNor nor(slot_size);
    TestHash hash;
    fota_slot_writer writer{};
    nor.failing_erases = 1;
    ASSERT_EQ(fota_slot_writer_begin(&writer, &nor.flash, &hash.hash, limit, 0, 0), FOTA_OK);
    for (std::size_t at = 0; at < package.size(); at += 1000) {
        nor.failing_erases = at == 4000 ? 1 : 0;
        nor.failing_writes = at == 7000 ? 1 : 0;
        nor.lost_writes = at == 9000 ? 1 : 0;
        ASSERT_EQ(fota_slot_writer_write(&writer, package.data() + at, 1000), FOTA_OK) << at;
    }
    ASSERT_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
    EXPECT_TRUE(holds(nor, package));
    EXPECT_EQ(hash.sha.digest(), sha256(package));
}

TEST(SlotWriter, AfterALastingFailureItResumesAtASector) {
    const Bytes package = pattern(30000, 4);
    const struct {
        int StrictNor::*what;
        int count;
    } failures[] = {{&StrictNor::failing_writes, 2},
                    {&StrictNor::lost_writes, 2},
                    {&StrictNor::torn_writes, 1},
                    {&StrictNor::failing_reads, 1}};
    for (const auto& failure : failures) {
        StrictNor nor(slot_size);
        TestHash hash;
        fota_slot_writer writer{};
        ASSERT_EQ(fota_slot_writer_begin(&writer, &nor.flash, &hash.hash, limit, 0, 0), FOTA_OK);
        ASSERT_EQ(fota_slot_writer_write(&writer, package.data(), 10000), FOTA_OK);
        nor.*failure.what = failure.count;
        EXPECT_EQ(fota_slot_writer_write(&writer, package.data() + 10000, 500), FOTA_ERR_IO);
        nor.*failure.what = 0;
        EXPECT_EQ(fota_slot_writer_write(&writer, package.data() + 10000, 500), FOTA_ERR_STATE);
        EXPECT_EQ(fota_slot_writer_prepare(&writer), FOTA_ERR_STATE);
        const auto resume = fota_package_of(&writer);
        EXPECT_EQ(resume.length, 8192u);
        ASSERT_EQ(fota_package_restore(&resume, &nor.flash, &hash.hash), FOTA_OK);
        ASSERT_EQ(fota_slot_writer_begin(&writer, &nor.flash, &hash.hash, limit, resume.length, resume.checksum),
                  FOTA_OK);
        ASSERT_EQ(fota_slot_writer_write(&writer, package.data() + 8192, package.size() - 8192), FOTA_OK);
        ASSERT_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
        EXPECT_TRUE(holds(nor, package));
        EXPECT_EQ(hash.sha.digest(), sha256(package));
    }
}

TEST(SlotWriter, RewindDropsOnlyTheTail) {
    const Bytes package = pattern(5000, 5);
    StrictNor nor(slot_size);
    TestHash hash;
    fota_slot_writer writer{};
    ASSERT_EQ(fota_slot_writer_begin(&writer, &nor.flash, &hash.hash, limit, 0, 0), FOTA_OK);
    ASSERT_EQ(fota_slot_writer_write(&writer, package.data(), 1003), FOTA_OK);
    ASSERT_EQ(fota_slot_writer_rewind(&writer), FOTA_OK);
    ASSERT_EQ(fota_slot_writer_received(&writer), 1000u);
    ASSERT_EQ(fota_slot_writer_write(&writer, package.data() + 1000, 4000), FOTA_OK);
    ASSERT_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
    EXPECT_TRUE(holds(nor, package));
    EXPECT_EQ(hash.sha.digest(), sha256(package));
}

}  // namespace
}  // namespace fota
