#include "core/slot_limit.h"

#include <gtest/gtest.h>

namespace {
constexpr fota_slot_geometry quarter{256 * 1024, 256 * 1024, 4096, 128, 4};
}

// The four figures of the layout rules: 256 KiB slots, 128 sectors of 4 KiB.
TEST(SlotLimit, OfEachMode) {
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_MOVE, &quarter), 253952u);
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_OFFSET, &quarter), 253952u);
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_SCRATCH, &quarter), 260560u);
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_OVERWRITE, &quarter), 262104u);
}

TEST(SlotLimit, OfTheDkLayout) {
    const fota_slot_geometry dk{0xe8000, 0xe8000, 4096, 512, 4};
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_MOVE, &dk), 0xe5000u);
    // A secondary that shows few sectors pulls the limit below the size of a good primary image.
    const fota_slot_geometry few{0xe8000, 14 * 4096, 4096, 512, 4};
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_MOVE, &few), 14u * 4096 - 8192);
}

TEST(SlotLimit, NeverWraps) {
    const fota_slot_geometry tiny{4096, 4096, 4096, 128, 4};
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_MOVE, &tiny), 0u);
    const fota_slot_geometry absurd{0xffffffff, 0xffffffff, 4096, 0xffffffff, 0xffffffff};
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_SCRATCH, &absurd), 0u);
    const fota_slot_geometry none{};
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_MOVE, &none), 0u);
}
