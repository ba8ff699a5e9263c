#include <gtest/gtest.h>

#include "update/decide.hpp"
#include "update/preflight.hpp"
#include "update/release_check.hpp"

using namespace fota;
using namespace fota::update;

namespace {

lwm2m::RegistrationParameters with(std::vector<lwm2m::ObjectLink> objects) {
    lwm2m::RegistrationParameters out;
    out.objects = std::move(objects);
    return out;
}

Bytes delta() {
    Bytes out(64);
    out[4] = 0x6d, out[5] = 0x65, out[6] = 0x44, out[7] = 0x75;
    return out;
}

}  // namespace

TEST(Board, IsKnownByItsNameWithAnyQualifiers) {
    for (const auto* same : {"nrf9160dk", "nrf9160dk/nrf9160/ns", "nrf9160dk@1.0.0/nrf9160/ns", "nrf9160dk_nrf9160_ns"})
        EXPECT_TRUE(is_board(same, "nrf9160dk")) << same;
    EXPECT_TRUE(is_board("nrf9160dk/nrf9160/ns", "nrf9160dk/nrf9160"));
    for (const auto* other : {"nrf9160dk2", "nrf9160", "nrf9161dk/nrf9161/ns", ""})
        EXPECT_FALSE(is_board(other, "nrf9160dk")) << other;
    EXPECT_FALSE(is_board("thingy91x/nrf9151/ns", "thingy91"));
}

TEST(Board, AReleaseDoesNotWidenWhatWasAskedFor) {
    EXPECT_EQ(narrower_board("nrf9160dk", "nrf9160dk/nrf9160/ns"), "nrf9160dk/nrf9160/ns");
    EXPECT_EQ(narrower_board("nrf9160dk/nrf9160/ns", "nrf9160dk"), "nrf9160dk/nrf9160/ns");
    EXPECT_EQ(narrower_board("", "nrf9160dk"), "nrf9160dk");
    EXPECT_EQ(narrower_board("nrf9160dk", ""), "nrf9160dk");
    EXPECT_EQ(narrower_board("", ""), "");
}

TEST(ChooseObject, PrefersTheAdvancedOneAndEachComponentsInstance) {
    const auto both = with({{5, 0, ""}, {33629, 0, ""}, {33629, 1, ""}});
    EXPECT_EQ(choose_object(both, Component::app, {}), (lwm2m::FirmwareObject{33629, 0}));
    EXPECT_EQ(choose_object(both, Component::modem, {}), (lwm2m::FirmwareObject{33629, 1}));
    Policy five;
    five.object = 5;
    EXPECT_EQ(choose_object(both, Component::modem, five), (lwm2m::FirmwareObject{5, 0}));
    EXPECT_EQ(choose_object(with({{5, 0, ""}}), Component::app, {}), (lwm2m::FirmwareObject{5, 0}));
    EXPECT_EQ(choose_object(with({}), Component::app, {}), (lwm2m::FirmwareObject{5, 0}));
}

TEST(ChooseObject, AnAdvancedObjectWithoutAnInstanceIsNotTakenWhereTheOtherHasOne) {
    // Anjay's demo lists object 33629 although nothing was installed in it.
    const auto empty = with({{5, 0, ""}, {33629, std::nullopt, ""}});
    EXPECT_EQ(choose_object(empty, Component::app, {}), (lwm2m::FirmwareObject{5, 0}));
    // Of a client that names no instances nothing can be concluded.
    const auto bare = with({{5, std::nullopt, ""}, {33629, std::nullopt, ""}});
    EXPECT_EQ(choose_object(bare, Component::app, {}), (lwm2m::FirmwareObject{33629, 0}));
    EXPECT_EQ(choose_object(with({{33629, std::nullopt, ""}}), Component::app, {}), (lwm2m::FirmwareObject{33629, 0}));
}

TEST(ChooseObject, RefusesWhatTheDeviceDoesNotHave) {
    EXPECT_EQ(choose_object(with({{3, 0, ""}}), Component::app, {}).error().code(), Errc::device_refused);
    const auto no_modem = choose_object(with({{33629, 0, ""}}), Component::modem, {});
    ASSERT_FALSE(no_modem);
    EXPECT_EQ(no_modem.error().text(), "expected instance 1 of object 33629 in the registration, found 33629/0");
}

