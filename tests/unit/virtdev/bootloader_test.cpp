#include "virtdev/bootloader.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "tests/support/hex.hpp"
#include "unit/virtdev/test_image.hpp"
#include "virtdev/board.hpp"

namespace fota::virtdev {
namespace {

using test::make_image;

/// Ten sectors: room for every step of the algorithm, small enough to fail in each of its operations.
BootConfig small(SwapMode mode = SwapMode::move) {
    return {.mode = mode, .primary_size = 10 * 4096, .secondary_size = 10 * 4096, .max_sectors = 16};
}

/// A device with version 1 that runs, and version 2 in the secondary slot.
class Device {
  public:
    explicit Device(const BootConfig& config, std::uint32_t old_size = 9000, std::uint32_t new_size = 20000)
        : board(config, hash_only()), old_image(make_image(1, old_size)), new_image(make_image(2, new_size)) {
        EXPECT_TRUE(board.flash_image(old_image));
        stage(new_image);
    }

    void stage(BytesView image) {
        EXPECT_TRUE(board.secondary().erase(0, board.secondary().size()));
        Bytes padded = to_bytes(image);
        padded.resize((image.size() + 3) / 4 * 4, 0xff);
        const auto start = fota_upload_offset(core_mode(board.bootloader().config().mode), 4096);
        EXPECT_TRUE(board.secondary().program(start, padded));
    }
    bool holds(const FlashArea& slot, const Bytes& image) const {
        auto bytes = slot.read(0, static_cast<std::uint32_t>(image.size()));
        return bytes && *bytes == image;
    }
    /// The version that runs after this boot; 0: none.
    int boot() {
        auto result = board.reboot();
        EXPECT_TRUE(result) << result.error().text();
        if (!result) return -1;
        last = *result;
        return last.booted ? last.header.version.major : 0;
    }
    void expect_no_violation() {
        EXPECT_TRUE(board.internal().violations().empty()) << board.internal().violations()[0];
        EXPECT_TRUE(board.external().violations().empty()) << board.external().violations()[0];
    }

