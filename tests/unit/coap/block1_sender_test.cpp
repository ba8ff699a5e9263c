#include "coap/block1_sender.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

using namespace fota;
using namespace fota::coap;
using Step = Block1Sender::Step;

namespace {

struct Sender : testing::Test {
    Bytes body = [] {
        Bytes out(2500);
        std::iota(out.begin(), out.end(), std::uint8_t{1});
        return out;
    }();

    Block1Sender make(std::uint8_t szx = 6, std::uint32_t first = 0) {
        return Block1Sender({"/5/0/0", Format::opaque, body, szx, first, Token(Bytes{1})});
    }
    static Message reply(Code code, std::optional<Block> block = {}) {
        Message out;
        out.code = code;
        if (block) out.set_block(OptionNumber::block1, *block);
        return out;
    }
    static Message echo(const Block1Sender& sender) {
        return reply(Code::continue_, Block{sender.block(), true, sender.szx()});
    }
};

}  // namespace

TEST_F(Sender, SendsEveryByteOnceWithSize1AndOneToken) {
    auto sender = make();
    Bytes received;
    for (std::uint32_t n = 0;; ++n) {
        const auto request = sender.request();
        EXPECT_EQ(request.block1()->num, n);
        EXPECT_EQ(request.uint_option(OptionNumber::size1), 2500u);
        EXPECT_EQ(request.format(), 42u);
        EXPECT_EQ(request.token, Token(Bytes{1}));
        append(received, request.payload);
        if (!request.block1()->more) break;
        ASSERT_EQ(sender.on_reply(echo(sender), 0), Step::send);
    }
    EXPECT_EQ(sender.on_reply(reply(Code::changed), 0), Step::done);
    EXPECT_EQ(received, body);
    EXPECT_EQ(sender.acknowledged(), 2500u);
    EXPECT_EQ(sender.on_reply(reply(Code::changed), 0), Step::done);  // a late copy changes nothing
}

TEST_F(Sender, FollowsASmallerSizeInTheAnswer) {
    auto sender = make(6);
    EXPECT_EQ(sender.on_reply(reply(Code::continue_, Block{0, true, 5}), 0), Step::send);
    EXPECT_EQ(sender.request().block1(), (Block{2, true, 5}));
    EXPECT_EQ(sender.request().payload.size(), 512u);
    EXPECT_EQ(sender.acknowledged(), 1024u);
}

TEST_F(Sender, HalvesAndRestartsOn413WithAndWithoutAHint) {
    auto sender = make(6);
    EXPECT_EQ(sender.on_reply(echo(sender), 0), Step::send);
    EXPECT_EQ(sender.on_reply(reply(Code::request_entity_too_large), 0), Step::send);
    EXPECT_EQ(sender.request().block1(), (Block{0, true, 5}));
    EXPECT_EQ(sender.on_reply(reply(Code::request_entity_too_large, Block{0, true, 2}), 0), Step::send);
    EXPECT_EQ(sender.request().block1(), (Block{0, true, 2}));
    for (int i = 0; i < 2; ++i) EXPECT_EQ(sender.on_reply(reply(Code::request_entity_too_large), 0), Step::send);
    EXPECT_EQ(sender.on_reply(reply(Code::request_entity_too_large), 0), Step::refused);
}

TEST_F(Sender, ASizeLimitIn413IsFinal) {
    auto sender = make(5);
    auto answer = reply(Code::request_entity_too_large);
    answer.add_uint(OptionNumber::size1, 2000);
    EXPECT_EQ(sender.on_reply(answer, 0), Step::refused);
}

TEST_F(Sender, LosesItsPlaceInMidTransferButAsksTheStateAtTheEnd) {
    for (auto code : {Code::request_entity_incomplete, Code::not_found}) {
        auto sender = make();
        EXPECT_EQ(sender.on_reply(echo(sender), 0), Step::send);
        EXPECT_EQ(sender.on_reply(reply(code), 0), Step::lost_place);
    }
    for (auto code : {Code::request_entity_incomplete, Code::not_found, Code::internal_server_error}) {
        auto sender = make(6, 2);
        EXPECT_FALSE(sender.request().block1()->more);
        EXPECT_EQ(sender.on_reply(reply(code), 1), Step::check_state);
    }
}

