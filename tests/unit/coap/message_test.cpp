#include "coap/message.hpp"

#include <gtest/gtest.h>

#include <random>

using namespace fota;
using namespace fota::coap;

TEST(Message, EncodesAsTheRfcShows) {
    // RFC 7252 appendix A, figure 16: GET coap://server/temperature
    Message m = make_request(Code::get, "/temperature");
    m.id = 0x7d34;
    const auto bytes = encode(m).value();
    EXPECT_EQ(to_hex(bytes), "40017d34bb74656d7065726174757265");
    EXPECT_EQ(decode(bytes)->path(), "/temperature");
}

TEST(Message, RoundTripsLongOptionsAndBlocks) {
    Message m = make_request(Code::put, "/5/0/0");
    m.token = Token(Bytes{1, 2, 3});
    m.set_format(Format::opaque);
    m.set_block(OptionNumber::block1, {2047, true, 5});
    m.add_uint(OptionNumber::size1, 364747);
    m.add(OptionNumber::uri_query, std::string(300, 'q'));
    m.add(OptionNumber::proxy_uri, std::string(14, 'p'));
    m.payload = Bytes(512, 0xff);
    const auto back = decode(encode(m).value());
    ASSERT_TRUE(back);
    EXPECT_EQ(back->path(), "/5/0/0");
    EXPECT_EQ(back->block1(), (Block{2047, true, 5}));
    EXPECT_EQ(back->uint_option(OptionNumber::size1), 364747u);
    EXPECT_EQ(back->texts(OptionNumber::uri_query).at(0).size(), 300u);
    EXPECT_EQ(back->format(), 42u);
    EXPECT_EQ(back->payload, m.payload);
    EXPECT_EQ(back->token, m.token);
}

TEST(Message, RefusesFormatErrors) {
    const auto bad = [](const char* hex) { return !decode(from_hex(hex).value()); };
    EXPECT_TRUE(bad(""));
    EXPECT_TRUE(bad("4001"));
    EXPECT_TRUE(bad("00017d34"));              // version 0
    EXPECT_TRUE(bad("49017d34"));              // token length 9
    EXPECT_TRUE(bad("44017d3401"));            // token cut short
    EXPECT_TRUE(bad("40017d34ff"));            // marker without payload
    EXPECT_TRUE(bad("40017d34f0"));            // reserved delta
    EXPECT_TRUE(bad("40017d34bf"));            // reserved length
    EXPECT_TRUE(bad("40017d34bb7465"));        // value cut short
    EXPECT_TRUE(bad("40017d34d0"));            // extension cut short
    EXPECT_TRUE(bad("40007d3400"));            // empty message with something behind
    EXPECT_TRUE(bad("40017d34e0ffffe0ffff"));  // option number over 65535
}

TEST(Message, ReservedSzxIsNoBlock) {
    Message m = make_request(Code::put, "/5/0/0");
    m.add(OptionNumber::block1, Bytes{0x0f});
    EXPECT_FALSE(m.block1());
    EXPECT_EQ(szx_of(512), 5);
    EXPECT_FALSE(szx_of(100));
}

TEST(Message, UnderstandsKnownCriticalOptionsOnceAndElectiveOnesAlways) {
    const std::array known{OptionNumber::uri_path, OptionNumber::block1};
    auto message = make_request(Code::post, "/rd/1");
    message.set_block(OptionNumber::block1, {0, true, 0});
    message.add_uint(OptionNumber::size1, 5);
    message.add_uint(OptionNumber::size1, 5);
    EXPECT_TRUE(understands(message, known));
    auto other = message;
    other.options.push_back({9, Bytes{1}});
    EXPECT_FALSE(understands(other, known));
    message.options.push_back({27, Bytes{0x08}});
    EXPECT_FALSE(understands(message, known)) << "a second Block1";
}

TEST(Message, NeverReadsOutsideRandomBytes) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    for (int i = 0; i < 20'000; ++i) {
        Bytes noise(random() % 40);
        for (auto& byte : noise) byte = static_cast<std::uint8_t>(random());
        if (!noise.empty()) noise[0] = static_cast<std::uint8_t>(0x40 | (noise[0] & 0x3f));
        if (const auto message = decode(noise)) {
            const auto again = decode(encode(*message).value());
            ASSERT_TRUE(again);
            EXPECT_EQ(again->payload, message->payload);
            EXPECT_EQ(again->options.size(), message->options.size());
        }
    }
}
