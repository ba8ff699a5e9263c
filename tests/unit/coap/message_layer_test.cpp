#include "coap/message_layer.hpp"

#include <gtest/gtest.h>

#include "tests/support/cloned_generator.hpp"

using namespace fota;
using namespace fota::coap;
using namespace std::chrono_literals;

namespace {

/// Records what the layer does; the test plays the peer.
struct Peer : MessageLayer::Sink {
    std::vector<Message> sent;
    std::vector<Result<Reply>> completions;
    std::vector<Message> requests;
    Answer answer;
    bool want_notifications = true;

    void transmit(SessionId, BytesView datagram) override { sent.push_back(decode(datagram).value()); }
    void completed(ExchangeId, Result<Reply> reply) override { completions.push_back(std::move(reply)); }
    Answer request(SessionId, const Message& message) override {
        requests.push_back(message);
        return answer;
    }
    bool notification(SessionId, const Message&) override { return want_notifications; }
};

struct MessageLayerTest : testing::Test {
    Peer peer;
    MessageLayer layer{peer, 7};
    Instant now{1h};
    SessionId session{1};

    void advance(Milliseconds span) {
        now += span;
        layer.tick(now);
    }
    void receive(const Message& message) { layer.receive(now, session, encode(message).value()); }
    Message reply_to(const Message& request, Code code, Type type = Type::ack) {
        Message out;
        out.type = type;
        out.code = code;
        out.id = request.id;
        out.token = request.token;
        return out;
    }
};

}  // namespace

TEST_F(MessageLayerTest, RepeatsTheSameBytesAtDoublingIntervalsThenGivesUp) {
    layer.start(now, session, make_request(Code::get, "/3/0/3"), {2000ms, 2});
    advance(1999ms);
    EXPECT_EQ(peer.sent.size(), 1u);
    advance(1ms);
    EXPECT_EQ(peer.sent.size(), 2u);
    advance(4000ms);
    ASSERT_EQ(peer.sent.size(), 3u);
    EXPECT_EQ(encode(peer.sent[0]).value(), encode(peer.sent[2]).value());
    advance(7999ms);
    EXPECT_TRUE(peer.completions.empty());
    advance(1ms);
    ASSERT_EQ(peer.completions.size(), 1u);
    EXPECT_EQ(peer.completions[0].error().code(), Errc::timed_out);
    EXPECT_FALSE(layer.next_deadline());
}

TEST_F(MessageLayerTest, ALateResponseToAnEarlierBlockIsAcknowledgedAndNotTakenForTheCurrentOne) {
    auto request = make_request(Code::put, "/5/0/0");
    request.token = Token(Bytes{1});
    request.set_block(OptionNumber::block1, {5, true, 5});
    layer.start(now, session, request, {2000ms, 2});
    for (const auto type : {Type::con, Type::non}) {
        auto late = reply_to(peer.sent[0], Code::continue_, type);
        late.id = static_cast<std::uint16_t>(700 + static_cast<int>(type));
        late.set_block(OptionNumber::block1, {4, true, 5});
        receive(late);
        EXPECT_TRUE(peer.completions.empty());
    }
    ASSERT_EQ(peer.sent.size(), 2u);
    EXPECT_EQ(peer.sent[1].type, Type::ack);
    EXPECT_EQ(layer.exchanges(), 1u);
    // The same place in smaller blocks is its own answer, and so is one that names a later block.
    auto mine = reply_to(peer.sent[0], Code::continue_, Type::con);
    mine.id = 900;
    mine.set_block(OptionNumber::block1, {10, true, 4});
    receive(mine);
    ASSERT_EQ(peer.completions.size(), 1u);
    EXPECT_TRUE(peer.completions[0]);
}

