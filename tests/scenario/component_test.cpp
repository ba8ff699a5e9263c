// Object 33629: application and modem through their own instances, each proven by what runs.
#include <fmt/format.h>

#include "tests/scenario/wire.hpp"

using namespace fota;
using namespace fota::test;
using update::Outcome;
using virtdev::Quirk;

namespace {

/// A second-stage bootloader as the nRF Connect SDK signs it for MCUboot: its firmware-info stands at 0x200.
Bytes candidate(std::uint32_t version, std::uint32_t address) {
    auto code = payload(20'000, version + address);
    const std::uint32_t words[] = {0x281ee6de, 0x8fcebb4c, 0x3401, 0x40, 20'000, version, address};
    for (std::size_t i = 0; i < std::size(words); ++i)
        for (std::size_t byte = 0; byte < 4; ++byte)
            code[0x200 + 4 * i + byte] = static_cast<std::uint8_t>(words[i] >> (8 * byte));
    image::SignOptions options;
    options.version = image::Version::parse("0.0.1").value();
    options.pad_header = true;
    return image::sign(code, options, &test_signer()).value();
}
constexpr std::uint32_t s0 = 0x8200;
constexpr std::uint32_t s1 = 0x14200;

Bytes delta() {
    Bytes out(20'000, 0x11);
    out[4] = 0x6d, out[5] = 0x65, out[6] = 0x44, out[7] = 0x75;
    return out;
}

}  // namespace

TEST(AdvancedObject, TheApplicationGoesThroughItsInstance) {
    for (const auto method : {update::Method::push, update::Method::pull}) {
        World world({.quirks = {Quirk::advanced_object}});
        world.policy.method = method;
        const auto report = world.push();
        EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
        EXPECT_EQ(report.running_version, "2.0.0-0");
    }
}

TEST(AdvancedObject, AsksForTheObjectThatWasNamed) {
    World world({.quirks = {Quirk::advanced_object}});
    world.policy.object = 5;
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::refused) << text(report);
    EXPECT_EQ(report.error->code(), Errc::device_refused);
}

TEST(LinkedInstances, WhatThePackageHoldsIsUpdatedByOneExecuteThatNamesIt) {
    for (const auto method : {update::Method::push, update::Method::pull}) {
        World world({.quirks = {Quirk::advanced_object, Quirk::linked_instances}});
        world.policy.method = method;
        const auto report = expect_updated(world);
        EXPECT_EQ(report.running_version, "2.0.0-0");
        EXPECT_EQ(world.device->objects().modem().version(), "mfw_nrf9160_1.3.7");
        const auto executes = requests(world, coap::Code::post, "/33629/0/2", false);
        ASSERT_EQ(executes.size(), 1u);
        EXPECT_EQ(as_text(executes.front().message.payload), "0='</33629/1>'");
        EXPECT_TRUE(requests(world, coap::Code::post, "/33629/1/2").empty());
        EXPECT_TRUE(remarked(world, "33629/1 (modem:nrf9160) is updated along to mfw_nrf9160_1.3.7"));
    }
}

TEST(LinkedInstances, OneThatDoesNotRunIsNoSuccess) {
    World world({.quirks = {Quirk::advanced_object, Quirk::linked_instances, Quirk::modem_unchanged}});
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::failed) << text(report);
    EXPECT_EQ(report.error->code(), Errc::device_did_not_apply);
    EXPECT_EQ(report.error->text(),
              "2.0.0 runs; expected 33629/1 (modem:nrf9160) to run mfw_nrf9160_1.3.7 as well, found "
              "mfw_nrf9160_1.3.6 with Result 1 (updated successfully) in State 0 (idle)");
}

TEST(LinkedInstances, TheSameCommandLooksAtThemAgain) {
    World world({.quirks = {Quirk::advanced_object, Quirk::linked_instances, Quirk::modem_unchanged}});
    for (int run = 0; run < 3; ++run) {
        const auto report = world.push();
        EXPECT_EQ(report.outcome, Outcome::failed) << text(report);
        world.kill_push();
    }
    EXPECT_EQ(world.executes, 1);
}

TEST(LinkedInstances, AreProvenAlsoByTheRunAfterAKill) {
    for (const auto unchanged : {false, true}) {
        virtdev::QuirkSet quirks{Quirk::advanced_object, Quirk::linked_instances};
        if (unchanged) quirks.add(Quirk::modem_unchanged);
        World world({.quirks = quirks});
        world.start_push();
        ASSERT_TRUE(world.run_until([&] { return world.step == update::Step::await_return; }));
        world.kill_push();
        const auto report = world.push();
        EXPECT_EQ(report.outcome, unchanged ? Outcome::failed : Outcome::updated) << text(report);
        EXPECT_EQ(world.executes, 1);
    }
}

TEST(ConflictingInstances, APackageInTheWayIsNamedAndWithdrawnBeforeExecute) {
    World world({.quirks = {Quirk::advanced_object, Quirk::conflicting_instances}});
    const auto application = world.new_image;
    world.use_modem_package(delta(), "mfw_nrf9160_1.3.7");
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.step == update::Step::execute; }));
    world.kill_push();
    world.use_application(application);
    const auto report = expect_updated(world);
    EXPECT_EQ(world.device->objects().modem().state(), lwm2m::State::idle);
    EXPECT_TRUE(remarked(world, "33629/1 (modem:nrf9160) is in State 2 (downloaded) and in conflict"));
    EXPECT_EQ(world.device->objects().modem().version(), "mfw_nrf9160_1.3.6");
}

