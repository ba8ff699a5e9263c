// Failures of the transfer as devices in the field have them, F1 to F22: each against a device or a link that has it.
#include "coap/block2_server.hpp"
#include "tests/scenario/wire.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using update::Outcome;
using virtdev::Quirk;
using virtdev::QuirkSet;

namespace {

bool is_block(const coap::Message& message, std::uint32_t num) {
    const auto block = message.block1();
    return message.code == coap::Code::put && block && block->num == num;
}

}  // namespace

TEST(Failure, F01_ASlowEraseDoesNotBringBlock0Twice) {
    for (const auto quirk : {Quirk::slow_erase, Quirk::late_first_answer}) {
        World world({.quirks = stock({quirk, Quirk::no_dedup})});
        const auto report = expect_updated(world);
        EXPECT_EQ(report.retransmissions, 0u);
        EXPECT_TRUE(
            std::ranges::count_if(blocks_sent(world), [](const auto& each) { return is_block(each.message, 0); }) == 1);
    }
}

TEST(Failure, F02_AFailedStartIsReadAndResetBeforeTheNext) {
    World world({.quirks = stock({Quirk::first_block_fails})});
    expect_updated(world);
    std::set<coap::Token> tokens;
    for (const auto& each : blocks_sent(world, false))
        if (is_block(each.message, 0)) tokens.insert(each.message.token);
    EXPECT_EQ(tokens.size(), 2u);  // a new transfer, with a token of its own
    EXPECT_TRUE(stepped(world, update::Step::reset));
}

TEST(Failure, F03_OneLostAckOfASilentClientDoesNotStallTheTransfer) {
    World world({.quirks = stock({Quirk::silent_duplicates})});
    std::optional<std::uint16_t> lost;
    drop_if(world, [&](const auto& from, const auto&, const coap::Message& message) {
        if (from == World::server_address && is_block(message, 20) && !lost) lost = message.id;
        return from != World::server_address && lost && message.id == *lost && message.type == coap::Type::ack;
    });
    expect_updated(world);
    ASSERT_TRUE(lost);
    std::set<std::uint16_t> ids;
    for (const auto& each : blocks_sent(world))
        if (is_block(each.message, 20)) ids.insert(each.message.id);
    EXPECT_GE(ids.size(), 2u);  // the same block again, as a new message
}

TEST(Failure, F04_TheLastAcknowledgementIsLostAndStateTells) {
    for (const auto quirk : {Quirk::last_block_404, Quirk::refuse_after_retransmission, Quirk::silent_duplicates}) {
        World world({.quirks = stock({quirk, Quirk::no_dedup})});
        std::optional<std::uint16_t> last;
        int dropped = 0;
        drop_if(world, [&](const auto& from, const auto&, const coap::Message& message) {
            const auto block = message.block1();
            if (message.code == coap::Code::put && block && !block->more) last = message.id;
            return from != World::server_address && last && message.id == *last && dropped++ == 0;
        });
        const auto report = expect_updated(world);
        EXPECT_EQ(dropped > 0, true);
        EXPECT_LE(report.bytes_sent, world.new_image.size() + 5 * 512);  // and not the whole image again
    }
}

TEST(Failure, F05_OneTokenForTheWholeTransfer) {
    World world({.link = {}, .quirks = stock({Quirk::token_context})});
    expect_updated(world);
    std::set<coap::Token> tokens;
    for (const auto& each : blocks_sent(world)) tokens.insert(each.message.token);
    EXPECT_EQ(tokens.size(), 1u);
}

TEST(Failure, F06_AnOldTransferInTheWayIsResetThenRebootedAway) {
    for (const auto quirk : {Quirk::keeps_old_context, Quirk::only_reboot_resets}) {
        World world({.quirks = stock({quirk})});
        world.start_push();
        ASSERT_TRUE(world.run_until([&] { return world.last_progress > 20 * 1024; }));
        world.kill_push();
        world.new_image = signed_image("2.0.1", 64 * 1024, 3);  // not the one whose transfer was begun
        expect_updated(world);
        EXPECT_TRUE(stepped(world, update::Step::reset));
        EXPECT_EQ(!requests(world, coap::Code::post, "/3/0/4").empty(), quirk == Quirk::only_reboot_resets);
    }
}

TEST(Failure, F07_ABlockSizeThatWasNotTakenIsNotUsedAgain) {
    for (const auto& quirks : {QuirkSet{Quirk::smaller_szx}, stock({Quirk::smaller_szx})}) {
        World world({.quirks = quirks});
        world.policy.block_size = 1024;
        expect_updated(world);
    }
    World usual({});
    expect_updated(usual);
    for (const auto& each : blocks_sent(usual)) EXPECT_LE(each.message.block1()->size(), 512u);
}