TEST_F(MessageLayerTest, TheDoublingEndsAtTheLongestTimeout) {
    Retry retry{2000ms, 3};
    retry.longest_timeout = 5000ms;
    layer.start(now, session, make_request(Code::get, "/3/0/3"), retry);
    for (const auto interval : {2000ms, 4000ms, 5000ms}) {
        const auto before = peer.sent.size();
        advance(interval - 1ms);
        EXPECT_EQ(peer.sent.size(), before) << interval.count();
        advance(1ms);
        EXPECT_EQ(peer.sent.size(), before + 1) << interval.count();
    }
    advance(5000ms);
    EXPECT_EQ(peer.completions.size(), 1u);
}

TEST_F(MessageLayerTest, WhoHasSeenManyTokensDoesNotKnowTheNext) {
    const auto token = [&] {
        auto request = make_request(Code::get, "/3/0/3");
        layer.start(now, session, request, {});
        std::uint64_t out = 0;
        const auto bytes = peer.sent.back().token.view();
        for (std::size_t i = bytes.size(); i-- > 0;) out = out << 8 | bytes[i];
        receive(reply_to(peer.sent.back(), Code::content));
        return out;
    };
    fota::test::ClonedGenerator clone;
    while (!clone.complete()) clone.observe(token());
    EXPECT_NE(clone.next(), token());
}

TEST_F(MessageLayerTest, TellsElapsedTimeAndResends) {
    layer.start(now, session, make_request(Code::get, "/3/0/3"), {2000ms, 4});
    advance(2000ms);
    now += 300ms;
    receive(reply_to(peer.sent[0], Code::content));
    ASSERT_EQ(peer.completions.size(), 1u);
    EXPECT_EQ(peer.completions[0]->elapsed, 2300ms);
    EXPECT_EQ(peer.completions[0]->resends, 1);
    receive(reply_to(peer.sent[0], Code::content));  // a late duplicate
    EXPECT_EQ(peer.completions.size(), 1u);
}

TEST_F(MessageLayerTest, ALateAckOfAnEarlierBlockIsNotTheAnswerToTheNext) {
    auto block = make_request(Code::put, "/5/0/0");
    block.token = Token(Bytes{9});
    layer.start(now, session, block, {});
    receive(reply_to(peer.sent[0], Code::continue_));
    layer.start(now, session, block, {});
    receive(reply_to(peer.sent[0], Code::continue_));  // same token, old message id
    EXPECT_EQ(peer.completions.size(), 1u);
    receive(reply_to(peer.sent[1], Code::continue_));
    EXPECT_EQ(peer.completions.size(), 2u);
}

