#include "coap/block1_receiver.hpp"

#include <gtest/gtest.h>

using namespace fota;
using namespace fota::coap;

namespace {
Message part(std::uint32_t num, bool more, std::size_t bytes) {
    auto out = make_request(Code::post, "/rd");
    out.set_block(OptionNumber::block1, {num, more, 1});
    out.payload = Bytes(bytes, static_cast<std::uint8_t>('a' + num));
    return out;
}
}  // namespace

TEST(Block1Receiver, PutsTheBodyTogetherAndForgetsIt) {
    Block1Receiver receiver(100);
    EXPECT_EQ(receiver.receive(part(0, true, 32)).code, Code::continue_);
    EXPECT_EQ(receiver.receive(part(1, true, 32)).code, Code::continue_);
    EXPECT_EQ(receiver.receive(part(1, true, 32)).code, Code::continue_);  // a copy
    const auto done = receiver.receive(part(2, false, 7));
    EXPECT_EQ(done.code, Code::content);
    EXPECT_EQ(done.body.size(), 71u);
    EXPECT_EQ(receiver.receive(part(3, false, 7)).code, Code::request_entity_incomplete);
}

TEST(Block1Receiver, RefusesWhatDoesNotFit) {
    Block1Receiver receiver(100);
    EXPECT_EQ(receiver.receive(part(1, true, 32)).code, Code::request_entity_incomplete);
    EXPECT_EQ(receiver.receive(part(0, true, 31)).code, Code::bad_request);
    for (std::uint32_t n = 0; n < 3; ++n) receiver.receive(part(n, true, 32));
    EXPECT_EQ(receiver.receive(part(3, true, 32)).code, Code::request_entity_too_large);
    auto whole = make_request(Code::post, "/rd");
    whole.payload = Bytes(101);
    EXPECT_EQ(receiver.receive(whole).code, Code::request_entity_too_large);
    // The two datagrams that bring libcoap's own block mode down.
    EXPECT_EQ(receiver.receive(part(0, true, 32)).code, Code::continue_);
    EXPECT_EQ(receiver.receive(part(0, false, 0)).code, Code::content);
}
