#include "core/area.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/mcuboot.h"
#include "core/slot_writer.h"
#include "strict_nor.hpp"

namespace fota {
namespace {

using test::load;
using test::StrictNor;
using test::TestHash;

TEST(CoreArea, AnUpdateForSwapUsingOffsetLiesOneSectorIn) {
    StrictNor nor(65536);
    std::ranges::fill(nor.cells, std::uint8_t{0x5a});
    const Bytes package = load("mcuboot/img/p256-4k.bin");
    fota_area area{};
    ASSERT_EQ(fota_area_for_upload(&area, &nor.flash, FOTA_BOOT_OFFSET), FOTA_OK);
    EXPECT_EQ(area.flash.size, 65536u - 4096);
    fota_slot_writer writer{};
    ASSERT_EQ(fota_slot_writer_begin(&writer, &area.flash, nullptr, 40000, 0, 0), FOTA_OK);
    ASSERT_EQ(fota_slot_writer_write(&writer, package.data(), package.size()), FOTA_OK);
    ASSERT_EQ(fota_slot_writer_finish(&writer), FOTA_OK);
    EXPECT_TRUE(std::equal(package.begin(), package.end(), nor.cells.begin() + 4096));
    EXPECT_EQ(std::count(nor.cells.begin(), nor.cells.begin() + 4096, 0x5a), 4096);
    TestHash hash;
    EXPECT_EQ(fota_image_check(&area.flash, 40000, &hash.hash, nullptr), FOTA_OK);
    // One trailer, whichever way one looks at it.
    ASSERT_EQ(fota_mark_pending(&area.flash, false), FOTA_OK);
    fota_swap_state whole{};
    ASSERT_EQ(fota_trailer_read(&nor.flash, &whole), FOTA_OK);
    EXPECT_EQ(whole.magic, FOTA_MAGIC_GOOD);
}

TEST(CoreArea, OtherModesUseTheWholeSlot) {
    StrictNor nor(65536);
    for (auto mode : {FOTA_BOOT_MOVE, FOTA_BOOT_SCRATCH, FOTA_BOOT_OVERWRITE}) {
        fota_area area{};
        ASSERT_EQ(fota_area_for_upload(&area, &nor.flash, mode), FOTA_OK);
        EXPECT_EQ(area.flash.size, 65536u);
    }
    fota_area area{};
    EXPECT_EQ(fota_area_from(&area, &nor.flash, 100), FOTA_ERR_ARGUMENT);
    EXPECT_EQ(fota_area_from(&area, &nor.flash, 65536), FOTA_ERR_RANGE);
}

TEST(CoreArea, ClearsOnlyAnOldHeaderInTheWay) {
    const Bytes package = load("mcuboot/img/p256-4k.bin");
    StrictNor nor(65536);
    std::ranges::copy(package, nor.cells.begin());
    EXPECT_EQ(fota_area_clear_header(&nor.flash, FOTA_BOOT_MOVE), FOTA_OK);
    EXPECT_EQ(nor.erases, 0u);
    EXPECT_EQ(fota_area_clear_header(&nor.flash, FOTA_BOOT_OFFSET), FOTA_OK);
    EXPECT_EQ(fota_area_clear_header(&nor.flash, FOTA_BOOT_OFFSET), FOTA_OK);
    EXPECT_EQ(nor.erases, 1u);
    EXPECT_EQ(std::count(nor.cells.begin(), nor.cells.begin() + 4096, 0xff), 4096);
    std::ranges::copy(package, nor.cells.begin());
    nor.failing_reads = 1;
    EXPECT_EQ(fota_area_clear_header(&nor.flash, FOTA_BOOT_OFFSET), FOTA_ERR_IO);
    nor.failing_erases = 1;
    EXPECT_EQ(fota_area_clear_header(&nor.flash, FOTA_BOOT_OFFSET), FOTA_ERR_IO);
}

}  // namespace
}  // namespace fota