TEST(ConflictingInstances, OneThatIsBusyIsWaitedForAndThenWithdrawn) {
    World world({.quirks = {Quirk::advanced_object, Quirk::conflicting_instances}});
    const auto application = world.new_image;
    world.use_modem_package(delta(), "mfw_nrf9160_1.3.7");
    kill_after(world, 8 * 1024);
    world.use_application(application);
    const auto report = expect_updated(world);
    EXPECT_GE(report.elapsed, std::chrono::seconds(60));
    EXPECT_TRUE(remarked(world, "is in State 1 (downloading) and in conflict"));
}

TEST(ConflictingInstances, APackageForBothIsTakenOnceTheOtherIsIdle) {
    for (const auto method : {update::Method::push, update::Method::pull}) {
        World world({.quirks = {Quirk::advanced_object, Quirk::linked_instances}});
        world.policy.method = method;
        const auto application = world.new_image;
        world.policy.method = update::Method::push;
        world.use_modem_package(delta(), "mfw_nrf9160_1.3.7");
        world.start_push();
        ASSERT_TRUE(world.run_until([&] { return world.step == update::Step::execute; }));
        world.kill_push();
        world.use_application(application);
        world.policy.method = method;
        expect_updated(world);
        EXPECT_TRUE(std::ranges::any_of(
            world.states, [](const auto& each) { return each.second == lwm2m::UpdateResult::conflicting_state; }));
        EXPECT_EQ(world.device->objects().modem().version(), "mfw_nrf9160_1.3.7");
    }
}

TEST(ConflictingInstances, AnUnmetDependencyNamesWhatHasToBeUpdatedFirst) {
    World world({.quirks = {Quirk::advanced_object, Quirk::unmet_dependency}});
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::failed) << text(report);
    EXPECT_EQ(report.error->text(),
              "expected the update to be applied, found Result 13 (unmet dependency) in State 2 (downloaded); it names "
              "33629/1 (modem:nrf9160) in State 0 (idle), which runs mfw_nrf9160_1.3.6");
}

TEST(Modem, IsProvenByItsVersion) {
    World world({.quirks = {Quirk::advanced_object}});
    world.use_modem_package(delta(), "mfw_nrf9160_1.3.7");
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
    EXPECT_EQ(report.from_version, "mfw_nrf9160_1.3.6");
    EXPECT_EQ(report.running_version, "mfw_nrf9160_1.3.7");
    EXPECT_EQ(world.board->running()->header.version.major, 1);  // the application is the old one
    world.kill_push();
    EXPECT_EQ(world.push().outcome, Outcome::already_installed);
}

