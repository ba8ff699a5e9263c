#include "smp/framing.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "smp/message.hpp"

using namespace fota;
using namespace fota::smp;

namespace {

Bytes message_of(std::size_t body) {
    Message message;
    message.op = Op::read_response;
    message.group = group::image;
    message.sequence = 7;
    message.body = Bytes(body);
    for (std::size_t i = 0; i < body; ++i) message.body[i] = static_cast<std::uint8_t>(i * 7);
    return encode(message).value();
}

void feed(ConsoleReader& reader, std::string_view text) {
    reader.feed(as_bytes(text));
}

}  // namespace

TEST(Framing, TheCrcIsXmodem) {
    EXPECT_EQ(crc16(as_bytes("123456789")), 0x31c3);
}

TEST(Framing, EveryLineHasItsMarkerAndFitsTheServersBuffer) {
    const auto packet = message_of(300);
    const auto lines = encode_console(packet).value();
    EXPECT_EQ(lines.size(), console_size(packet.size()));
    std::size_t begin = 0, count = 0;
    while (begin < lines.size()) {
        const auto end = static_cast<std::size_t>(
            std::ranges::find(lines.begin() + static_cast<std::ptrdiff_t>(begin), lines.end(), '\n') - lines.begin());
        EXPECT_LE(end + 1 - begin, 127u);
        EXPECT_EQ(lines[begin], count == 0 ? 0x06 : 0x04);
        EXPECT_EQ(lines[begin + 1], count == 0 ? 0x09 : 0x14);
        begin = end + 1;
        ++count;
    }
    EXPECT_EQ(count, (packet.size() + 4 + 92) / 93);
}

TEST(Framing, FindsMessagesAmongLogLinesInAnyCut) {
    const auto packet = message_of(250);
    auto line = encode_console(packet).value();
    for (std::size_t cut = 1; cut < 40; ++cut) {
        ConsoleReader reader;
        feed(reader, "[00:00:01.000,000] <inf> app: up\r\nhalf a line ahead ");
        for (std::size_t at = 0; at < line.size(); at += cut)
            reader.feed(BytesView(line).subspan(at, std::min(cut, line.size() - at)));
        feed(reader, "<wrn> after\r\n");
        EXPECT_EQ(reader.next(), packet) << cut;
        EXPECT_FALSE(reader.next());
        EXPECT_EQ(reader.counters().damaged, 0u);
    }
}

TEST(Framing, ADamagedPacketCostsItselfAlone) {
    const auto packet = message_of(250);
    const auto good = encode_console(packet).value();
    auto bad = good;
    bad[20] = bad[20] == 'A' ? 'B' : 'A';
    ConsoleReader reader;
    reader.feed(bad);
    reader.feed(BytesView(good).first(60));  // cut short by a reset
    feed(reader, "\n");
    reader.feed(good);
    EXPECT_EQ(reader.next(), packet);
    EXPECT_FALSE(reader.next());
    EXPECT_EQ(reader.counters().damaged, 2u);
}

TEST(Framing, TooLongForTheLengthFieldIsRefused) {
    EXPECT_EQ(encode_console(Bytes(0x10000)).error().code(), Errc::message_malformed);
}

TEST(Framing, RawMessagesFollowEachOtherAndNoiseIsPassedOver) {
    const auto first = message_of(3), second = message_of(120);
    RawReader reader;
    reader.feed(as_bytes("\xff\xff"));
    reader.feed(first);
    reader.feed(BytesView(second).first(30));
    EXPECT_EQ(reader.next(), first);
    EXPECT_FALSE(reader.next());
    reader.feed(BytesView(second).subspan(30));
    EXPECT_EQ(reader.next(), second);
}

TEST(SmpMessage, HeaderFieldsStandWhereTheSpecificationPutsThem) {
    Message message;
    message.op = Op::write;
    message.group = 0x0102;
    message.sequence = 9;
    message.command = 5;
    message.body = {0xa0};
    const auto bytes = encode(message).value();
    EXPECT_EQ(to_hex(bytes), "0a00000101020905a0");  // version 2 in bits 3 and 4 of the first byte
    const auto back = decode(bytes).value();
    EXPECT_EQ(back.group, 0x0102);
    EXPECT_EQ(back.sequence, 9);
    EXPECT_FALSE(decode(BytesView(bytes).first(7)));
    EXPECT_FALSE(decode(BytesView(bytes).first(8)));  // says one byte of body, has none
}
