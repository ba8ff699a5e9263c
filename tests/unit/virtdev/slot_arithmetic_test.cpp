// The firmware core's trailer, its image limit, and what the host's image module says: one arithmetic.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/mcuboot.h"
#include "core/slot_limit.h"
#include "image/limit.hpp"

namespace fota {
namespace {

constexpr fota_boot_mode modes[] = {FOTA_BOOT_MOVE, FOTA_BOOT_OFFSET, FOTA_BOOT_SCRATCH, FOTA_BOOT_OVERWRITE};

TEST(SlotArithmetic, TheTrailersFieldsFollowEachOtherWithoutAGap) {
    for (const auto mode : modes) {
        for (const std::uint32_t write : {1u, 2u, 4u, 8u, 16u, 32u}) {
            for (const std::uint32_t sectors : {1u, 16u, 128u, 256u, 512u}) {
                SCOPED_TRACE(fmt::format("{} write {} sectors {}", image::mode_word(mode), write, sectors));
                const fota_trailer trailer{0xe8000, write, sectors, mode};
                ASSERT_TRUE(fota_trailer_fits(&trailer));
                const std::uint32_t align = std::max(write, 8u);
                const auto entries_end =
                    fota_trailer_status_offset(&trailer) + fota_trailer_status_entries(&trailer) * write;
                // Overwrite-only has no swap size.
                EXPECT_EQ(entries_end, mode == FOTA_BOOT_OVERWRITE ? fota_trailer_swap_info_offset(&trailer)
                                                                   : fota_trailer_swap_size_offset(&trailer));
                if (mode == FOTA_BOOT_OFFSET) {
                    EXPECT_EQ(fota_trailer_swap_size_offset(&trailer) + align, fota_trailer_tlv_sizes_offset(&trailer));
                    EXPECT_EQ(fota_trailer_tlv_sizes_offset(&trailer) + align, fota_trailer_swap_info_offset(&trailer));
                } else {
                    EXPECT_EQ(fota_trailer_swap_size_offset(&trailer) + align, fota_trailer_swap_info_offset(&trailer));
                }
                EXPECT_EQ(fota_trailer_swap_info_offset(&trailer) + align, fota_trailer_copy_done_offset(&trailer));
                EXPECT_EQ(fota_trailer_copy_done_offset(&trailer) + align, fota_trailer_image_ok_offset(&trailer));
                EXPECT_EQ(fota_trailer_magic_offset(&trailer) + FOTA_TRAILER_MAGIC_SIZE, trailer.slot_size);
            }
        }
    }
}

TEST(SlotArithmetic, NoImageThatFitsReachesItsTrailer) {
    for (const auto mode : modes) {
        for (const std::uint32_t size : {0x40000u, 0x74000u, 0xe8000u}) {
            for (const std::uint32_t sectors : {128u, 256u, 512u}) {
                if (sectors * 4096 < size) continue;
                const fota_slot_geometry geometry{size, size, 4096, sectors, 4};
                const fota_trailer trailer{size, 4, sectors, mode};
                const auto limit = fota_image_limit(mode, &geometry);
                EXPECT_GT(limit, 0u);
                EXPECT_LE(limit, fota_trailer_status_offset(&trailer));
                EXPECT_EQ(fota_trailer_size(mode, &geometry), size - fota_trailer_status_offset(&trailer));
                const auto host =
                    image::image_limit({.mode = mode, .size = size, .max_sectors = sectors, .write_size = 4});
                ASSERT_TRUE(host) << host.error().text();
                EXPECT_EQ(*host, limit);
            }
        }
    }
}

TEST(SlotArithmetic, AScratchAreaHasATrailerOfThreeEntries) {
    const fota_trailer scratch{0x7000, 4, 1, FOTA_BOOT_SCRATCH};
    EXPECT_EQ(fota_trailer_status_entries(&scratch), 3u);
    EXPECT_EQ(fota_trailer_status_offset(&scratch), 0x7000u - (3 * 4 + 4 * 8 + 16));
}

}  // namespace
}  // namespace fota