    Board board;
    Bytes old_image;
    Bytes new_image;
    BootResult last;
};

TEST(Bootloader, TestSwapConfirmed) {
    Device device(small());
    EXPECT_EQ(device.boot(), 1);
    EXPECT_EQ(device.last.swap, Swap::none);
    ASSERT_TRUE(device.board.mark_pending(false));
    EXPECT_EQ(device.boot(), 2);
    EXPECT_EQ(device.last.swap, Swap::test);
    EXPECT_TRUE(device.holds(device.board.primary(), device.new_image));
    EXPECT_TRUE(device.holds(device.board.secondary(), device.old_image));
    EXPECT_FALSE(*device.board.confirmed());
    ASSERT_TRUE(device.board.confirm());
    EXPECT_TRUE(*device.board.confirmed());
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(device.boot(), 2);
        EXPECT_EQ(device.last.swap, Swap::none);
    }
    device.expect_no_violation();
}

TEST(Bootloader, TestSwapNotConfirmedIsReverted) {
    Device device(small());
    ASSERT_TRUE(device.board.mark_pending(false));
    EXPECT_EQ(device.boot(), 2);
    EXPECT_EQ(*device.board.next_swap(), FOTA_SWAP_REVERT);
    EXPECT_EQ(device.boot(), 1);
    EXPECT_EQ(device.last.swap, Swap::revert);
    EXPECT_TRUE(device.holds(device.board.primary(), device.old_image));
    EXPECT_TRUE(device.holds(device.board.secondary(), device.new_image));
    EXPECT_TRUE(*device.board.confirmed());
    EXPECT_EQ(device.boot(), 1);
    EXPECT_EQ(device.last.swap, Swap::none);
    device.expect_no_violation();
}

TEST(Bootloader, SwapUsingOffsetConfirmsAndRevertsAndSurvivesEveryOperationOfTheRevert) {
    for (std::uint64_t at = 0;; at++) {
        SCOPED_TRACE(fmt::format("power fails in operation {} of the revert", at));
        Device device(small(SwapMode::offset));
        ASSERT_TRUE(device.board.mark_pending(false));
        ASSERT_EQ(device.boot(), 2);
        ASSERT_EQ(device.last.swap, Swap::test);
        ASSERT_TRUE(device.holds(device.board.secondary(), device.old_image)) << "kept at the slot's start";
        device.board.power().random().seed(at);
        device.board.power().fail_in(at);
        if (device.board.reboot()) {
            EXPECT_GT(at, 50u) << "the whole revert was tried";
            break;
        }
        ASSERT_EQ(device.boot(), 1) << device.last.log;
        ASSERT_TRUE(device.holds(device.board.primary(), device.old_image));
        ASSERT_TRUE(device.board.confirm());
        ASSERT_EQ(device.boot(), 1);
        ASSERT_EQ(device.last.swap, Swap::none);
        device.expect_no_violation();
    }
    Device wrong(small(SwapMode::offset));
    Bytes padded = wrong.new_image;
    padded.resize((padded.size() + 3) / 4 * 4, 0xff);
    ASSERT_TRUE(wrong.board.secondary().program(0, BytesView(padded).first(4096)));
    ASSERT_TRUE(wrong.board.mark_pending(false));
    EXPECT_EQ(wrong.boot(), 1);
    EXPECT_NE(wrong.last.log.find("Secondary header magic detected in first sector"), std::string::npos);
}

TEST(Bootloader, PermanentSwapNeedsNoConfirmation) {
    Device device(small());
    ASSERT_TRUE(device.board.mark_pending(true));
    EXPECT_EQ(device.boot(), 2);
    EXPECT_EQ(device.last.swap, Swap::permanent);
    EXPECT_TRUE(*device.board.confirmed());
    EXPECT_EQ(device.boot(), 2);
    EXPECT_EQ(device.last.swap, Swap::none);
    // And the next update on top of the trailers that this one left.
    device.stage(make_image(3, 500));
    ASSERT_TRUE(device.board.mark_pending(false));
    EXPECT_EQ(device.boot(), 3);
    EXPECT_EQ(device.boot(), 2);
    device.expect_no_violation();
}

TEST(Bootloader, OverwriteLeavesNothingToRevertTo) {
    Device device(small(SwapMode::overwrite));
    ASSERT_TRUE(device.board.mark_pending(false));
    EXPECT_EQ(device.boot(), 2);
    EXPECT_TRUE(device.holds(device.board.primary(), device.new_image));
    EXPECT_EQ(device.boot(), 2);
    EXPECT_EQ(device.last.swap, Swap::none);
    EXPECT_FALSE(device.holds(device.board.secondary(), device.new_image));
    device.expect_no_violation();
}

TEST(Bootloader, ABadUpdateIsErasedAndTheOldOneRuns) {
    for (SwapMode mode : {SwapMode::move, SwapMode::overwrite}) {
        Device device(small(mode));
        device.new_image[3000] ^= 1;
        device.stage(device.new_image);
        ASSERT_TRUE(device.board.mark_pending(true));
        EXPECT_EQ(device.boot(), 1);
        EXPECT_TRUE(device.last.secondary_refused);
        EXPECT_NE(device.last.log.find("Image in the secondary slot is not valid!"), std::string::npos);
        EXPECT_EQ(std::ranges::count(*device.board.secondary().read(0, device.board.secondary().size()), 0xff), 40960);
        EXPECT_EQ(device.boot(), 1);
        EXPECT_FALSE(device.last.secondary_refused);
    }
}

TEST(Bootloader, ALowerVersionIsErasedWhereDowngradesArePrevented) {
    for (SwapMode mode : {SwapMode::move, SwapMode::offset, SwapMode::overwrite}) {
        for (bool prevent : {false, true}) {
            auto config = small(mode);
            config.prevent_downgrade = prevent;
            Device device(config);
            ASSERT_TRUE(device.board.mark_pending(true));
            ASSERT_EQ(device.boot(), 2);
            device.stage(make_image(1, 9000));
            ASSERT_TRUE(device.board.mark_pending(true));
            EXPECT_EQ(device.boot(), prevent ? 2 : 1);
            EXPECT_EQ(device.last.secondary_refused, prevent);
            EXPECT_EQ(device.boot(), prevent ? 2 : 1);
        }
        // A revert is no downgrade (overwrite-only has none).
        if (mode == SwapMode::overwrite) continue;
        auto config = small(mode);
        config.prevent_downgrade = true;
        Device device(config);
        ASSERT_TRUE(device.board.mark_pending(false));
        ASSERT_EQ(device.boot(), 2);
        EXPECT_EQ(device.boot(), 1);
    }
}

TEST(Bootloader, TooLargeForASwapIsRefused) {
    Device device(small());
    const auto limit = device.board.bootloader().image_limit();
    EXPECT_EQ(limit, 8u * 4096);  // one sector for the move, one for the trailer
    const auto payload = limit - 0x200 - 40;
    for (bool fits : {false, true}) {
        device.stage(make_image(2, fits ? payload : payload + 1));
        ASSERT_TRUE(device.board.mark_pending(true));
        EXPECT_EQ(device.boot(), fits ? 2 : 1);
        EXPECT_EQ(device.last.secondary_refused, !fits);
    }
}

TEST(Bootloader, NoPrimaryImageMeansNoBoot) {
    Device device(small());
    ASSERT_TRUE(device.board.primary().erase(0, 4096));
    ASSERT_TRUE(device.board.mark_pending(true));
    EXPECT_EQ(device.boot(), 0);
    EXPECT_NE(device.last.log.find("Image in the primary slot is not valid!"), std::string::npos);
    EXPECT_FALSE(device.board.running());
}

TEST(Bootloader, SlotsThatDoNotMatchAreLeftAlone) {
    BootConfig few = small();
    few.max_sectors = 8;
    Device sectors(few);
    ASSERT_TRUE(sectors.board.mark_pending(true));
    EXPECT_EQ(sectors.boot(), 1);
    EXPECT_NE(sectors.last.log.find("Cannot upgrade: more sectors than allowed"), std::string::npos);
    BootConfig uneven = small();
    uneven.secondary_size = 8 * 4096;
    Device sizes(uneven);
    ASSERT_TRUE(sizes.board.mark_pending(true));
    EXPECT_EQ(sizes.boot(), 1);
    EXPECT_NE(sizes.last.log.find("not a compatible amount of sectors"), std::string::npos);
}

TEST(Bootloader, AnImageThatImgtoolPaddedAndConfirmedNeedsNoMark) {
    Device device(small());
    // imgtool --pad --confirm: the whole slot, with image_ok and magic at its end.
    Bytes padded = device.new_image;
    padded.resize(10 * 4096, 0xff);
    const auto magic = fota::test::hex("77c295f360d2ef7f3552500f2cb67980");
    std::ranges::copy(magic, padded.end() - 16);
    padded[padded.size() - 24] = 1;
    device.stage(padded);
    EXPECT_EQ(*device.board.next_swap(), FOTA_SWAP_PERMANENT);
    EXPECT_EQ(device.boot(), 2);
    EXPECT_TRUE(*device.board.confirmed());
    EXPECT_EQ(device.boot(), 2);
    // Flashed by a probe into the primary slot it runs and is already confirmed.
    Board probe(small(), hash_only());
    ASSERT_TRUE(probe.flash_image(padded));
    ASSERT_TRUE(probe.reboot()->booted);
    EXPECT_TRUE(*probe.confirmed());
    device.expect_no_violation();
}

// ---- power loss ----

enum class Mark { test, permanent, revert, overwrite };

/// A device just before the boot that does the work.
std::unique_ptr<Device> prepared(Mark mark, const BootConfig& config, std::uint32_t old_size, std::uint32_t new_size) {
    auto device = std::make_unique<Device>(config, old_size, new_size);
    EXPECT_TRUE(device->board.mark_pending(mark == Mark::permanent));
    if (mark == Mark::revert) {
        EXPECT_EQ(device->boot(), 2);
    }
    return device;
}

struct Sweep {
    std::uint64_t operations = 0;  ///< of an undisturbed boot
    int old_runs = 0;              ///< outcomes, by the version that ran in the end
    int new_runs = 0;
};

/// Fails in every n-th operation of the boot, boots until quiet, and checks that nothing was lost.
Sweep sweep(Mark mark, BootConfig config, std::uint32_t old_size, std::uint32_t new_size, std::uint64_t step) {
    Sweep result;
    auto clean = prepared(mark, config, old_size, new_size);
    const auto before = clean->board.power().operations();
    EXPECT_EQ(clean->boot(), mark == Mark::revert ? 1 : 2);
    EXPECT_NE(clean->last.swap, Swap::none) << "the swap that is to be disturbed did not take place";
    result.operations = clean->board.power().operations() - before;

    for (std::uint64_t at = 0; at < result.operations; at += step) {
        SCOPED_TRACE(fmt::format("power fails in operation {} of {}", at, result.operations));
        auto device = prepared(mark, config, old_size, new_size);
        device->board.power().random().seed(at);
        device->board.power().fail_in(at);
        EXPECT_FALSE(device->board.reboot()) << "power did not fail";
        const int first = device->boot();
        EXPECT_TRUE(first == 1 || first == 2) << "bricked: " << device->last.log;
        // Quiet: a confirmed image runs, and boots again without a swap.
        EXPECT_TRUE(device->board.confirm());
        const int settled = device->boot();
        EXPECT_EQ(settled, first);
        EXPECT_EQ(device->last.swap, Swap::none) << device->last.log;
        EXPECT_TRUE(device->holds(device->board.primary(), settled == 1 ? device->old_image : device->new_image));
        if (mark != Mark::overwrite) {
            EXPECT_TRUE(device->holds(device->board.secondary(), settled == 1 ? device->new_image : device->old_image));
        }
        device->expect_no_violation();
        (settled == 1 ? result.old_runs : result.new_runs)++;
        if (testing::Test::HasFailure()) break;
    }
    return result;
}

TEST(BootloaderPowerLoss, TestSwapSurvivesEveryOperation) {
    const auto result = sweep(Mark::test, small(), 9000, 20000, 1);
    EXPECT_GT(result.operations, 100u);
    EXPECT_GT(result.new_runs, result.old_runs);
}

TEST(BootloaderPowerLoss, LargerOldImage) {
    EXPECT_GT(sweep(Mark::test, small(), 20000, 5000, 1).new_runs, 0);
}

TEST(BootloaderPowerLoss, PermanentSwapSurvivesEveryOperation) {
    const auto result = sweep(Mark::permanent, small(), 9000, 20000, 1);
    EXPECT_GT(result.new_runs, result.old_runs);
}

TEST(BootloaderPowerLoss, RevertSurvivesEveryOperation) {
    const auto result = sweep(Mark::revert, small(), 9000, 20000, 1);
    EXPECT_GT(result.old_runs, result.new_runs);
}

TEST(BootloaderPowerLoss, OverwriteSurvivesEveryOperation) {
    const auto result = sweep(Mark::overwrite, small(SwapMode::overwrite), 9000, 20000, 1);
    EXPECT_EQ(result.old_runs, 0);
}

TEST(BootloaderPowerLoss, SampledAtTheRealLayout) {
    const auto result = sweep(Mark::test, BootConfig{}, 150000, 165000, 29);
    EXPECT_GT(result.operations, 1000u);
    EXPECT_GT(result.new_runs, result.old_runs);
}

TEST(BootloaderPowerLoss, AgainAndAgain) {
    // Power that fails over and over, a few operations further each time, in one single update.
    auto device = prepared(Mark::permanent, small(), 9000, 20000);
    int failures = 0;
    for (std::uint64_t patience = 1; patience < 1000; patience++) {
        device->board.power().power_on();
        device->board.power().fail_in(patience % 40);
        auto result = device->board.bootloader().boot(device->board.internal(), device->board.external());
        if (result) break;
        failures++;
    }
    EXPECT_GT(failures, 5);
    EXPECT_EQ(device->boot(), 2);
    EXPECT_TRUE(device->holds(device->board.secondary(), device->old_image));
}

}  // namespace
}  // namespace fota::virtdev
