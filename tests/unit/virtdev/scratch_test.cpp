// Swap-using-scratch in the bootloader's model.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "unit/virtdev/boot_device.hpp"

namespace fota::virtdev {
namespace {

using test::Device;
using test::make_image;
using test::Mark;
using test::small;
using test::sweep;

/// With a scratch area of so many sectors.
BootConfig scratch(std::uint32_t sectors = 1) {
    auto config = small(SwapMode::scratch);
    config.scratch_size = sectors * 4096;
    return config;
}

TEST(Scratch, TestConfirmRevertAndPermanent) {
    for (const std::uint32_t sectors : {1u, 2u, 7u}) {
        SCOPED_TRACE(sectors);
        Device device(scratch(sectors));
        EXPECT_EQ(device.boot(), 1);
        ASSERT_TRUE(device.board.mark_pending(false));
        EXPECT_EQ(device.boot(), 2);
        EXPECT_EQ(device.last.swap, Swap::test);
        EXPECT_TRUE(device.holds(device.board.primary(), device.new_image));
        EXPECT_TRUE(device.holds(device.board.secondary(), device.old_image));
        EXPECT_FALSE(*device.board.confirmed());
        EXPECT_EQ(device.boot(), 1);
        EXPECT_EQ(device.last.swap, Swap::revert);
        EXPECT_TRUE(device.holds(device.board.secondary(), device.new_image));
        ASSERT_TRUE(device.board.mark_pending(true));
        EXPECT_EQ(device.boot(), 2);
        EXPECT_EQ(device.last.swap, Swap::permanent);
        EXPECT_TRUE(*device.board.confirmed());
        device.stage(make_image(3, 500));
        ASSERT_TRUE(device.board.mark_pending(false));
        EXPECT_EQ(device.boot(), 3);
        ASSERT_TRUE(device.board.confirm());
        EXPECT_EQ(device.boot(), 3);
        EXPECT_EQ(device.last.swap, Swap::none);
        device.expect_no_violation();
    }
}

TEST(Scratch, StatusEntriesStandWhereMcubootLooksForThem) {
    // Five sectors to swap, two at a time: three pieces of three entries, from the trailer's begin.
    Device device(scratch(2));
    ASSERT_TRUE(device.board.mark_pending(false));
    ASSERT_EQ(device.boot(), 2);
    constexpr std::uint32_t begin = 10 * 4096 - (3 * 16 * 4 + 4 * 8 + 16);
    const auto entries = device.board.primary().read(begin, 10 * 4);
    ASSERT_TRUE(entries);
    for (std::uint32_t entry = 0; entry < 10; entry++) {
        EXPECT_EQ((*entries)[entry * 4], entry == 9 ? 0xff : entry % 3 + 1) << entry;
        EXPECT_EQ((*entries)[entry * 4 + 1], 0xff);
    }
}

TEST(Scratch, AnImageUpToTheTrailerFits) {
    Device device(scratch());
    const auto limit = device.board.bootloader().image_limit();
    EXPECT_EQ(limit, 10u * 4096 - 240);  // nothing but the trailer: 3 * 16 entries, fields and magic
    const auto payload = limit - 0x200 - 40;
    for (const bool fits : {false, true}) {
        device.stage(make_image(2, fits ? payload : payload + 1));
        ASSERT_TRUE(device.board.mark_pending(true));
        EXPECT_EQ(device.boot(), fits ? 2 : 1);
        EXPECT_EQ(device.last.secondary_refused, !fits);
    }
    EXPECT_TRUE(device.holds(device.board.secondary(), device.old_image));
    device.expect_no_violation();
}

TEST(Scratch, SlotsAndAreaMustFitEachOther) {
    auto uneven = scratch();
    uneven.secondary_size = 9 * 4096;
    Device sizes(uneven);
    ASSERT_TRUE(sizes.board.mark_pending(true));
    EXPECT_EQ(sizes.boot(), 1);
    EXPECT_NE(sizes.last.log.find("Cannot upgrade: slots are not compatible"), std::string::npos);
    auto few = scratch();
    few.max_sectors = 8;
    Device sectors(few);
    ASSERT_TRUE(sectors.board.mark_pending(true));
    EXPECT_EQ(sectors.boot(), 1);
    EXPECT_NE(sectors.last.log.find("Cannot upgrade: more sectors than allowed"), std::string::npos);
}

TEST(ScratchPowerLoss, EveryOperation) {
    // One sector at a time, three, and all at once.
    const auto forth = sweep(Mark::test, scratch(), 9000, 20000, 1);
    EXPECT_GT(forth.operations, 100u);
    EXPECT_GT(forth.new_runs, forth.old_runs);
    const auto for_good = sweep(Mark::permanent, scratch(3), 9000, 5000, 1);
    EXPECT_GT(for_good.new_runs, for_good.old_runs);
    const auto back = sweep(Mark::revert, scratch(7), 9000, 20000, 1);
    EXPECT_GT(back.old_runs, back.new_runs);
}

TEST(ScratchPowerLoss, WhileTheTrailersOwnSectorGoesThrough) {
    const auto result = sweep(Mark::test, scratch(), 9000, 10 * 4096 - 240 - 0x200 - 40, 1);
    EXPECT_GT(result.new_runs, result.old_runs);
}

}  // namespace
}  // namespace fota::virtdev
