// A device that loses power in every single flash operation of an update, and one whose flash lies. Below the network:
// the firmware core's slot writer, the bootloader's model and the flash parts; what the server does is sixteen lines
// here.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <random>
#include <string>

#include "base/sha256.hpp"
#include "unit/virtdev/test_image.hpp"
#include "virtdev/board.hpp"

namespace fota::virtdev {
namespace {

using test::make_image;

constexpr std::uint32_t block = 512;
constexpr std::uint32_t slot_size = 10 * 4096;

/// Ten sectors: every step of each algorithm takes place, and all of its operations can be tried. The scratch area
/// takes two of them at a time.
BootConfig small(SwapMode mode) {
    return {.mode = mode,
            .primary_size = slot_size,
            .secondary_size = slot_size,
            .max_sectors = 16,
            .scratch_size = 2 * 4096};
}

class Rig {
  public:
    explicit Rig(SwapMode mode) : board(small(mode), hash_only()) {
        EXPECT_TRUE(board.flash_image(old_image()));
        EXPECT_TRUE(reboot());
    }

    static const Bytes& old_image() {
        static const Bytes image = make_image(1, 9000);
        return image;
    }
    static const Bytes& new_image() {
        static const Bytes image = make_image(2, 20000);
        return image;
    }

    bool reboot() {
        auto result = board.reboot();
        if (result) last = *result;
        return result.has_value();
    }
    /// As the server and the firmware do it: what is stored and proves to be ours is kept, the rest is sent.
    Result<void> push() {
        const auto& image = new_image();
        auto& package = board.package();
        TRY(auto stored, package.restore());
        if (stored > image.size() || package.digest() != sha256(BytesView(image).first(stored))) stored = 0;
        resumed_at = stored;
        TRY_VOID(package.begin(stored));
        for (std::size_t at = stored; at < image.size(); at += block) {
            TRY_VOID(package.write(BytesView(image).subspan(at, std::min<std::size_t>(block, image.size() - at))));
            TRY_VOID(package.prepare());
        }
        TRY(auto extent, package.finish());
        if (extent.header.version.major != 2) return fail(Errc::internal, "another image was stored");
        return board.mark_pending(false);
    }
    /// Delivery, swap, self-test, confirmation.
    Result<void> update() {
        TRY_VOID(push());
        TRY(last, board.reboot());
        return board.confirm();
    }
    int version() const { return last.booted ? last.header.version.major : 0; }
    /// Byte for byte one of the two images, in the primary slot.
    bool runs_a_whole_image() const {
        const auto& image = version() == 1 ? old_image() : new_image();
        auto bytes = board.primary().read(0, static_cast<std::uint32_t>(image.size()));
        return bytes && *bytes == image;
    }
    std::string violations() const {
        for (const auto* part : {&board.internal(), &board.external()})
            if (!part->violations().empty()) return part->violations().front();
        return {};
    }

