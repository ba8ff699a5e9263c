#include "core/package.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "strict_nor.hpp"

namespace fota {
namespace {

using test::pattern;
using test::StrictNor;
using test::TestHash;

TEST(Package, ChecksumIsTheCommonCrc32) {
    EXPECT_EQ(fota_crc32(0, "123456789", 9), 0xcbf43926u);
    EXPECT_EQ(fota_crc32(fota_crc32(0, "1234", 4), "56789", 5), 0xcbf43926u);
    EXPECT_EQ(fota_crc32(0, nullptr, 0), 0u);
    // Words and the bytes that are left over, wherever a part ends.
    const std::string_view text = "The quick brown fox jumps over the lazy dog";
    for (std::size_t cut = 0; cut <= text.size(); ++cut)
        EXPECT_EQ(fota_crc32(fota_crc32(0, text.data(), cut), text.data() + cut, text.size() - cut), 0x414fa339u)
            << cut;
}

TEST(Package, RecordsSurviveAndDamageShows) {
    const fota_package package{0x12345000, 0xdeadbeef};
    std::uint8_t record[FOTA_PACKAGE_RECORD_SIZE];
    fota_package_encode(&package, record);
    fota_package read{};
    ASSERT_EQ(fota_package_decode(record, &read), FOTA_OK);
    EXPECT_EQ(read.length, package.length);
    EXPECT_EQ(read.checksum, package.checksum);
    for (std::size_t bit = 0; bit < 8 * sizeof(record); bit++) {
        record[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
        EXPECT_EQ(fota_package_decode(record, &read), FOTA_ERR_FORMAT) << bit;
        record[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
    }
    std::uint8_t erased[FOTA_PACKAGE_RECORD_SIZE];
    std::fill(std::begin(erased), std::end(erased), std::uint8_t{0xff});
    EXPECT_EQ(fota_package_decode(erased, &read), FOTA_ERR_FORMAT);
}

TEST(Package, ResumesAfterAResetAtAnyPoint) {
    const Bytes package = pattern(40000, 1);
    for (std::size_t reset_at : {0u, 1u, 4095u, 4096u, 5000u, 8192u, 20001u, 39999u}) {
        StrictNor nor(64 * 1024);
        std::uint8_t record[FOTA_PACKAGE_RECORD_SIZE];
        {
            fota_slot_writer writer{};
            ASSERT_EQ(fota_slot_writer_begin(&writer, &nor.flash, nullptr, 60000, 0, 0), FOTA_OK);
            ASSERT_EQ(fota_slot_writer_write(&writer, package.data(), reset_at), FOTA_OK);
            const auto stored = fota_package_of(&writer);
            EXPECT_EQ(stored.length, reset_at / 4096 * 4096);
            fota_package_encode(&stored, record);
        }
        TestHash hash;
        fota_package stored{};
        ASSERT_EQ(fota_package_decode(record, &stored), FOTA_OK);
        ASSERT_EQ(fota_package_restore(&stored, &nor.flash, &hash.hash), FOTA_OK);
        EXPECT_EQ(hash.sha.digest(), sha256(BytesView(package).first(stored.length)));
        fota_slot_writer writer{};
        ASSERT_EQ(fota_slot_writer_begin(&writer, &nor.flash, &hash.hash, 60000, stored.length, stored.checksum),
                  FOTA_OK);
        ASSERT_EQ(fota_slot_writer_write(&writer, package.data() + stored.length, package.size() - stored.length),
                  FOTA_OK);
        ASSERT_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
        EXPECT_TRUE(std::equal(package.begin(), package.end(), nor.cells.begin()));
        EXPECT_EQ(hash.sha.digest(), sha256(package));
    }
}

TEST(Package, ARecordOfOtherBytesIsNone) {
    const Bytes package = pattern(8192, 2);
    StrictNor nor(64 * 1024);
    std::ranges::copy(package, nor.cells.begin());
    fota_package stored{8192, fota_crc32(0, package.data(), package.size())};
    EXPECT_EQ(fota_package_restore(&stored, &nor.flash, nullptr), FOTA_OK);
    nor.cells[5000] ^= 1;
    EXPECT_EQ(fota_package_restore(&stored, &nor.flash, nullptr), FOTA_ERR_MISMATCH);
    stored.length = 8193;
    EXPECT_EQ(fota_package_restore(&stored, &nor.flash, nullptr), FOTA_ERR_RANGE);
    stored.length = 0xfffff000;
    EXPECT_EQ(fota_package_restore(&stored, &nor.flash, nullptr), FOTA_ERR_RANGE);
    stored.length = 4096;
    nor.failing_reads = 1;
    EXPECT_EQ(fota_package_restore(&stored, &nor.flash, nullptr), FOTA_ERR_IO);
}

}  // namespace
}  // namespace fota
