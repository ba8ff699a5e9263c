// A device on its board, and the sweep over every operation of one boot of it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <memory>

#include "unit/virtdev/test_image.hpp"
#include "virtdev/board.hpp"

namespace fota::virtdev::test {

/// Ten sectors: room for every step of the algorithm, small enough to fail in each of its operations.
inline BootConfig small(SwapMode mode = SwapMode::move) {
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

enum class Mark { test, permanent, revert, overwrite };

/// A device just before the boot that does the work.
inline std::unique_ptr<Device> prepared(Mark mark, const BootConfig& config, std::uint32_t old_size,
                                        std::uint32_t new_size) {
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
inline Sweep sweep(Mark mark, BootConfig config, std::uint32_t old_size, std::uint32_t new_size, std::uint64_t step) {
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

}  // namespace fota::virtdev::test
