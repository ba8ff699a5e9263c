#include "lwm2m/registration.hpp"

#include <gtest/gtest.h>

namespace fota::lwm2m {
namespace {

coap::Message request(std::initializer_list<std::string> queries) {
    auto message = coap::make_request(coap::Code::post, "/rd");
    for (const auto& query : queries) message.add(coap::OptionNumber::uri_query, query);
    return message;
}

Result<RegistrationParameters> registered(std::initializer_list<std::string> queries, std::string_view links = "") {
    return parse_register(request(queries), as_bytes(links));
}

TEST(Register, ZephyrOneZero) {
    const auto r = registered({"lwm2m=1.0", "ep=zephyr-native", "lt=30"}, "</3/0>,</5/0>,</1/0>");
    ASSERT_TRUE(r) << r.error().text();
    EXPECT_EQ(r->endpoint, "zephyr-native");
    EXPECT_EQ(r->lifetime, std::chrono::seconds(30));
    EXPECT_EQ(r->lwm2m_version, "1.0");
    EXPECT_EQ(r->binding, "U");
    EXPECT_FALSE(r->queue_mode);
    EXPECT_TRUE(r->has_object(5));
    EXPECT_FALSE(r->has_object(33629));
    ASSERT_EQ(r->objects.size(), 3u);
    EXPECT_EQ(r->objects[0].instance, 0);
}

TEST(Register, ZephyrOneOneWithVersions) {
    const auto r =
        registered({"lwm2m=1.1", "ep=a", "lt=30", "b=U", "Q"}, "</>;ct=112,</3>;ver=1.0,</3/0>,</33629>;ver=\"1.1\"");
    ASSERT_TRUE(r) << r.error().text();
    EXPECT_TRUE(r->queue_mode);
    EXPECT_EQ(r->root, "/");
    ASSERT_EQ(r->objects.size(), 3u);
    EXPECT_EQ(r->objects[0].version, "1.0");
    EXPECT_FALSE(r->objects[0].instance);
    EXPECT_EQ(r->objects[2].object, 33629);
    EXPECT_EQ(r->objects[2].version, "1.1");
}

TEST(Register, ObjectVersionsCompareAsNumbers) {
    const auto r = registered({"ep=a"}, "</3/0>,</5>;ver=1.2,</5/0>,</6>;ver=\"1.10\",</7>;ver=2.0,</8>;ver=x");
    ASSERT_TRUE(r) << r.error().text();
    EXPECT_TRUE(r->has_version(5, 1, 2));
    EXPECT_FALSE(r->has_version(5, 1, 3));
    EXPECT_TRUE(r->has_version(6, 1, 2));
    EXPECT_TRUE(r->has_version(7, 1, 2));
    EXPECT_FALSE(r->has_version(8, 1, 0)) << "no version";
    EXPECT_TRUE(r->has_version(3, 1, 0)) << "without ver= it is 1.0";
    EXPECT_FALSE(r->has_version(3, 1, 1));
    EXPECT_FALSE(r->has_version(9, 1, 0)) << "not listed";
}

TEST(Register, QueueModeInTheBindingOfOneZero) {
    EXPECT_TRUE(registered({"ep=a", "b=UQ"})->queue_mode);
    EXPECT_EQ(registered({"ep=a", "b=UQ"})->binding, "UQ");
}

TEST(Register, DefaultsOfTheSpecification) {
    const auto r = registered({"ep=a"});
    ASSERT_TRUE(r);
    EXPECT_EQ(r->lifetime, std::chrono::seconds(86'400));
    EXPECT_EQ(r->lwm2m_version, "1.0");
}

TEST(Register, AlternateRootIsTakenOffThePaths) {
    const auto r = registered({"ep=a"}, "</lwm2m>;rt=\"oma.lwm2m x\";ct=11543,</lwm2m/5/0>,</other/3/0>");
    ASSERT_TRUE(r) << r.error().text();
    EXPECT_EQ(r->root, "/lwm2m/");
    ASSERT_EQ(r->objects.size(), 1u);
    EXPECT_EQ(r->objects[0].object, 5);
}

TEST(Register, FormatsOfTheRootLink) {
    EXPECT_EQ(registered({"ep=a"}, "</>;ct=112,</3/0>")->formats, std::vector<std::uint32_t>{112});
    EXPECT_EQ(registered({"ep=a"}, "</3>;ct=1,</>;rt=\"oma.lwm2m\";ct=\"60 110 x 112\",</3/0>")->formats,
              (std::vector<std::uint32_t>{60, 110, 112}));
    EXPECT_TRUE(registered({"ep=a"}, "</3/0>")->formats.empty());
    // A root with its type outranks a bare </>.
    EXPECT_EQ(registered({"ep=a"}, "</>;ct=0,</a>;rt=\"oma.lwm2m\";ct=110,</a/3/0>")->root, "/a/");
    const auto update = parse_update(request({}), as_bytes("</>;ct=11542,</3/0>"));
    EXPECT_EQ(update->formats, std::vector<std::uint32_t>{11542});
}

TEST(Register, LinksThatAreNoObjectsAreSkippedAndUnknownAttributesKept) {
    const auto r = registered({"ep=a", "sms=123", "x"}, "</sensors>,</3/0>,</3/0/1>,</70000/0>");
    ASSERT_TRUE(r);
    EXPECT_EQ(r->objects.size(), 1u);
    EXPECT_EQ(r->extra, (std::map<std::string, std::string>{{"sms", "123"}, {"x", ""}}));
}

TEST(Register, WhatCannotBeUnderstoodIsRefusedWithTheReason) {
    EXPECT_EQ(registered({"lt=30"}).error().message(), "registration: expected ep= of 1 to 256 bytes, found 0");
    EXPECT_FALSE(registered({"ep=" + std::string(257, 'a')}));
    EXPECT_TRUE(registered({"ep=" + std::string(256, 'a')}));
    for (const auto* lifetime : {"lt=", "lt=-1", "lt=4294967296", "lt=3x"})
        EXPECT_FALSE(registered({"ep=a", lifetime})) << lifetime;
    EXPECT_FALSE(registered({"ep=a"}, "</3/0"));
    EXPECT_FALSE(registered({"ep=a"}, "<lwm2m>;rt=\"oma.lwm2m\""));
}

TEST(Register, WhoIsIdentifiedMayLeaveOutTheNameFromOneOneOn) {
    EXPECT_EQ(parse_register(request({"lwm2m=1.1"}), {}, "device-1")->endpoint, "device-1");
    EXPECT_EQ(parse_register(request({"lwm2m=1.1", "ep=a"}), {}, "device-1")->endpoint, "a") << "and is then refused";
    EXPECT_FALSE(parse_register(request({"lwm2m=1.1", "ep="}), {}, "device-1"));
    EXPECT_FALSE(parse_register(request({"lwm2m=1.0"}), {}, "device-1"));
    EXPECT_FALSE(parse_register(request({"lwm2m=1.1"}), {}, ""));
}

TEST(Register, AnotherVersionIsMarkedForFourTwelve) {
    const auto r = registered({"ep=a", "lwm2m=2.0"});
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().code(), Errc::message_malformed);
    EXPECT_EQ(r.error().detail("precondition"), "2.0");
    EXPECT_TRUE(registered({"lt=30"}).error().detail("precondition").empty());
}

TEST(Register, QueriesAreBounded) {
    auto message = request({"ep=a"});
    for (int i = 0; i < 32; ++i) message.add(coap::OptionNumber::uri_query, "x" + std::to_string(i));
    EXPECT_FALSE(parse_register(message, {}));
    EXPECT_FALSE(registered({"ep=a", "x=" + std::string(600, 'a')}));
}

TEST(Update, AbsentMeansUnchanged) {
    const auto u = parse_update(request({}), {});
    ASSERT_TRUE(u);
    EXPECT_FALSE(u->lifetime || u->binding || u->queue_mode || u->objects || u->root);
}

TEST(Update, ChangesAreCarried) {
    const auto u = parse_update(request({"lt=60", "b=UQ"}), as_bytes("</5/0>"));
    ASSERT_TRUE(u);
    EXPECT_EQ(u->lifetime, std::chrono::seconds(60));
    EXPECT_EQ(u->binding, "UQ");
    EXPECT_EQ(u->queue_mode, true);
    ASSERT_TRUE(u->objects);
    EXPECT_EQ(u->objects->front().object, 5);
    EXPECT_FALSE(parse_update(request({"lt=x"}), {}));
}

}  // namespace
}  // namespace fota::lwm2m