    mutable Board board;  // its areas have no const access
    BootResult last;
    std::uint32_t resumed_at = 0;
};

/// Operations of an undisturbed update, and where in them the download ends.
struct Clean {
    std::uint64_t operations = 0;
    std::uint64_t download = 0;
};

Clean clean_update(SwapMode mode) {
    Rig rig(mode);
    Clean clean;
    const auto start = rig.board.power().operations();
    EXPECT_TRUE(rig.push());
    clean.download = rig.board.power().operations() - start;
    EXPECT_EQ(*rig.board.next_swap(), FOTA_SWAP_TEST);
    EXPECT_TRUE(rig.reboot());
    EXPECT_TRUE(rig.board.confirm());
    clean.operations = rig.board.power().operations() - start;
    // Without these a sweep over a device that never swaps would pass.
    EXPECT_EQ(rig.version(), 2);
    EXPECT_EQ(rig.last.swap, Swap::test) << "no swap took place";
    EXPECT_TRUE(rig.runs_a_whole_image());
    EXPECT_EQ(rig.violations(), "");
    EXPECT_GT(clean.operations, clean.download + 20);
    return clean;
}

struct Outcomes {
    int old_runs = 0;
    int new_runs = 0;
    int resumed = 0;
};

/// After power has failed: boots until quiet, must run a whole image of either version, takes a push, ends on the new
/// one. `second`: power fails again, this many operations later; 0: no more.
void recover(Rig& rig, std::uint64_t second, Outcomes& outcomes) {
    int faults = 1;
    rig.board.power().power_on();
    if (second > 0) rig.board.power().fail_in(second - 1);
    Result<void> done;
    do {
        int boots = 0;
        while (!rig.reboot()) ASSERT_LT(++boots, 3) << "does not come to rest";
        ASSERT_NE(rig.version(), 0) << "bricked: " << rig.last.log;
        ASSERT_TRUE(rig.runs_a_whole_image()) << rig.last.log;
        if (faults == 1) (rig.version() == 1 ? outcomes.old_runs : outcomes.new_runs)++;
        // The application reached its server: it keeps the image. Power can fail in this, too.
        done = rig.board.confirm();
        if (done) done = rig.update();
        if (rig.resumed_at > 0) outcomes.resumed++;
        ASSERT_TRUE(done || !rig.board.power().on()) << done.error().text();
        ASSERT_LE(++faults, 4);
    } while (!done);
    ASSERT_EQ(rig.version(), 2);
    ASSERT_TRUE(rig.runs_a_whole_image());
    ASSERT_TRUE(rig.reboot());
    ASSERT_EQ(rig.version(), 2) << "it was confirmed";
    ASSERT_EQ(rig.last.swap, Swap::none);
    ASSERT_EQ(rig.violations(), "");
}

void fail_at(Rig& rig, std::uint64_t at) {
    rig.board.power().random().seed(at);
    rig.board.power().fail_in(at);
    ASSERT_FALSE(rig.update()) << "power did not fail";
    ASSERT_FALSE(rig.board.power().on());
}

class PowerLoss : public testing::TestWithParam<SwapMode> {};

const auto all_modes = testing::Values(SwapMode::move, SwapMode::offset, SwapMode::scratch, SwapMode::overwrite);

INSTANTIATE_TEST_SUITE_P(Modes, PowerLoss, all_modes, [](const auto& mode) { return swap_mode_name(mode.param); });

TEST_P(PowerLoss, InEveryOperationOfAnUpdate) {
    const auto clean = clean_update(GetParam());
    Outcomes outcomes;
    for (std::uint64_t at = 0; at < clean.operations && !HasFatalFailure(); at++) {
        SCOPED_TRACE(fmt::format("power fails in operation {} of {}", at, clean.operations));
        Rig rig(GetParam());
        fail_at(rig, at);
        recover(rig, 0, outcomes);
        // While the package arrives there is nothing but the old image to run.
        if (at + 4 < clean.download) {
            ASSERT_EQ(outcomes.new_runs, 0);
        }
    }
    fmt::print("{}: {} operations ({} of the download), then old {}, new {}, resumed {}\n", swap_mode_name(GetParam()),
               clean.operations, clean.download, outcomes.old_runs, outcomes.new_runs, outcomes.resumed);
    EXPECT_EQ(outcomes.old_runs + outcomes.new_runs, static_cast<int>(clean.operations));
    EXPECT_GT(outcomes.new_runs, 20) << "an interrupted swap is completed";
    EXPECT_GT(outcomes.resumed, 20) << "an interrupted download goes on";
}

void double_faults(SwapMode mode, int count) {
    const auto clean = clean_update(mode);
    const auto seed = std::random_device{}();
    fmt::print("{}: {} double faults, seed {}\n", swap_mode_name(mode), count, seed);
    std::mt19937_64 random(seed);
    Outcomes outcomes;
    for (int i = 0; i < count && !testing::Test::HasFatalFailure(); i++) {
        const auto first = random() % clean.operations;
        const auto second = 1 + random() % clean.operations;
        SCOPED_TRACE(fmt::format("seed {}: power fails in operation {} and {} later", seed, first, second));
        Rig rig(mode);
        fail_at(rig, first);
        recover(rig, second, outcomes);
    }
}

TEST_P(PowerLoss, TwiceAtRandom) {
    double_faults(GetParam(), 150);
}

class LongPowerLoss : public testing::TestWithParam<SwapMode> {};

INSTANTIATE_TEST_SUITE_P(Long, LongPowerLoss, all_modes, [](const auto& mode) { return swap_mode_name(mode.param); });

TEST_P(LongPowerLoss, TwiceAtRandom) {
    double_faults(GetParam(), 2000);
}

// ---- a flash that lies ----

class LyingFlash : public testing::TestWithParam<SwapMode> {};

INSTANTIATE_TEST_SUITE_P(Modes, LyingFlash, all_modes, [](const auto& mode) { return swap_mode_name(mode.param); });

/// Whatever happened: the device runs a whole image or none, now and after more resets.
void expect_nothing_bad_runs(Rig& rig) {
    for (int boots = 0; boots < 3; boots++) {
        ASSERT_TRUE(rig.reboot());
        if (rig.last.booted) {
            ASSERT_TRUE(rig.runs_a_whole_image()) << rig.last.log;
        }
    }
}

TEST_P(LyingFlash, WritesThatSilentlyFailNeverBootABadImage) {
    const auto clean = clean_update(GetParam());
    int refused = 0;
    int stuck_in_bootloader = 0;
    for (std::uint64_t at = 0; at < clean.operations && !HasFatalFailure(); at++) {
        for (std::uint64_t count : {1u, 2u, 40u}) {
            SCOPED_TRACE(fmt::format("operation {} of {} and {} more do nothing", at, clean.operations, count - 1));
            Rig rig(GetParam());
            rig.board.power().lose_operations(at, count);
            if (!rig.push()) refused++;
            expect_nothing_bad_runs(rig);
            if (at + count <= clean.download) {
                ASSERT_TRUE(rig.last.booted) << "the download never touches what runs";
            } else if (!rig.last.booted) {
                stuck_in_bootloader++;
            }
        }
    }
    fmt::print("{}: {} packages refused while they arrived, {} devices left in the bootloader\n",
               swap_mode_name(GetParam()), refused, stuck_in_bootloader);
    EXPECT_GT(refused, 10) << "the slot writer reads back what it wrote";
}

TEST_P(LyingFlash, StuckBitsNeverBootABadImage) {
    const auto seed = std::random_device{}();
    fmt::print("{}: seed {}\n", swap_mode_name(GetParam()), seed);
    std::mt19937_64 random(seed);
    int refused = 0;
    for (int i = 0; i < 400 && !HasFatalFailure(); i++) {
        SCOPED_TRACE(fmt::format("seed {}, device {}", seed, i));
        Rig rig(GetParam());
        const auto offset = static_cast<std::uint32_t>(random() % slot_size);
        const auto mask = static_cast<std::uint8_t>(1u << (random() % 8));
        const auto value = static_cast<std::uint8_t>(random());
        // Where the package goes; and every fourth time where it is swapped to, or through.
        const auto& layout = rig.board.bootloader().config();
        if (i % 4 != 3) {
            rig.board.external().stick_bits(offset, mask, value);
        } else if (i % 8 == 3) {
            rig.board.internal().stick_bits(layout.primary_offset + offset, mask, value);
        } else {
            rig.board.internal().stick_bits(layout.scratch_offset + offset % layout.scratch_size, mask, value);
        }
        if (!rig.push()) refused++;
        expect_nothing_bad_runs(rig);
    }
    EXPECT_GT(refused, 30);
}

}  // namespace
}  // namespace fota::virtdev
