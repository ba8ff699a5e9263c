#include "core/sfdp.h"

#include <gtest/gtest.h>

#include <random>

#include "tests/support/hex.hpp"

namespace fota {
namespace {

// The table that the nRF9160-DK's devicetree states for its MX25R6435F.
const Bytes mx25r = test::hex(
    "e520f1ffffffff0344eb086b083b04bbeeffffffffff00ffffff00ff0c200f52"
    "10d800ff2372f50082ed04cc4483684430b030b0f7c4d55c00be29fff0d0ffff");

int read_bytes(void* context, std::uint32_t offset, void* data, std::size_t size) {
    const auto& space = *static_cast<const Bytes*>(context);
    auto* out = static_cast<std::uint8_t*>(data);
    for (std::size_t i = 0; i < size; i++) out[i] = offset + i < space.size() ? space[offset + i] : 0xff;
    return 0;
}

Bytes space_with(std::initializer_list<Bytes> headers, std::uint8_t count) {
    Bytes space = {'S', 'F', 'D', 'P', 6, 1, static_cast<std::uint8_t>(count - 1), 0xff};
    for (const auto& header : headers) append(space, header);
    return space;
}

TEST(Sfdp, DecodesTheTableOfTheDksFlash) {
    fota_sfdp part{};
    ASSERT_EQ(fota_bfp_decode(mx25r.data(), mx25r.size(), &part), FOTA_OK);
    EXPECT_EQ(part.size, 8u << 20);
    EXPECT_EQ(part.page_size, 256u);
    EXPECT_EQ(part.page_program_us, 896u);
    EXPECT_EQ(part.address_mode, FOTA_ADDRESS_3);
    const std::uint32_t sizes[] = {4096, 32768, 65536, 0};
    const std::uint8_t opcodes[] = {0x20, 0x52, 0xd8, 0};
    const std::uint32_t times[] = {48, 240, 480, 0};
    for (int i = 0; i < 4; i++) {
        EXPECT_EQ(part.erase[i].size, sizes[i]);
        EXPECT_EQ(part.erase[i].opcode, opcodes[i]);
        EXPECT_EQ(part.erase[i].typical_ms, times[i]);
        EXPECT_EQ(part.erase[i].max_ms, 8 * times[i]);
    }
    EXPECT_EQ(part.page_program_max_us, 6u * 896);
}

TEST(Sfdp, ChoosesTheEraseThatFits) {
    fota_sfdp part{};
    ASSERT_EQ(fota_bfp_decode(mx25r.data(), mx25r.size(), &part), FOTA_OK);
    EXPECT_EQ(fota_sfdp_erase_at(&part, 0, 0xe8000)->size, 65536u);
    EXPECT_EQ(fota_sfdp_erase_at(&part, 0, 65535)->size, 32768u);
    EXPECT_EQ(fota_sfdp_erase_at(&part, 0x8000, 65536)->size, 32768u);
    EXPECT_EQ(fota_sfdp_erase_at(&part, 0x1000, 65536)->size, 4096u);
    EXPECT_EQ(fota_sfdp_erase_at(&part, 0, 4095), nullptr);
    EXPECT_EQ(fota_sfdp_erase_at(&part, 100, 4096), nullptr);
    EXPECT_EQ(fota_sfdp_erase_of(&part, 4096)->opcode, 0x20);
    EXPECT_EQ(fota_sfdp_erase_of(&part, 8192), nullptr);
    EXPECT_EQ(fota_sfdp_erase_of(&part, 0), nullptr);
}

TEST(Sfdp, DensityOfAJedecId) {
    const std::uint8_t dk[] = {0xc2, 0x28, 0x17};
    const std::uint8_t gd25[] = {0xc8, 0x60, 0x19};
    const std::uint8_t silent[] = {0xff, 0xff, 0xff};
    const std::uint8_t zero[] = {0, 0, 0};
    EXPECT_EQ(fota_jedec_size(dk), 8u << 20);
    EXPECT_EQ(fota_jedec_size(gd25), 32u << 20);
    EXPECT_EQ(fota_jedec_size(silent), 0u);
    EXPECT_EQ(fota_jedec_size(zero), 0u);
}

TEST(Sfdp, AShortTableLeavesOutWhatItDoesNotSay) {
    fota_sfdp part{};
    ASSERT_EQ(fota_bfp_decode(mx25r.data(), 36, &part), FOTA_OK);
    EXPECT_EQ(part.page_size, 256u);
    EXPECT_EQ(part.page_program_us, 0u);
    EXPECT_EQ(part.erase[0].typical_ms, 0u);
    for (std::size_t size : {0u, 4u, 32u, 35u, 37u, 63u}) {
        EXPECT_EQ(fota_bfp_decode(mx25r.data(), size, &part), FOTA_ERR_FORMAT) << size;
    }
}

TEST(Sfdp, LargePartsStateTheirDensityAsAPower) {
    Bytes table = mx25r;
    fota_sfdp part{};
    const auto decode = [&](std::uint32_t density) {
        for (std::size_t i = 0; i < 4; i++) table[4 + i] = static_cast<std::uint8_t>(density >> (8 * i));
        return fota_bfp_decode(table.data(), table.size(), &part);
    };
    ASSERT_EQ(decode(0x80000020), FOTA_OK);
    EXPECT_EQ(part.size, 1ull << 29);
    ASSERT_EQ(decode(0x0fffffff), FOTA_OK);
    EXPECT_EQ(part.size, 32u << 20);
    EXPECT_EQ(decode(0x8000001f), FOTA_ERR_FORMAT);  // such sizes are stated plainly
    EXPECT_EQ(decode(0xffffffff), FOTA_ERR_FORMAT);
    EXPECT_EQ(decode(0x03fffffe), FOTA_ERR_FORMAT);  // no whole byte
}

TEST(Sfdp, FindsTheNewestBasicTable) {
    const Bytes vendor = {0xc2, 0, 1, 4, 0x10, 1, 0, 0xff};
    const Bytes old = {0, 0, 1, 9, 0x40, 0, 0, 0xff};
    const Bytes current = {0, 6, 1, 16, 0x80, 0, 0, 0xff};
    const Bytes other = {0x84, 9, 1, 16, 0xc0, 0, 0, 0xff};  // 4-byte instructions: id low byte is not 0
    Bytes space = space_with({vendor, current, old, other}, 4);
    fota_bfp_location at{};
    ASSERT_EQ(fota_sfdp_find(read_bytes, &space, &at), FOTA_OK);
    EXPECT_EQ(at.offset, 0x80u);
    EXPECT_EQ(at.size, 64u);
    EXPECT_EQ(at.minor, 6);

    Bytes without = space_with({vendor}, 1);
    EXPECT_EQ(fota_sfdp_find(read_bytes, &without, &at), FOTA_ERR_FORMAT);
    Bytes silent(16, 0xff);  // nothing drives the bus
    EXPECT_EQ(fota_sfdp_find(read_bytes, &silent, &at), FOTA_ERR_FORMAT);
    const auto broken = [](void*, std::uint32_t, void*, std::size_t) { return -5; };
    EXPECT_EQ(fota_sfdp_find(broken, nullptr, &at), FOTA_ERR_IO);
}

TEST(Sfdp, AnyBytesAreDecodedOrRefused) {
    const auto seed = std::random_device{}();
    std::mt19937 random(seed);
    SCOPED_TRACE(seed);
    for (int i = 0; i < 20000; i++) {
        Bytes table(4 * (random() % 25));
        for (auto& byte : table) byte = static_cast<std::uint8_t>(random());
        fota_sfdp part{};
        if (fota_bfp_decode(table.data(), table.size(), &part) != FOTA_OK) continue;
        ASSERT_NE(part.size, 0u);
        ASSERT_GE(part.page_size, 1u);
        const auto offset = static_cast<std::uint32_t>(random());
        const auto* type = fota_sfdp_erase_at(&part, offset, static_cast<std::uint32_t>(random()));
        ASSERT_TRUE(type == nullptr || offset % type->size == 0);
    }
}

}  // namespace
}  // namespace fota
