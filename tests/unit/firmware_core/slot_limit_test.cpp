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

TEST(SlotLimit, OffsetKeepsTwoStatusEntriesForASectorWhereMoveKeepsThree) {
    const fota_slot_geometry dk{0xe8000, 0xe9000, 4096, 400, 4};
    EXPECT_EQ(fota_trailer_size(FOTA_BOOT_MOVE, &dk), 400u * 12 + 48);
    EXPECT_EQ(fota_trailer_size(FOTA_BOOT_OFFSET, &dk), 400u * 8 + 56);
    EXPECT_EQ(fota_trailer_size(FOTA_BOOT_OVERWRITE, &dk), 40u);
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_MOVE, &dk), 0xe8000u - 8192 - 4096);
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_OFFSET, &dk), 0xe8000u - 4096);
    EXPECT_EQ(fota_upload_offset(FOTA_BOOT_OFFSET, 4096), 4096u);
    EXPECT_EQ(fota_upload_offset(FOTA_BOOT_MOVE, 4096), 0u);
}

TEST(SlotLimit, TheScratchAreasOwnTrailerNeedsRoom) {
    // 338 sectors: the trailer takes 8 bytes of its first sector, one in the scratch area would take 60.
    const fota_slot_geometry tight{0x160000, 0x160000, 4096, 338, 4};
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_SCRATCH, &tight), 0x160000u - (338u * 12 + 48) - 52);
    const fota_slot_geometry loose{0x160000, 0x160000, 4096, 352, 4};
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_SCRATCH, &loose), 0x160000u - (352u * 12 + 48));
}

// boot_trailer_info_sz() with MCUBOOT_ENC_IMAGES: two keys, each on whole write blocks.
TEST(SlotLimit, TheKeysOfEncryptedImagesNeedRoomInTheTrailer) {
    EXPECT_EQ(fota_encrypted_image_limit(FOTA_BOOT_SCRATCH, &quarter, 16), 260560u - 32);
    EXPECT_EQ(fota_encrypted_image_limit(FOTA_BOOT_SCRATCH, &quarter, 113), 260560u - 240);
    EXPECT_EQ(fota_encrypted_image_limit(FOTA_BOOT_OVERWRITE, &quarter, 32), 262104u);
    EXPECT_EQ(fota_encrypted_image_limit(FOTA_BOOT_MOVE, &quarter, 32), 253952u) << "the sector had room for them";
    // 336 sectors leave 16 bytes of the trailer's last sector.
    const fota_slot_geometry full{0x160000, 0x160000, 4096, 336, 4};
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_MOVE, &full), 0x160000u - 2 * 4096);
    EXPECT_EQ(fota_encrypted_image_limit(FOTA_BOOT_MOVE, &full, 16), 0x160000u - 3 * 4096);
    for (const auto mode : {FOTA_BOOT_MOVE, FOTA_BOOT_OFFSET, FOTA_BOOT_SCRATCH, FOTA_BOOT_OVERWRITE})
        EXPECT_EQ(fota_encrypted_image_limit(mode, &quarter, 0), fota_image_limit(mode, &quarter));
    EXPECT_EQ(fota_encrypted_image_limit(FOTA_BOOT_SCRATCH, &quarter, 0xffffffff), 0u);
}

TEST(SlotLimit, NeverWraps) {
    const fota_slot_geometry tiny{4096, 4096, 4096, 128, 4};
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_MOVE, &tiny), 0u);
    const fota_slot_geometry absurd{0xffffffff, 0xffffffff, 4096, 0xffffffff, 0xffffffff};
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_SCRATCH, &absurd), 0u);
    const fota_slot_geometry none{};
    EXPECT_EQ(fota_image_limit(FOTA_BOOT_MOVE, &none), 0u);
}
