// The external flash parts of nRF91 boards, as the firmware core and the bootloader's model meet them.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "core/sfdp.h"
#include "flash/parts.hpp"
#include "flash/sfdp.hpp"
#include "unit/virtdev/test_image.hpp"
#include "virtdev/board.hpp"

namespace fota::virtdev {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using test::make_image;

class Parts : public testing::TestWithParam<FlashPart (*)()> {
  protected:
    FlashPart part = GetParam()();
};

std::string part_name(const testing::TestParamInfo<FlashPart (*)()>& info) {
    return info.param().name;
}

INSTANTIATE_TEST_SUITE_P(All, Parts, testing::Values(mx25r6435f, gd25le255e, gd25wb256e, w25q32jv), part_name);

TEST_P(Parts, IsThePartThatLayoutKnows) {
    const auto* known = flash::find_part(part.name);
    ASSERT_NE(known, nullptr);
    EXPECT_TRUE(std::ranges::equal(known->id, part.jedec_id));
    EXPECT_EQ(known->size, part.size);
    ASSERT_EQ(part.erase_types.size(), known->erase_sizes.size());
    for (std::size_t i = 0; i < part.erase_types.size(); i++)
        EXPECT_EQ(part.erase_types[i].size, known->erase_sizes[i]);
    EXPECT_EQ(fota_jedec_size(part.jedec_id.data()), part.size);
}

TEST_P(Parts, SaysOfItselfWhatItDoes) {
    auto power = std::make_shared<Power>();
    NorFlash flash(part, FlashStore::memory(part.size), power);
    const auto read_sfdp = [](void* context, std::uint32_t offset, void* data, std::size_t size) {
        return static_cast<NorFlash*>(context)->read_sfdp(offset, {static_cast<std::uint8_t*>(data), size}) ? 0 : -1;
    };
    fota_bfp_location at{};
    ASSERT_EQ(fota_sfdp_find(read_sfdp, &flash, &at), FOTA_OK);
    Bytes table(at.size);
    ASSERT_TRUE(flash.read_sfdp(at.offset, table));
    EXPECT_EQ(table, part.bfp);
    fota_sfdp stated{};
    ASSERT_EQ(fota_bfp_decode(table.data(), table.size(), &stated), FOTA_OK);
    EXPECT_EQ(stated.page_size, 256u);
    // What the core would send erases what it says, in the time it says.
    for (const std::uint32_t size : {4096u, 32768u, 65536u}) {
        std::ranges::fill(flash.cells().first(2 * 65536), std::uint8_t{0});
        const auto* type = fota_sfdp_erase_at(&stated, 65536, size);
        ASSERT_NE(type, nullptr);
        ASSERT_EQ(type->size, size);
        const auto before = flash.busy_time();
        ASSERT_TRUE(flash.sector_erase(type->opcode, 65536));
        EXPECT_EQ(std::ranges::count(flash.cells().first(2 * 65536), 0xff), size);
        EXPECT_EQ(flash.busy_time() - before, milliseconds(type->typical_ms));
    }
    const auto before = flash.busy_time();
    ASSERT_TRUE(flash.program(65536, Bytes(256, 0)));
    EXPECT_EQ(flash.busy_time() - before, microseconds(stated.page_program_us));
    EXPECT_TRUE(flash.violations().empty());
}

TEST_P(Parts, TakesAPackageAndASwapInEachMode) {
    for (const auto mode : {SwapMode::move, SwapMode::offset, SwapMode::scratch, SwapMode::overwrite}) {
        SCOPED_TRACE(swap_mode_name(mode));
        Board board({.mode = mode}, hash_only(), part);
        const auto next = make_image(2, 150'000);
        ASSERT_TRUE(board.flash_image(make_image(1, 90'000)));
        ASSERT_TRUE(board.reboot());
        auto& package = board.package();
        ASSERT_TRUE(package.begin(0));
        auto longest = microseconds(0);
        for (std::size_t at = 0; at < next.size(); at += 512) {
            const auto before = board.external().busy_time();
            ASSERT_TRUE(package.write(BytesView(next).subspan(at, std::min<std::size_t>(512, next.size() - at))));
            longest = std::max(longest, board.external().busy_time() - before);
            ASSERT_TRUE(package.prepare());
        }
        ASSERT_TRUE(package.finish());
        // No block waits for more than one sector's erase and the pages of a sector.
        EXPECT_LE(longest, part.erase_types.front().time + 16 * part.program_time);
        ASSERT_TRUE(board.mark_pending(false));
        const auto boot = board.reboot();
        ASSERT_TRUE(boot) << boot.error().text();
        EXPECT_EQ(boot->header.version.major, 2) << boot->log;
        EXPECT_TRUE(board.external().violations().empty()) << board.external().violations()[0];
    }
}

TEST(PartTimes, DifferAsTheTablesState) {
    const auto erase_times = [](const FlashPart& part) {
        std::vector<std::int64_t> out;
        for (const auto& type : part.erase_types)
            out.push_back(std::chrono::duration_cast<milliseconds>(type.time).count());
        return out;
    };
    EXPECT_EQ(erase_times(mx25r6435f()), (std::vector<std::int64_t>{48, 240, 480}));
    EXPECT_EQ(erase_times(w25q32jv()), (std::vector<std::int64_t>{64, 128, 160}));
    EXPECT_LT(erase_times(gd25le255e())[2], 480);
}

}  // namespace
}  // namespace fota::virtdev
