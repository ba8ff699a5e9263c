// Downgrade prevention in the bootloader's model: by version, by security counter, and by the device's own counter.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "unit/virtdev/boot_device.hpp"
#include "virtdev/security_counter.hpp"

namespace fota::virtdev {
namespace {

using test::make_image;
using test::small;

/// A board that runs version 1 and is given others.
class Counted {
  public:
    explicit Counted(const BootConfig& config, std::optional<std::uint32_t> counter)
        : board(config, hash_only()), mode(config.mode) {
        EXPECT_TRUE(board.flash_image(make_image(1, 9000, counter)));
        EXPECT_EQ(boot(), 1);
    }

    void stage(const Bytes& image, bool permanent) {
        EXPECT_TRUE(board.secondary().erase(0, board.secondary().size()));
        Bytes padded = image;
        padded.resize((image.size() + 3) / 4 * 4, 0xff);
        EXPECT_TRUE(board.secondary().program(fota_upload_offset(core_mode(mode), 4096), padded));
        EXPECT_TRUE(board.mark_pending(permanent));
    }
    int update(int version, std::optional<std::uint32_t> counter, bool permanent = true) {
        stage(make_image(static_cast<std::uint8_t>(version), 7000, counter), permanent);
        return boot();
    }
    int boot() {
        auto result = board.reboot();
        EXPECT_TRUE(result) << result.error().text();
        if (!result) return -1;
        last = *result;
        return last.booted ? last.header.version.major : 0;
    }
    std::uint32_t held() { return *MonotonicCounter(board.internal(), 240).value(); }

    Board board;
    SwapMode mode;
    BootResult last;
};

constexpr SwapMode swapping[] = {SwapMode::move, SwapMode::offset, SwapMode::scratch};

TEST(Downgrade, ByTheCounterThatTheImagesState) {
    for (const auto mode : swapping) {
        SCOPED_TRACE(swap_mode_name(mode));
        auto config = small(mode);
        config.downgrade = Downgrade::by_counter;
        Counted device(config, 5);
        EXPECT_EQ(device.update(2, 4), 1);
        EXPECT_TRUE(device.last.secondary_refused);
        EXPECT_NE(device.last.log.find("Image 0 in slot 1 erased due to downgrade prevention"), std::string::npos);
        EXPECT_EQ(device.update(2, std::nullopt), 1) << "no counter is less than any";
        EXPECT_EQ(device.update(2, 5), 2) << "the same is enough";
        EXPECT_EQ(device.update(1, 6), 1) << "the version does not matter";
        // A running image without one is below all.
        Counted plain(config, std::nullopt);
        EXPECT_EQ(plain.update(2, std::nullopt), 2);
    }
}

TEST(Downgrade, TheDevicesCounterRisesWithWhatStays) {
    for (const auto mode : {SwapMode::move, SwapMode::offset, SwapMode::scratch, SwapMode::overwrite}) {
        SCOPED_TRACE(swap_mode_name(mode));
        auto config = small(mode);
        config.hardware_counter = true;
        Counted device(config, 3);
        EXPECT_EQ(device.held(), 3u);
        EXPECT_EQ(device.update(2, 2), 1);
        EXPECT_TRUE(device.last.secondary_refused);
        EXPECT_NE(device.last.log.find("Image security counter value 2 lower than monotonic value 3"),
                  std::string::npos)
            << device.last.log;
        EXPECT_EQ(device.update(2, std::nullopt), 1);
        EXPECT_NE(device.last.log.find("it states no security counter"), std::string::npos);
        EXPECT_EQ(device.update(2, 7), 2);
        EXPECT_EQ(device.held(), 7u);
        EXPECT_EQ(device.update(3, 6), 2);
        EXPECT_EQ(device.update(4, 7), 4);
    }
}

TEST(Downgrade, ATestThatIsNotConfirmedLeavesTheWayBack) {
    for (const auto mode : swapping) {
        SCOPED_TRACE(swap_mode_name(mode));
        auto config = small(mode);
        config.hardware_counter = true;
        Counted device(config, 3);
        EXPECT_EQ(device.update(2, 9, false), 2);
        EXPECT_EQ(device.held(), 3u);
        EXPECT_EQ(device.boot(), 1) << "reverted";
        EXPECT_EQ(device.held(), 3u);
        EXPECT_EQ(device.update(2, 9, false), 2);
        ASSERT_TRUE(device.board.confirm());
        EXPECT_EQ(device.held(), 3u) << "the bootloader raises it, not the application";
        EXPECT_EQ(device.boot(), 2);
        EXPECT_EQ(device.held(), 9u);
        EXPECT_EQ(device.update(3, 8), 2);
    }
}

TEST(Downgrade, ACounterWithoutRoomRefusesWhatWouldRaiseIt) {
    auto config = small();
    config.hardware_counter = true;
    config.counter_slots = 2;
    Counted device(config, 1);
    EXPECT_EQ(device.update(2, 2), 2);
    EXPECT_EQ(device.update(3, 3), 2);
    EXPECT_NE(device.last.log.find("Security counter update is not possible"), std::string::npos);
    EXPECT_EQ(device.update(3, 2), 3);
}

TEST(Downgrade, PowerLossNeverLocksADeviceOut) {
    for (const auto mode : {SwapMode::move, SwapMode::offset, SwapMode::scratch, SwapMode::overwrite}) {
        auto config = small(mode);
        config.hardware_counter = true;
        for (std::uint64_t at = 0;; at++) {
            SCOPED_TRACE(fmt::format("{}: power fails in operation {}", swap_mode_name(mode), at));
            Counted device(config, 3);
            device.stage(make_image(2, 7000, 9), true);
            device.board.power().random().seed(at);
            device.board.power().fail_in(at);
            if (device.board.reboot()) {
                ASSERT_GT(at, 10u);
                break;
            }
            const int version = device.boot();
            ASSERT_TRUE(version == 1 || version == 2) << device.last.log;
            ASSERT_EQ(device.held(), version == 1 ? 3u : 9u);
            ASSERT_EQ(device.update(4, 10), 4) << device.last.log;
            ASSERT_EQ(device.held(), 10u);
        }
    }
}

TEST(SecurityCounter, OnlyAmongTheProtectedOnesAndOnlyInFull) {
    auto image = make_image(1, 100, 0x01020304);
    EXPECT_EQ(security_counter(image), 0x01020304u);
    const std::size_t tlv = 0x200 + 100;
    for (std::size_t size = 0; size < tlv + 12; size++) EXPECT_FALSE(security_counter(BytesView(image).first(size)));
    EXPECT_EQ(security_counter(BytesView(image).first(tlv + 12)), 0x01020304u);
    auto other = image;
    other[tlv] ^= 1;
    EXPECT_FALSE(security_counter(other)) << "another area";
    other = image;
    other[tlv + 6] = 200;
    EXPECT_FALSE(security_counter(other)) << "a length past the area's end";
    EXPECT_FALSE(security_counter(make_image(1, 100)));
}

}  // namespace
}  // namespace fota::virtdev
