#include "server/partial_bodies.hpp"

#include <gtest/gtest.h>

namespace fota::server {
namespace {

using namespace std::chrono_literals;
using coap::Code;
using coap::SessionId;

struct PartialBodiesTest : testing::Test {
    PartialBodies bodies{{.bytes = 100, .bodies = 4, .lifetime = 10s}};
    Instant now{1h};

    coap::Block1Receiver::Outcome part(std::uint64_t session, const std::string& source, std::uint32_t num,
                                       bool more = true, const std::string& path = "/rd") {
        auto message = coap::make_request(Code::post, path);
        message.set_block(coap::OptionNumber::block1, {num, more, 0});
        message.payload = Bytes(more ? 16 : 5, static_cast<std::uint8_t>('a' + num));
        now += 1ms;
        return bodies.receive(now, SessionId(session), source, message);
    }
};

TEST_F(PartialBodiesTest, are_kept_apart_by_session_and_path_and_forgotten_once_whole) {
    part(1, "10.0.0.1", 0);
    part(1, "10.0.0.1", 0, true, "/rd/1");
    part(2, "10.0.0.1", 0);
    EXPECT_EQ(bodies.size(), 3u);
    const auto whole = part(1, "10.0.0.1", 1, false);
    EXPECT_EQ(whole.code, Code::content);
    EXPECT_EQ(whole.body.size(), 21u);
    EXPECT_EQ(bodies.size(), 2u);
    bodies.forget(SessionId(1));
    EXPECT_EQ(bodies.size(), 1u);
}

TEST_F(PartialBodiesTest, only_a_good_first_part_takes_a_place) {
    EXPECT_EQ(part(1, "10.0.0.1", 3).code, Code::request_entity_incomplete);
    EXPECT_EQ(part(1, "10.0.0.1", 0, false).code, Code::content);
    auto message = coap::make_request(Code::post, "/rd");
    message.set_block(coap::OptionNumber::block1, {0, true, 2});
    message.payload = Bytes(7);
    EXPECT_EQ(bodies.receive(now, SessionId(1), "10.0.0.1", message).code, Code::bad_request);
    message.remove(coap::OptionNumber::block1);
    message.add_uint(coap::OptionNumber::block1, 0x0f);  // SZX 7
    EXPECT_EQ(bodies.receive(now, SessionId(1), "10.0.0.1", message).code, Code::bad_request);
    EXPECT_EQ(bodies.size(), 0u);
}

TEST_F(PartialBodiesTest, a_body_without_end_is_given_up_at_its_limit) {
    for (std::uint32_t num = 0; num < 6; ++num) EXPECT_EQ(part(1, "10.0.0.1", num).code, Code::continue_);
    EXPECT_EQ(part(1, "10.0.0.1", 6).code, Code::request_entity_too_large);
    EXPECT_EQ(bodies.size(), 0u);
}

TEST_F(PartialBodiesTest, the_source_with_most_gives_its_oldest_up) {
    part(1, "10.0.0.1", 0);
    for (std::uint64_t session = 2; session < 200; ++session) {
        part(session, "10.6.6.6", 0);
        EXPECT_LE(bodies.size(), 4u);
    }
    EXPECT_EQ(part(1, "10.0.0.1", 1, false).code, Code::content) << "a crowd of one source displaces its own";
    EXPECT_EQ(part(199, "10.6.6.6", 1).code, Code::continue_) << "the newest is there";
    EXPECT_EQ(part(2, "10.6.6.6", 1).code, Code::request_entity_incomplete) << "the oldest is not";
}

TEST_F(PartialBodiesTest, one_that_goes_on_is_not_the_oldest) {
    for (std::uint64_t session = 1; session <= 4; ++session) part(session, std::to_string(session), 0);
    part(1, "1", 1);
    part(5, "5", 0);
    EXPECT_EQ(part(1, "1", 2).code, Code::continue_);
    EXPECT_EQ(part(2, "2", 1).code, Code::request_entity_incomplete);
}

TEST_F(PartialBodiesTest, silence_ends_them) {
    part(1, "10.0.0.1", 0);
    part(2, "10.0.0.2", 0);
    now += 10s;
    EXPECT_EQ(part(1, "10.0.0.1", 1).code, Code::request_entity_incomplete);
    EXPECT_EQ(bodies.size(), 1u);
    part(3, "10.0.0.3", 0);
    EXPECT_EQ(bodies.size(), 1u) << "the other one is found to be over when room is needed";
}

}  // namespace
}  // namespace fota::server