TEST(Failure, F08_TooLargeWithoutAHintHalvesTheBlocks) {
    for (const auto quirk : {Quirk::too_large_no_hint, Quirk::too_large_with_hint}) {
        World world({.quirks = stock({quirk})});
        world.policy.block_size = 1024;
        expect_updated(world);
        const auto sent = blocks_sent(world);
        EXPECT_EQ(sent.front().message.block1()->size(), 1024u);
        EXPECT_EQ(sent.back().message.block1()->size(), 256u);
    }
}

TEST(Failure, F09_ProgressCountsNotTheTotalTime) {
    World world({.link = {.delay = 9s}, .image_bytes = 24 * 1024, .profile = *server::link_profile("nb-iot")});
    world.policy.stall = 2min;
    const auto report = expect_updated(world);
    EXPECT_GT(report.elapsed, Milliseconds(10min));
}

TEST(Failure, F10_APauseAfterALossIsBounded) {
    World world({.seed = 5, .link = {.loss = 0.05, .delay = 150ms}, .image_bytes = 128 * 1024});
    expect_updated(world);
    const auto sent = blocks_sent(world);
    Milliseconds longest{0};
    for (std::size_t i = 1; i < sent.size(); ++i) longest = std::max(longest, to_ms(sent[i].when - sent[i - 1].when));
    EXPECT_GT(world.network.lost, 10u);
    EXPECT_LE(longest, 20s);
}

TEST(Failure, F11_NothingIsRepeatedOnASlowLinkThatLosesNothing) {
    World world({.link = {.delay = 4s}, .profile = *server::link_profile("nb-iot")});
    const auto report = expect_updated(world);
    EXPECT_EQ(report.retransmissions, 0u);
}

TEST(Failure, F12_AnAnswerForAnotherBlockIsNotTakenForThisOne) {
    for (const auto& quirks : {QuirkSet{Quirk::wrong_echo}, stock({Quirk::wrong_echo})}) {
        World world({.quirks = quirks});
        expect_updated(world);
        EXPECT_TRUE(remarked(world, "lost its place"));
    }
}

TEST(Failure, F13_ADeviceThatLocksUpUntilItsWatchdogIsWaitedForOrNamed) {
    for (const bool patient : {true, false}) {
        World world({.quirks = stock({})});
        world.policy.stall = patient ? Milliseconds(30min) : Milliseconds(5min);
        world.start_push();
        ASSERT_TRUE(world.run_until([&] { return world.last_progress > 20 * 1024; }));
        world.network.filter = [](const auto&, const auto&, BytesView) { return false; };
        world.run_until([&] { return world.report.has_value(); }, 12min);
        world.network.filter = {};
        world.device->lose_power();
        auto report = world.finish();
        ASSERT_TRUE(report);
        if (!patient) {
            EXPECT_EQ(report->error->code(), Errc::transfer_stalled) << text(*report);
            EXPECT_TRUE(report->error->text().contains("block 4")) << text(*report);
            ASSERT_TRUE(update::close(world.store, World::endpoint, *report));
            world.kill_push();
            report = world.push();
        }
        EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);
        EXPECT_EQ(world.executes, 1);
    }
}

TEST(Failure, F14_ADownloadThatIsAllocatedAlreadyIsReset) {
    World world({.quirks = QuirkSet{Quirk::first_block_fails}});
    const auto report = expect_updated(world);
    EXPECT_LE(report.bytes_sent, world.new_image.size() + 512);
    EXPECT_FALSE(requests(world, coap::Code::put, "/5/0/1").empty());
}

TEST(Failure, F15_NothingElseIsAskedDuringATransfer) {
    World world({.link = {.delay = 400ms}, .quirks = stock({Quirk::busy_during_push}), .lifetime = 40s});
    expect_updated(world);
    const auto sent = blocks_sent(world);
    const auto begun = sent.front().when;
    const auto ended = sent.back().when;
    std::size_t updates = 0;
    for (const auto& each : world.wire) {
        if (each.when <= begun || each.when >= ended) continue;
        if (each.from == World::server_address && coap::is_request(each.message.code)) {
            EXPECT_EQ(each.message.path(), "/5/0/0");
        }
        updates += each.from != World::server_address && each.message.path().starts_with("/rd/");
    }
    EXPECT_GE(updates, 2u);  // and those were answered: it was never registered anew
    EXPECT_EQ(std::ranges::count_if(from_device(world, false), [&](const auto& each) { return each.when < ended; }), 1);
}

TEST(Failure, F16_ALifetimeThatEndsInTheTransferEndsNothing) {
    World world({.link = {.delay = 500ms}, .quirks = stock({Quirk::no_update_in_push}), .lifetime = 20s});
    const auto report = expect_updated(world);
    EXPECT_GT(report.elapsed, Milliseconds(100s));
    EXPECT_EQ(report.bytes_sent, world.new_image.size());
}

