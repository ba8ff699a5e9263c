#include "virtdev/nor_flash.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>
#include <vector>

#include "core/sfdp.h"
#include "support/own_memory.hpp"
#include "virtdev/flash_store.hpp"

namespace fota::virtdev {
namespace {

class NorFlashTest : public testing::Test {
  protected:
    std::shared_ptr<Power> power = std::make_shared<Power>(7);
    NorFlash spi{mx25r6435f(), FlashStore::memory(8u << 20), power};
    NorFlash internal{nrf9160_internal(), FlashStore::memory(1u << 20), power};

    static Bytes read(NorFlash& flash, std::uint32_t offset, std::uint32_t size) {
        Bytes bytes(size);
        EXPECT_TRUE(flash.read(offset, bytes));
        return bytes;
    }
};

TEST_F(NorFlashTest, ProgramOnlyClearsBitsAndAsksForErasedCells) {
    ASSERT_TRUE(spi.program(100, Bytes{0xf0}));
    EXPECT_TRUE(spi.violations().empty());
    ASSERT_TRUE(spi.program(100, Bytes{0x3c}));
    EXPECT_EQ(read(spi, 100, 1), Bytes{0x30});
    ASSERT_EQ(spi.violations().size(), 1u);
    EXPECT_EQ(spi.violations()[0], "MX25R6435F: program at 0x64 where 0x64 is not erased");
}

TEST_F(NorFlashTest, APageWraps) {
    Bytes data(20);
    for (std::size_t i = 0; i < data.size(); i++) data[i] = static_cast<std::uint8_t>(i);
    ASSERT_TRUE(spi.page_program(512 + 250, data));
    EXPECT_EQ(spi.violations().size(), 1u);
    EXPECT_EQ(read(spi, 512 + 250, 6), (Bytes{0, 1, 2, 3, 4, 5}));
    EXPECT_EQ(read(spi, 512, 3), (Bytes{6, 7, 8}));
    EXPECT_EQ(read(spi, 768, 1), Bytes{0xff});
    // A driver that splits at pages breaks no rule.
    NorFlash other{mx25r6435f(), FlashStore::memory(8u << 20), power};
    ASSERT_TRUE(other.program(250, data));
    EXPECT_TRUE(other.violations().empty());
    EXPECT_EQ(read(other, 250, 20), data);
}

TEST_F(NorFlashTest, EraseByOpcodeOnExactSectors) {
    std::ranges::fill(spi.cells(), std::uint8_t{0});
    ASSERT_TRUE(spi.sector_erase(0x20, 4096));
    EXPECT_EQ(std::ranges::count(spi.cells(), 0xff), 4096);
    ASSERT_TRUE(spi.sector_erase(0x52, 32768));
    ASSERT_TRUE(spi.sector_erase(0xd8, 65536));
    EXPECT_EQ(std::ranges::count(spi.cells(), 0xff), 4096 + 32768 + 65536);
    EXPECT_TRUE(spi.violations().empty());
    ASSERT_TRUE(spi.sector_erase(0x20, 4097));
    ASSERT_TRUE(spi.sector_erase(0xd7, 0));
    EXPECT_EQ(spi.violations().size(), 2u);
    EXPECT_EQ(spi.cells()[0], 0);
    EXPECT_FALSE(spi.erase(100, 4096));
    EXPECT_FALSE(spi.erase(0, (8u << 20) + 4096));
}

TEST_F(NorFlashTest, TimesAddUp) {
    ASSERT_TRUE(spi.erase(0, 4096 + 32768 + 65536));  // no type fits but 64 KiB, 32 KiB and 4 KiB
    EXPECT_EQ(spi.busy_time(), std::chrono::milliseconds(480 + 240 + 48));
    ASSERT_TRUE(spi.program(0, Bytes(1000, 0)));
    EXPECT_EQ(spi.busy_time(), std::chrono::milliseconds(768) + 4 * std::chrono::microseconds(896));
    ASSERT_TRUE(internal.erase(0, 4096));
    ASSERT_TRUE(internal.program(0, Bytes(1024, 0)));
    EXPECT_EQ(internal.busy_time(), std::chrono::milliseconds(85) + 256 * std::chrono::microseconds(41));
}

TEST_F(NorFlashTest, InternalFlashTakesWholeWords) {
    EXPECT_FALSE(internal.program(2, Bytes(4)));
    EXPECT_FALSE(internal.program(0, Bytes(3)));
    EXPECT_TRUE(internal.program(4, Bytes(4)));
}

TEST_F(NorFlashTest, SfdpDecodesToWhatThePartIs) {
    fota_bfp_location at{};
    const auto read_sfdp = [](void* context, std::uint32_t offset, void* data, std::size_t size) {
        return static_cast<NorFlash*>(context)->read_sfdp(offset, {static_cast<std::uint8_t*>(data), size}) ? 0 : -1;
    };
    ASSERT_EQ(fota_sfdp_find(read_sfdp, &spi, &at), FOTA_OK);
    Bytes table(at.size);
    ASSERT_TRUE(spi.read_sfdp(at.offset, table));
    EXPECT_EQ(table, spi.part().bfp);
    fota_sfdp part{};
    ASSERT_EQ(fota_bfp_decode(table.data(), table.size(), &part), FOTA_OK);
    EXPECT_EQ(part.size, spi.size());
    EXPECT_EQ(part.page_size, spi.part().page_size);
    EXPECT_EQ(std::chrono::microseconds(part.page_program_us), spi.part().program_time);
    for (std::size_t i = 0; i < 3; i++) {
        EXPECT_EQ(part.erase[i].size, spi.part().erase_types[i].size);
        EXPECT_EQ(part.erase[i].opcode, spi.part().erase_types[i].opcode);
        EXPECT_EQ(std::chrono::milliseconds(part.erase[i].typical_ms), spi.part().erase_types[i].time);
    }
}

TEST_F(NorFlashTest, PowerFailsInTheOperationAndTearsIt) {
    ASSERT_TRUE(spi.program(0, Bytes(256, 0xaa)));
    power->fail_in(1);
    ASSERT_TRUE(internal.program(0, Bytes(256, 0)));  // the supply is common
    EXPECT_FALSE(spi.program(256, Bytes(256, 0)));
    EXPECT_FALSE(power->on());
    Bytes byte(1);
    EXPECT_FALSE(spi.read(0, byte));
    EXPECT_FALSE(internal.erase(0, 4096));
    power->power_on();
    EXPECT_EQ(power->operations(), 3u);
    EXPECT_EQ(read(spi, 0, 256), Bytes(256, 0xaa));
    const auto torn = read(spi, 256, 256);
    EXPECT_NE(torn, Bytes(256, 0)) << "nothing was torn";
    EXPECT_EQ(torn.back(), 0xff);
}

TEST_F(NorFlashTest, WritesThatDoNotStickAndOperationsThatFail) {
    spi.lose_writes(1);
    EXPECT_TRUE(spi.program(0, Bytes(4, 0)));
    EXPECT_EQ(read(spi, 0, 4), Bytes(4, 0xff));
    EXPECT_TRUE(spi.program(0, Bytes(4, 0)));
    EXPECT_EQ(read(spi, 0, 4), Bytes(4, 0));
    spi.fail_operations(2);
    EXPECT_FALSE(spi.erase(0, 4096));
    EXPECT_FALSE(spi.program(4, Bytes(4, 0)));
    EXPECT_TRUE(spi.erase(0, 4096));
}

TEST_F(NorFlashTest, OperationsThatAreLostAndBitsThatAreStuck) {
    power->lose_operations(1, 2);
    EXPECT_TRUE(spi.program(0, Bytes(4, 0)));
    EXPECT_TRUE(spi.program(4, Bytes(4, 0)));
    EXPECT_TRUE(spi.erase(0, 4096));
    EXPECT_TRUE(internal.program(0, Bytes(4, 0)));
    EXPECT_EQ(read(spi, 0, 8), (Bytes{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}));
    EXPECT_EQ(read(internal, 0, 4), Bytes(4, 0));
    spi.stick_bits(5000, 0x81, 0x01);
    EXPECT_EQ(read(spi, 5000, 1), Bytes{0x7f});
    EXPECT_TRUE(spi.erase(4096, 4096));
    EXPECT_EQ(read(spi, 5000, 1), Bytes{0x7f});
    EXPECT_TRUE(spi.program(5000, Bytes{0}));
    EXPECT_EQ(read(spi, 5000, 1), Bytes{0x01});
}

TEST(FlashStore, MemoryCostsOnlyWhatWasWritten) {
    // Two parts of 9 MiB together for each of 400 devices, each with 64 KiB written.
    std::vector<FlashStore> stores;
    const auto before = test::own_memory();
    for (int device = 0; device < 400; device++) {
        stores.push_back(FlashStore::memory(1u << 20));
        stores.push_back(FlashStore::memory(8u << 20));
        auto cells = stores.back().bytes();
        ASSERT_EQ(std::ranges::count(cells.subspan(4u << 20, 4096), 0xff), 4096);
        std::ranges::fill(cells.subspan(4096, 65536), static_cast<std::uint8_t>(device));
    }
    const auto each = (test::own_memory() - before) / 400;
    std::printf("%llu bytes for each device\n", static_cast<unsigned long long>(each));
    EXPECT_LT(each, 200'000u);
    for (int device = 0; device < 400; device++) {
        const auto& cells = std::as_const(stores[2 * static_cast<std::size_t>(device) + 1]).bytes();
        ASSERT_EQ(cells[4096], static_cast<std::uint8_t>(device));
        ASSERT_EQ(cells[4095], 0xff);
    }
}

TEST(FlashStore, AFileKeepsWhatWasWritten) {
    const auto directory = std::filesystem::temp_directory_path() / ("flash_store_" + std::to_string(::getpid()));
    std::filesystem::create_directory(directory);
    const std::string path = directory / "internal.bin";
    {
        auto store = FlashStore::file(path, 65536);
        ASSERT_TRUE(store) << store.error().text();
        EXPECT_TRUE(store->fresh());
        EXPECT_EQ(std::ranges::count(store->bytes(), 0xff), 65536);
        store->bytes()[65535] = 0x42;
        auto second = FlashStore::file(path, 65536);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code(), Errc::store_locked);
    }
    {
        auto store = FlashStore::file(path, 65536);
        ASSERT_TRUE(store);
        EXPECT_FALSE(store->fresh());
        EXPECT_EQ(store->bytes()[65535], 0x42);
    }
    auto other_size = FlashStore::file(path, 65537);
    ASSERT_FALSE(other_size);
    EXPECT_NE(other_size.error().message().find("expected a raw flash image of 65537 bytes, found 65536 bytes"),
              std::string::npos);
    EXPECT_FALSE(FlashStore::file(directory / "missing" / "internal.bin", 65536));
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory), {}), 1) << "a temporary file was left";
    std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace fota::virtdev