TEST(Modem, ResultOneWithTheOldVersionIsNoSuccess) {
    World world({.quirks = {Quirk::advanced_object, Quirk::modem_unchanged}});
    world.use_modem_package(delta(), "mfw_nrf9160_1.3.7");
    const auto report = world.push();
    EXPECT_NE(report.outcome, Outcome::updated) << text(report);
    EXPECT_EQ(report.running_version, "mfw_nrf9160_1.3.6");
}

TEST(BootloaderUpdate, SendsTheCandidateForTheSlotItDoesNotRunFrom) {
    World world({.quirks = {Quirk::upgradable_bootloader}});
    world.use_bootloader_candidates(candidate(2, s0), candidate(2, s1));
    const auto first = world.push();
    EXPECT_EQ(first.outcome, Outcome::updated) << text(first);
    EXPECT_EQ(first.from_version, "1");
    EXPECT_EQ(first.running_version, "2");
    EXPECT_EQ(world.device->objects().firmware().bootloader_slot(), 1);
    EXPECT_EQ(world.board->running()->header.version.major, 1);  // the application is the old one
    world.kill_push();
    EXPECT_EQ(world.push().outcome, Outcome::already_installed);
    world.kill_push();
    world.use_bootloader_candidates(candidate(3, s1), candidate(3, s0));  // in any order
    const auto back = world.push();
    EXPECT_EQ(back.outcome, Outcome::updated) << text(back);
    EXPECT_EQ(world.device->objects().firmware().bootloader_slot(), 0);
    world.kill_push();
    world.use_bootloader_candidates(candidate(2, s0), candidate(2, s1));
    EXPECT_EQ(world.push().error->code(), Errc::downgrade_refused);
}

TEST(BootloaderUpdate, IsProvenByItsOwnVersionAlone) {
    World world({.quirks = {Quirk::upgradable_bootloader, Quirk::bootloader_unchanged}});
    world.use_bootloader_candidates(candidate(2, s0), candidate(2, s1));
    const auto report = world.push();
    EXPECT_NE(report.outcome, Outcome::updated) << text(report);
    EXPECT_EQ(report.running_version, "1");
}

TEST(BootloaderUpdate, ADeviceThatTellsNoSlotIsRefused) {
    World world({});
    world.use_bootloader_candidates(candidate(2, s0), candidate(2, s1));
    const auto report = world.push();
    EXPECT_NE(report.outcome, Outcome::updated) << text(report);
    EXPECT_EQ(world.blocks_taken, 0u);
}

TEST(BootloaderUpdate, KilledInTheTransferOrAfterItEndsUpdated) {
    for (const std::uint64_t bytes : {8'000u, 20'000u}) {
        World world({.quirks = {Quirk::upgradable_bootloader}});
        world.use_bootloader_candidates(candidate(2, s0), candidate(2, s1));
        world.start_push();
        ASSERT_TRUE(world.run_until([&] { return world.last_progress > bytes; }));
        world.kill_push();
        const auto report = world.push();
        EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
        EXPECT_EQ(world.executes, 1);
    }
}

TEST(BootloaderUpdate, TwoImagesThatAreNoPairAreRefused) {
    const std::vector keys{test_signer().public_key()};
    const auto application = signed_image("2.0.0", 20'000);
    const auto left = candidate(2, s0);
    const auto newer = candidate(3, s1);
    const auto code = [&](BytesView one, BytesView other) {
        return update::check_bootloader_images(one, other, keys).error().code();
    };
    EXPECT_EQ(code(left, application), Errc::image_malformed);
    EXPECT_EQ(code(left, newer), Errc::image_malformed);
    EXPECT_EQ(code(left, left), Errc::image_malformed);
}