TEST(Failure, F17_AnotherAddressInTheTransferIsTheSameDevice) {
    for (const bool secure : {true, false}) {
        World world({.quirks = stock({}), .lifetime = 60s, .secure = secure});
        world.start_push();
        ASSERT_TRUE(world.run_until([&] { return world.last_progress > 20 * 1024; }));
        world.device_end->move_to("10.0.0.7:4711");
        const auto report = world.finish();
        ASSERT_TRUE(report);
        EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);
        EXPECT_EQ(world.executes, 1);
        // It goes on where it was.
        EXPECT_LT(report->bytes_sent, world.new_image.size() + 12 * 1024);
    }
}

TEST(Failure, F17_WhatWasAskedInTheOldSessionIsGivenUpWhenTheDeviceComesInANewOne) {
    // It is silent before it comes back: by then the pause until the next repetition is long.
    World world({.quirks = stock({Quirk::reboot_in_push}), .lifetime = 86'400s, .boot_time = 45s});
    world.start_push();
    Instant heard{};
    ASSERT_TRUE(world.run_until([&] {
        if (!world.wire.empty() && world.wire.back().from != World::server_address) heard = world.wire.back().when;
        return heard != Instant{} && world.clock.now() > heard + 20s;
    }));
    const std::string elsewhere = "10.0.0.7:4711";
    world.device_end->move_to(elsewhere);
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);
    std::optional<Instant> registered;
    std::optional<Instant> asked;
    for (const auto& each : world.wire) {
        if (each.from == elsewhere && each.message.path() == "/rd" && !registered) registered = each.when;
        if (each.to == elsewhere && !asked && coap::is_request(each.message.code)) asked = each.when;
    }
    ASSERT_TRUE(registered && asked);
    EXPECT_LE(to_ms(*asked - *registered), 1s);
}

TEST(Failure, F18_AnUpdateCostsOneHandshakeMore) {
    World world({.link = {.loss = 0.05, .delay = 150ms}, .lifetime = 60s});
    expect_updated(world);
    EXPECT_EQ(world.handshakes(), 2u);  // the first one, and the new image's
}

TEST(Failure, F19_NothingIsSentToADeviceThatSleeps) {
    World world({.quirks = stock({Quirk::queue_mode}), .lifetime = 900s});
    world.policy.stall = 1h;
    push_until(world, 20 * 1024);
    world.network.blackouts.push_back({world.clock.now(), world.clock.now() + 5min});
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);
    // Nothing begins later than a device may be taken to listen after its last message (93 s); what began before that
    // is repeated for a minute at most.
    std::optional<Instant> heard;
    for (const auto& each : world.wire) {
        const bool ours = each.from == World::server_address;
        if (!ours) heard = each.when;
        if (ours && heard) {
            EXPECT_LE(to_ms(each.when - *heard), 93s + 62s);
        }
    }
}

TEST(Failure, F20_WorkBeginsWithinASecondOfTheUpdate) {
    World world({.quirks = stock({Quirk::queue_mode}), .lifetime = 900s});
    world.policy.stall = 1h;
    push_until(world, 20 * 1024);
    const auto dark_until = world.clock.now() + 5min;
    world.network.blackouts.push_back({world.clock.now(), dark_until});
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);
    std::optional<Instant> woken;
    std::optional<Instant> worked;
    for (const auto& each : world.wire) {
        if (each.when < dark_until) continue;
        if (!woken && each.from != World::server_address && each.message.path().starts_with("/rd")) woken = each.when;
        if (woken && !worked && each.from == World::server_address && each.message.path() == "/5/0/0")
            worked = each.when;
    }
    ASSERT_TRUE(woken && worked);
    EXPECT_LE(to_ms(*worked - *woken), 1s);
}

TEST(Failure, F21_WhatRunsIsReadAfterEveryRegistration) {
    World world({.quirks = stock({})});
    expect_updated(world);
    const auto registers = from_device(world, false);
    ASSERT_EQ(registers.size(), 2u);
    for (const auto* path : {"/3/0/3", "/5/0/3", "/5/0/5"}) {
        const auto reads = requests(world, coap::Code::get, path);
        EXPECT_TRUE(std::ranges::any_of(reads, [&](const auto& each) { return each.when > registers[1].when; }))
            << path;
    }
}

TEST(Failure, F22_ADeviceThatNeverComesBackEndsWithTheBlockItWasAt) {
    World world({.quirks = stock({})});
    push_until(world, 20 * 1024);
    world.network.filter = [](const auto&, const auto&, BytesView) { return false; };
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->error->code(), Errc::transfer_stalled) << text(*report);
    EXPECT_TRUE(report->error->text().contains("of 130")) << text(*report);
    ASSERT_TRUE(update::close(world.store, World::endpoint, *report));
    EXPECT_EQ(world.store.count("closed"), 0u);  // the same command goes on
    world.network.filter = {};
}
