#include "image/hex.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "unit/image/vectors.hpp"

namespace fota::image {
namespace {

std::string refusal(std::string_view text) {
    const auto result = parse_hex(as_bytes(text));
    if (result) return "accepted";
    EXPECT_EQ(result.error().code(), Errc::image_malformed);
    return result.error().message();
}

constexpr std::string_view end = ":00000001FF\n";

TEST(Hex, ReferenceFilesComeBackByteForByte) {
    for (const auto* name : {"payload/h4k.hex", "img/hex2hex.hex"}) {
        SCOPED_TRACE(name);
        const auto text = load(name);
        EXPECT_TRUE(looks_like_hex(text));
        const auto file = parse_hex(text).value();
        EXPECT_EQ(write_hex(file), as_text(text));
    }
    const auto file = parse_hex(load("img/hex2hex.hex")).value();
    ASSERT_EQ(file.segments.size(), 1u);
    EXPECT_EQ(file.first_address(), 65536u);
    EXPECT_EQ(file.end_address(), 70294u);
    EXPECT_EQ(to_hex(digest(HashType::sha256, file.flat().value())), vector("hex2hex").at("bin_sha256"));
}

TEST(Hex, EveryKindOfRecord) {
    // Segment base 0x1000 (02), linear base 0x0001 (04), both starts come in other files, order does not matter.
    const auto file = parse_hex(as_bytes(std::string(":020000040001F9\r\n:01001000559A\r\n"
                                                     "\r\n:020000021000EC\n:02000000aabb99\n:0400000500010000F6\n") +
                                         std::string(end)))
                          .value();
    ASSERT_EQ(file.segments.size(), 2u);
    EXPECT_EQ(file.segments[0].address, 0x10000u);
    EXPECT_EQ(to_hex(file.segments[0].bytes), "aabb");
    EXPECT_EQ(file.segments[1].address, 0x10010u);
    EXPECT_EQ(file.start, (HexStart{5, {0, 1, 0, 0}}));
    EXPECT_EQ(to_hex(file.flat(0xee).value()), "aabb" + std::string(28, 'e') + "55");
    EXPECT_EQ(parse_hex(as_bytes(write_hex(file)))->start, file.start);
}

TEST(Hex, PiecesThatTouchAreOne) {
    const auto file = parse_hex(as_bytes(":0100010002FC\n:0100000001FE\n:0100020003FA\n:00000001FF")).value();
    ASSERT_EQ(file.segments.size(), 1u);
    EXPECT_EQ(to_hex(file.segments[0].bytes), "010203");
}

TEST(Hex, RecordsEndAt64KiBAndAtGaps) {
    HexFile file;
    file.segments = {{0xfff8, Bytes(10, 1)}, {0x20000, Bytes(1, 2)}};
    EXPECT_EQ(write_hex(file),
              ":020000040000FA\n:08FFF8000101010101010101F9\n:020000040001F9\n:020000000101FC\n"
              ":020000040002F8\n:0100000002FD\n:00000001FF\n");
    HexFile low;
    low.segments = {{0xffff, Bytes(1)}};
    EXPECT_EQ(write_hex(low), ":01FFFF000001\n:00000001FF\n") << "no extended address where 16 bits do";
    HexFile last;
    last.segments = {{0xffffffff, Bytes(1)}};
    EXPECT_EQ(parse_hex(as_bytes(write_hex(last)))->end_address(), 1ULL << 32);
}

TEST(Hex, PiecesOfAnySizeMakeTheSameFile) {
    // Both kinds of bases and of starts, gaps, data out of order and across a base, blank lines, carriage returns.
    const auto mixed = [](std::string_view start) {
        return ":020000040001F9\r\n:0400100001020304E2\r\n" + std::string(start) +
               "\r\n\r\n:020014000506DF\n:020000021000EC\r\n:02000000aabb99\r\n" +
               ":020000040002F8\n:01FFFF00AA57\r\n:020000040003F7\r\n:0100000055AA\r\n:00000001FF\r\n\r\n";
    };
    const auto expect_alike = [](BytesView text, std::size_t segments, std::optional<HexStart> start) {
        const auto whole = parse_hex(text).value();
        EXPECT_EQ(whole.segments.size(), segments);
        EXPECT_EQ(whole.start, start);
        for (const std::size_t size : {1u, 2u, 7u, 44u, 1000u}) {
            SCOPED_TRACE(size);
            HexReader reader;
            reader.expect(text.size());
            for (auto rest = text; !rest.empty(); rest = rest.subspan(std::min(size, rest.size())))
                ASSERT_TRUE(reader.feed(rest.first(std::min(size, rest.size()))));
            const auto file = reader.finish().value();
            ASSERT_EQ(file.segments.size(), whole.segments.size());
            for (std::size_t i = 0; i < file.segments.size(); ++i) {
                EXPECT_EQ(file.segments[i].address, whole.segments[i].address);
                EXPECT_TRUE(file.segments[i].bytes == whole.segments[i].bytes) << i;
            }
            EXPECT_EQ(file.start, whole.start);
        }
    };
    expect_alike(load("img/hex2hex.hex"), 1, std::nullopt);
    expect_alike(as_bytes(mixed("")), 3, std::nullopt);
    expect_alike(as_bytes(mixed(":0400000300003800C1")), 3, HexStart{3, {0, 0, 0x38, 0}});
    expect_alike(as_bytes(mixed(":04000005000000CD2A")), 3, HexStart{5, {0, 0, 0, 0xcd}});
}

TEST(Hex, TheLongestRecordMayComeByteByByte) {
    const auto text = ":FF000000" + std::string(510, '0') + "01\n" + std::string(end);
    HexReader reader;
    for (std::size_t i = 0; i < text.size(); ++i) ASSERT_TRUE(reader.feed(as_bytes(text).subspan(i, 1))) << i;
    EXPECT_EQ(reader.finish().value().segments[0].bytes, Bytes(255));
}

TEST(Hex, FaultsAreTheSameWhereverThePiecesEnd) {
    for (const auto& text :
         {":0100000001FE\r\n:" + std::string(5000, '0') + "\r\n" + std::string(end), std::string(3000, 'x') + "\n",
          ":0100000001FE\n" + std::string(end) + "more", std::string("\r\n\n:0100000001FF\n"),
          std::string(":0100000001FE\n\n"), std::string(end)}) {
        HexReader reader;
        Result<> fed;
        for (std::size_t i = 0; i < text.size() && fed; ++i) fed = reader.feed(as_bytes(text).subspan(i, 1));
        const auto found = fed ? reader.finish().error().message() : fed.error().message();
        EXPECT_EQ(found, refusal(text));
    }
    EXPECT_NE(refusal(":" + std::string(5000, '0') + "\r\n").find("found 5000"), std::string::npos);
}

TEST(Hex, OnlyAnEndRecordMayStandForNothing) {
    const auto read = [](std::string_view text) {
        HexReader reader;
        EXPECT_TRUE(reader.feed(as_bytes(text)));
        return reader.finish(true);
    };
    EXPECT_EQ(read("\r\n:00000001ff\r\n").value().segments.size(), 0u);
    EXPECT_FALSE(read(":020000040001F9\n:00000001FF\n")) << "another record, and still no data";
    EXPECT_FALSE(read("\n"));
}

TEST(Hex, IsHandedOverInPiecesAndStopsWhereOneIsRefused) {
    HexFile file;
    file.segments = {{0x10000, Bytes(200000, 0x5a)}};
    std::string out;
    std::size_t longest = 0;
    HexWriter writer(
        [&](std::string_view text) -> Result<> {
            out += text;
            longest = std::max(longest, text.size());
            return {};
        },
        file.end_address());
    // However the data come, the records are the same.
    auto address = file.segments[0].address;
    for (BytesView rest = file.segments[0].bytes; !rest.empty();) {
        const auto part = rest.first(std::min<std::size_t>(rest.size(), 70001));
        ASSERT_TRUE(writer.add(address, part));
        rest = rest.subspan(part.size());
        address += static_cast<std::uint32_t>(part.size());
    }
    ASSERT_TRUE(writer.finish());
    EXPECT_EQ(out, write_hex(file));
    EXPECT_LT(longest, 40000u);

    int calls = 0;
    HexWriter full([&](std::string_view) -> Result<> { return ++calls, fail(Errc::file_unwritable, "full"); },
                   file.end_address());
    EXPECT_EQ(full.add(0x10000, file.segments[0].bytes).error().code(), Errc::file_unwritable);
    EXPECT_EQ(calls, 1);
}

TEST(Hex, RefusesHostileFilesWithTheLine) {
    const auto closed = [](std::string_view text) { return refusal(std::string(text) + "\n" + std::string(end)); };
    EXPECT_EQ(refusal(""),
              "line 0 of the Intel HEX file: expected an end record (:00000001FF), found the end of the file");
    EXPECT_EQ(refusal(":0100000001FE\n"),
              "line 1 of the Intel HEX file: expected an end record (:00000001FF), found the end of the file");
    EXPECT_NE(refusal(end).find("expected data, found none"), std::string::npos);
    EXPECT_NE(
        closed("hello").find("line 1 of the Intel HEX file: expected a record that begins with \":\", found \"hello\""),
        std::string::npos);
    EXPECT_NE(closed(":0100000001F").find("even number of 10 to 520 digits"), std::string::npos);
    EXPECT_NE(closed(":").find("even number"), std::string::npos);
    EXPECT_NE(closed(":" + std::string(600, '0')).find("even number"), std::string::npos);
    EXPECT_NE(closed(":01000000zzFE").find("expected hexadecimal digits, found \"zz\""), std::string::npos);
    EXPECT_NE(closed(":0200000001FD").find("expected 2 bytes of data, as the record says, found 1"), std::string::npos);
    EXPECT_NE(closed(":0100000001FF").find("expected the checksum FE, found FF"), std::string::npos);
    EXPECT_NE(closed(":000000 6FA").find("hexadecimal digits"), std::string::npos);
    EXPECT_NE(closed(":00000006FA").find("type 00 to 05, found 06"), std::string::npos);
    EXPECT_NE(closed(":0100000400FB").find("expected 2 bytes in a record of type 04, found 1"), std::string::npos);
    EXPECT_NE(closed(":0100000001FE\n:0100000002FD")
                  .find("line 2 of the Intel HEX file: expected data for addresses that "
                        "have none yet, found a second value for 0x0"),
              std::string::npos);
    EXPECT_NE(closed(":02000004FFFFFC\n:02FFFF000000000").find("even number"), std::string::npos);
    EXPECT_NE(closed(":02000004FFFFFC\n:02FFFF00000000").find("below 0x100000000"), std::string::npos);
    EXPECT_NE(closed(":0400000500000000F7\n:0400000500000000F7").find("a second one"), std::string::npos);
    EXPECT_NE(
        refusal(std::string(":0100000001FE\n") + std::string(end) + ":0100010002FC\n").find("nothing after the end"),
        std::string::npos);
    // Two bytes four gigabytes apart are no reason to take the memory.
    const auto wide = parse_hex(as_bytes(":0100000001FE\n:02000004FFFFFC\n:0100000001FE\n:00000001FF\n")).value();
    EXPECT_EQ(wide.flat().error().code(), Errc::image_too_large);
}

}  // namespace
}  // namespace fota::image