TEST(ChooseMethod, PushUnlessAskedOrThereIsNoOtherWay) {
    Policy pull;
    pull.method = Method::pull;
    Policy web;
    web.package_uri = "https://example.com/a";
    EXPECT_EQ(choose_method({}, {}, true), Method::push);
    EXPECT_EQ(choose_method({2, {}}, {}, true), Method::push);
    EXPECT_EQ(choose_method({0, {}}, {}, true), Method::pull);
    EXPECT_EQ(choose_method({}, pull, true), Method::pull);
    EXPECT_EQ(choose_method({2, {{0, 1}}}, pull, true), Method::pull);
    EXPECT_EQ(choose_method({2, {{3}}}, web, true), Method::pull);
    EXPECT_FALSE(choose_method({1, {}}, pull, true));
    EXPECT_FALSE(choose_method({2, {{0}}}, pull, true));  // coaps is not among them
    EXPECT_TRUE(choose_method({2, {{0}}}, pull, false));
    Policy push;
    push.method = Method::push;
    EXPECT_EQ(choose_method({1, {}}, push, true), Method::push);
    EXPECT_EQ(choose_method({}, push, true), Method::push);
    const auto refused = choose_method({0, {}}, push, true);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::device_refused);
    EXPECT_TRUE(refused.error().text().contains("--method pull"));
    EXPECT_FALSE(choose_method({2, {{0, 1}}}, web, true));
}

TEST(ChooseMethod, WhatAFetchEndedWithSaysWhatToLookAt) {
    const auto* uri = "coap://files.example.com:5683/app.bin";
    EXPECT_TRUE(fetch_advice(7, uri).contains(uri));
    EXPECT_TRUE(fetch_advice(8, uri).contains("check files.example.com:5683, and that the device has a DNS server"));
    EXPECT_TRUE(fetch_advice(9, uri).contains("no client for the scheme of coap://"));
    EXPECT_EQ(fetch_advice(5, uri), "");
    EXPECT_EQ(fetch_advice(8, "coap://192.168.1.5:5683/fw/00"), "") << "an address needs no DNS server";
    EXPECT_EQ(fetch_advice(8, "coap://[fd00::1]:5683/fw/00"), "");
    EXPECT_TRUE(fetch_advice(8, "odd").contains("check odd"));
}

TEST(Condition, IsRefusedOnlyForWhatWasAskedAndTold) {
    Policy policy;
    policy.min_battery = 30;
    policy.min_free_memory = 100;
    policy.refuse_device_errors = true;
    EXPECT_FALSE(condition_fault({}, policy));
    EXPECT_FALSE(condition_fault({30, 100, {{0}}}, policy));
    EXPECT_TRUE(condition_fault({29, 100, {}}, policy));
    EXPECT_TRUE(condition_fault({30, 99, {}}, policy));
    EXPECT_TRUE(condition_fault({30, 100, {{1}}}, policy)->text().contains("low battery"));
    EXPECT_FALSE(condition_fault({1, 1, {{1}}}, {}));
}

TEST(Components, EachIsProvenByItsOwnVersion) {
    const auto package = delta();
    const auto modem = check_modem_package(package, "mfw_nrf9160_1.3.7");
    ASSERT_TRUE(modem);
    EXPECT_EQ(modem->text(), "mfw_nrf9160_1.3.7");
    Policy policy;
    policy.expect_version = "mfw_nrf9160_1.3.7";
    DeviceFacts facts;
    facts.version = "1.0.0";
    facts.running_hash = modem->hash;  // of the application: it says nothing of the modem
    facts.result = 1;
    facts.component_version = "mfw_nrf9160_1.3.6";
    EXPECT_EQ(what_runs(facts, *modem, policy), Running::other);
    EXPECT_EQ(judge(facts, *modem, policy, 2), Proof::rolled_back);
    facts.component_version = "mfw_nrf9160_1.3.7";
    EXPECT_EQ(judge(facts, *modem, policy, 1), Proof::proven);

    Target bootloader;
    bootloader.component = Component::mcuboot;
    bootloader.info_version = 3;
    EXPECT_EQ(what_runs(facts, bootloader, {}), Running::unknown);
    facts.bootloader_version = 2;
    EXPECT_EQ(what_runs(facts, bootloader, {}), Running::other);
    facts.bootloader_version = 3;
    EXPECT_EQ(what_runs(facts, bootloader, {}), Running::target);
    EXPECT_FALSE(sends_second_candidate(facts));
    facts.bootloader_slot = 0;
    EXPECT_EQ(sends_second_candidate(facts), true);
    facts.bootloader_slot = 1;
    EXPECT_EQ(sends_second_candidate(facts), false);
}

TEST(Components, UnknownContentIsNoModemPackage) {
    EXPECT_EQ(check_modem_package(Bytes(64, 1), "x").error().code(), Errc::image_malformed);
    EXPECT_EQ(check_modem_package({}, "x").error().code(), Errc::image_malformed);
}