TEST_F(Sender, BusyIsWaitedForUnlessTheBlockWasRepeated) {
    auto sender = make();
    EXPECT_EQ(sender.on_reply(reply(Code::service_unavailable), 0), Step::wait);
    EXPECT_GE(sender.retry_after(), Milliseconds(1000));
    EXPECT_EQ(sender.block(), 0u);
    EXPECT_EQ(sender.on_reply(reply(Code::service_unavailable), 1), Step::send);
    EXPECT_EQ(sender.block(), 1u);
    sender.on_timeout();
    EXPECT_EQ(sender.on_reply(reply(Code::service_unavailable), 0), Step::send);
    EXPECT_EQ(sender.block(), 2u);
    EXPECT_EQ(sender.on_reply(reply(Code::service_unavailable), 2), Step::check_state);
}

TEST_F(Sender, AnswersToEarlierBlocksAreSkippedNotCounted) {
    auto sender = make();
    EXPECT_EQ(sender.on_reply(echo(sender), 0), Step::send);
    EXPECT_EQ(sender.on_reply(reply(Code::continue_, Block{0, true, 6}), 0), Step::send);
    EXPECT_EQ(sender.block(), 1u);
    EXPECT_EQ(sender.on_reply(reply(Code::continue_, Block{7, true, 6}), 0), Step::lost_place);
}

TEST_F(Sender, AnEarly204AsksTheState) {
    auto sender = make();
    EXPECT_EQ(sender.on_reply(reply(Code::changed), 0), Step::check_state);
}

TEST_F(Sender, RefusalsAreFinal) {
    for (auto code : {Code::method_not_allowed, Code::bad_request, Code::forbidden, Code::unsupported_content_format}) {
        auto sender = make();
        EXPECT_EQ(sender.on_reply(reply(code), 0), Step::refused);
    }
}

TEST_F(Sender, ContinuesAtAStoredBlock) {
    auto sender = make(5, 3);
    EXPECT_EQ(sender.request().block1(), (Block{3, true, 5}));
    EXPECT_EQ(make(5, 99).request().block1()->num, 4u);  // never beyond the last block
}

TEST_F(Sender, WhateverADeviceAnswersTheInvariantsHold) {
    const auto seed = std::random_device{}();
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const Code codes[] = {Code::continue_,           Code::changed,   Code::request_entity_too_large,
                          Code::service_unavailable, Code::not_found, Code::continue_,
                          Code::continue_,           Code::content};
    for (int run = 0; run < 2000; ++run) {
        auto sender = make(static_cast<std::uint8_t>(random() % 7));
        for (int i = 0; i < 400; ++i) {
            const auto before = sender.acknowledged();
            const auto request = sender.request();
            ASSERT_TRUE(request.block1());
            ASSERT_FALSE(request.payload.empty());
            ASSERT_EQ(request.block1()->offset() + request.payload.size() == body.size(), !request.block1()->more);
            auto answer = reply(codes[random() % 8]);
            if (random() % 2 == 0)
                answer.set_block(OptionNumber::block1,
                                 {static_cast<std::uint32_t>(random() % 5 == 0 ? random() % 9 : sender.block()), true,
                                  static_cast<std::uint8_t>(random() % 7)});
            if (random() % 8 == 0) sender.on_timeout();
            const auto step = sender.on_reply(answer, static_cast<int>(random() % 2));
            ASSERT_LE(sender.acknowledged(), body.size());
            if (step == Step::send && answer.code != Code::request_entity_too_large) {
                ASSERT_GE(sender.acknowledged(), before);
            }
            if (step != Step::send && step != Step::wait) break;
        }
    }
}