TEST_F(MessageLayerTest, AnEmptyAckStopsResendingAndTheSeparateResponseIsAcknowledgedOnce) {
    layer.start(now, session, make_request(Code::put, "/5/0/0"), {2000ms, 4, 30'000ms});
    auto empty = reply_to(peer.sent[0], Code::empty);
    empty.token = {};
    receive(empty);
    advance(29'000ms);
    EXPECT_EQ(peer.sent.size(), 1u);
    auto separate = reply_to(peer.sent[0], Code::continue_, Type::con);
    separate.id = 555;
    receive(separate);
    ASSERT_EQ(peer.completions.size(), 1u);
    EXPECT_EQ(peer.completions[0]->message.code, Code::continue_);
    ASSERT_EQ(peer.sent.size(), 2u);
    EXPECT_EQ(peer.sent[1].type, Type::ack);
    EXPECT_EQ(peer.sent[1].id, 555);
    receive(separate);  // our ACK was lost: acknowledged again, not delivered again
    EXPECT_EQ(peer.sent.size(), 3u);
    EXPECT_EQ(peer.completions.size(), 1u);
}

TEST_F(MessageLayerTest, ASeparateResponseThatNeverComesTimesOut) {
    layer.start(now, session, make_request(Code::put, "/5/0/0"), {2000ms, 4, 30'000ms});
    auto empty = reply_to(peer.sent[0], Code::empty);
    empty.token = {};
    receive(empty);
    advance(30'000ms);
    ASSERT_EQ(peer.completions.size(), 1u);
    EXPECT_EQ(peer.completions[0].error().code(), Errc::timed_out);
}

TEST_F(MessageLayerTest, ARepeatedRequestIsAnsweredFromMemory) {
    peer.answer.message.code = Code::created;
    auto request = make_request(Code::post, "/rd");
    request.id = 77;
    request.token = Token(Bytes{5});
    receive(request);
    receive(request);
    EXPECT_EQ(peer.requests.size(), 1u);
    ASSERT_EQ(peer.sent.size(), 2u);
    EXPECT_EQ(encode(peer.sent[0]).value(), encode(peer.sent[1]).value());
    EXPECT_EQ(peer.sent[0].type, Type::ack);
    EXPECT_EQ(peer.sent[0].token, request.token);
    now += 248s;  // EXCHANGE_LIFETIME is over: the id may be used again
    receive(request);
    EXPECT_EQ(peer.requests.size(), 2u);
}

TEST_F(MessageLayerTest, ARepeatedIdWithOtherContentsIsAnotherMessage) {
    peer.answer.message.code = Code::created;
    auto update = make_request(Code::post, "/rd/1");
    update.id = 5;
    update.token = Token(Bytes{1});
    receive(update);
    // After a reboot the client counts from the beginning, on the same port.
    auto anew = make_request(Code::post, "/rd");
    anew.id = 5;
    anew.token = Token(Bytes{1});
    receive(anew);
    ASSERT_EQ(peer.requests.size(), 2u);
    EXPECT_EQ(peer.requests[1].path(), "/rd");
    receive(anew);  // and this is a copy
    EXPECT_EQ(peer.requests.size(), 2u);
    EXPECT_EQ(peer.sent.size(), 3u);
}

TEST_F(MessageLayerTest, RejectsWhatItCannotProcess) {
    layer.receive(now, session, from_hex("44017d3401").value());  // CON, token cut short
    ASSERT_EQ(peer.sent.size(), 1u);
    EXPECT_EQ(peer.sent[0].type, Type::rst);
    Message ping;
    ping.id = 9;
    receive(ping);
    EXPECT_EQ(peer.sent.back().type, Type::rst);
    peer.want_notifications = false;
    Message stray;
    stray.code = Code::content;
    stray.id = 10;
    stray.token = Token(Bytes{1});
    stray.add_uint(OptionNumber::observe, 3);
    receive(stray);
    EXPECT_EQ(peer.sent.back().type, Type::rst);
    peer.want_notifications = true;
    stray.id = 11;
    receive(stray);
    EXPECT_EQ(peer.sent.back().type, Type::ack);
    stray.remove(OptionNumber::observe);
    stray.id = 12;
    receive(stray);
    EXPECT_EQ(peer.sent.back().type, Type::ack) << "the end of an observation has no Observe";
}

TEST_F(MessageLayerTest, AResetEndsTheExchange) {
    layer.start(now, session, make_request(Code::get, "/1"), {});
    Message reset;
    reset.type = Type::rst;
    reset.id = peer.sent[0].id;
    receive(reset);
    ASSERT_EQ(peer.completions.size(), 1u);
    EXPECT_EQ(peer.completions[0].error().code(), Errc::device_refused);
}

TEST_F(MessageLayerTest, ForgettingAPeerEndsItsExchangesOnly) {
    layer.start(now, session, make_request(Code::get, "/1"), {});
    layer.start(now, SessionId{2}, make_request(Code::get, "/1"), {});
    layer.forget(session);
    ASSERT_EQ(peer.completions.size(), 1u);
    EXPECT_EQ(peer.completions[0].error().code(), Errc::peer_gone);
    EXPECT_EQ(layer.exchanges(), 1u);
}

TEST_F(MessageLayerTest, AnAbandonedSessionKeepsWhatIsNoRequest) {
    layer.start(now, session, make_request(Code::get, "/1"), {});
    layer.start(now, SessionId{2}, make_request(Code::get, "/1"), {});
    Message response;
    response.code = Code::changed;
    response.token = Token(Bytes{3});
    layer.start(now, session, response, {});
    layer.abandon(session);
    ASSERT_EQ(peer.completions.size(), 1u);
    EXPECT_EQ(peer.completions[0].error().code(), Errc::peer_gone);
    EXPECT_EQ(layer.exchanges(), 2u);
    layer.start(now, session, make_request(Code::get, "/2"), {});
    EXPECT_EQ(layer.exchanges(), 3u) << "the session goes on";
}

TEST_F(MessageLayerTest, OurSeparateResponseEndsAtItsAcknowledgement) {
    Message response;
    response.code = Code::changed;
    response.token = Token(Bytes{3});
    layer.start(now, session, response, {});
    auto ack = reply_to(peer.sent[0], Code::empty);
    ack.token = {};
    receive(ack);
    ASSERT_EQ(peer.completions.size(), 1u);
    EXPECT_TRUE(peer.completions[0]);
}

namespace {

/// In clear: sources can be forged.
struct Unproven : MessageLayerTest {
    MessageLayer::Limits limits{.amplification = 3};
    MessageLayer clear{peer, 7, limits};
    std::size_t in = 0;

    std::size_t out() const {
        std::size_t bytes = 0;
        for (const auto& each : peer.sent) bytes += encode(each).value().size();
        return bytes;
    }
    void arrives(const Message& message) {
        const auto datagram = encode(message).value();
        in += datagram.size();
        clear.receive(now, session, datagram);
    }
    Message registration(std::uint16_t id) {
        auto out = make_request(Code::post, "/rd");
        out.id = id;
        out.add(OptionNumber::uri_query, "ep=device-1");
        return out;
    }
};

}  // namespace

TEST_F(Unproven, NoMoreIsSentThanThreeTimesWhatCame) {
    peer.answer.message.code = Code::content;
    peer.answer.message.payload = Bytes(100, 'x');
    for (std::uint16_t id = 0; id < 40; ++id) {
        arrives(registration(id));
        EXPECT_LE(out(), 3 * in);
    }
    EXPECT_FALSE(peer.sent.empty()) << "what is within the limit is answered";
    clear.start(now, session, make_request(Code::get, "/3/0/3"), {2000ms, 7});
    for (int second = 0; second < 600; ++second) {
        now += 1s;
        clear.tick(now);
    }
    EXPECT_LE(out(), 3 * in) << "repetitions count";
    EXPECT_EQ(clear.exchanges(), 0u) << "what was not sent is given up as if it were lost";
}

TEST_F(Unproven, AResponseWithTheTokenOfARequestEndsTheLimit) {
    arrives(registration(1));
    clear.start(now, session, make_request(Code::get, "/3/0/3"), {});
    ASSERT_EQ(peer.sent.size(), 2u);
    const auto request = peer.sent.back();
    // What anyone could send, knowing nothing: an empty acknowledgement, a response with another token, a reset.
    auto guess = reply_to(request, Code::content);
    guess.token = Token(Bytes{1});
    arrives(guess);
    auto empty = reply_to(request, Code::empty);
    empty.token = {};
    arrives(empty);
    EXPECT_FALSE(clear.vouched_for(session));
    auto response = reply_to(request, Code::content, Type::con);
    response.id = 99;
    arrives(response);
    EXPECT_TRUE(clear.vouched_for(session));
    auto block = make_request(Code::put, "/5/0/0");
    block.payload = Bytes(1024);
    clear.start(now, session, block, {});
    EXPECT_EQ(peer.sent.back().payload.size(), 1024u);
}

TEST_F(Unproven, WhoIsVouchedForIsNotLimited) {
    arrives(registration(1));
    auto block = make_request(Code::put, "/5/0/0");
    block.payload = Bytes(1024);
    clear.start(now, session, block, {2000ms, 1});
    EXPECT_TRUE(peer.sent.back().payload.empty());
    clear.vouch_for(session);
    now += 2s;
    clear.tick(now);
    EXPECT_EQ(peer.sent.back().payload.size(), 1024u);
    EXPECT_FALSE(clear.vouched_for(SessionId{2})) << "of one peer alone";
    EXPECT_TRUE(layer.vouched_for(session)) << "where a handshake has shown it there is no limit";
}
