// What real clients were seen to do with a package that arrives: what they keep of an earlier one, how they end it, and
// when they tell what became of it. coverage_test.cpp lists all of it.
#include "tests/scenario/wire.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using update::Outcome;
using virtdev::Quirk;
using virtdev::QuirkSet;

namespace {

/// Kills the push of one package in the middle, and means another one from then on.
void leave_behind(World& world) {
    kill_after(world, 20 * 1024);
    world.new_image = signed_image("2.0.1", 64 * 1024, 3);
}
/// What the journal knows of the transfer outlives the kill, as it does where the machine goes on.
void reach_the_disk(World& world) {
    const auto facts = world.store.facts(World::endpoint).value();
    for (const auto& fact : facts)
        if (fact.kind == "block") {
            ASSERT_TRUE(world.store.replace(fact, ports::Durability::full));
        }
}
std::uint64_t blocks_of(const World& world) {
    return (world.new_image.size() + 511) / 512;
}

}  // namespace

TEST(ClientTransfer, ACopyOfAnEarlierSeparateResponseDoesNotBringABlockTwice) {
    // Every request reaches it twice, and each copy is answered by a response of its own.
    World world({.seed = 5,
                 .link = {.duplicate = 1, .delay = 150ms},
                 .quirks = stock({Quirk::no_dedup, Quirk::separate_response})});
    expect_updated(world);
    EXPECT_EQ(blocks_sent(world, false).size(), (world.new_image.size() + 511) / 512);
}

TEST(ClientTransfer, TooLargeWithASizeNamesIt) {
    World world({.quirks = stock({}), .secure = false});
    answer_instead(world, [](const coap::Message& request) -> std::optional<coap::Message> {
        if (request.code != coap::Code::put || request.path() != "/5/0/0") return std::nullopt;
        auto answer = answer_of(coap::Code::request_entity_too_large);
        answer.add_uint(coap::OptionNumber::size1, 40'000);
        return answer;
    });
    const auto report = world.push();
    EXPECT_EQ(report.error->code(), Errc::device_refused) << text(report);
    EXPECT_TRUE(report.error->text().contains("found 4.13 and at most 40,000 bytes (Size1)")) << text(report);
    EXPECT_EQ(blocks_sent(world, false).size(), 1u);
}

TEST(ClientTransfer, WhatIsWrittenAlreadyIsSkippedByTheDeviceAndThePackageIsWhole) {
    World world({.quirks = stock({Quirk::skips_written})});
    kill_after(world, 20 * 1024);
    world.device->lose_power();
    const auto report = expect_updated(world);
    EXPECT_EQ(report.bytes_sent, world.new_image.size()) << "it cannot tell how much it has";
    EXPECT_TRUE(requests(world, coap::Code::put, "/5/0/1").empty()) << "what it has is ours";
}

TEST(ClientTransfer, WhatIsLeftOfAnotherPackageIsForgottenBeforeTheNext) {
    for (const bool rebooted : {true, false}) {
        World world({.quirks = stock({Quirk::skips_written, Quirk::reset_in_idle})});
        leave_behind(world);
        if (rebooted) world.device->lose_power();
        const auto report = expect_updated(world);
        EXPECT_EQ(report.bytes_sent, world.new_image.size());
        // In State 0 by the empty URI alone: a NUL would be a package of no kind it takes.
        const auto resets = requests(world, coap::Code::put, "/5/0/1", false);
        ASSERT_FALSE(resets.empty());
        EXPECT_TRUE(resets.front().message.payload.empty());
    }
    // Those that cannot fetch refuse the URI, and begin anew by themselves.
    World refusing({.quirks = stock({Quirk::no_uri_reset})});
    leave_behind(refusing);
    refusing.device->lose_power();
    expect_updated(refusing);
}

TEST(ClientTransfer, AnEarlyLastBlockEndsWhatWasLeftUnfinished) {
    for (const bool another : {true, false}) {
        World world(
            {.quirks = stock({Quirk::busy_during_push, Quirk::refuse_after_retransmission, Quirk::early_end_aborts}),
             .lifetime = 30s});
        kill_after(world, 20 * 1024);
        if (another) world.new_image = signed_image("2.0.1", 64 * 1024, 3);
        const auto killed = world.clock.now();
        expect_updated(world);
        EXPECT_TRUE(remarked(world, "left unfinished"));
        // It forgets an abandoned push after 300 s; nobody waited for that.
        const auto sent = blocks_sent(world);
        const auto anew = std::ranges::find_if(
            sent, [&](const auto& each) { return each.when > killed && each.message.block1()->num == 0; });
        ASSERT_NE(anew, sent.end());
        EXPECT_LT(to_ms(anew->when - killed), 120s);
    }
}

TEST(ClientTransfer, WhereItDoesNotEndItIsWaitedFor) {
    World world({.quirks = stock({Quirk::busy_during_push, Quirk::refuse_after_retransmission})});
    leave_behind(world);
    expect_updated(world);
}

TEST(ClientTransfer, ATransferThatStartsOverIsResetBefore) {
    World world({.quirks = stock({Quirk::restart_spoils})});
    leave_behind(world);
    const auto report = expect_updated(world);
    EXPECT_EQ(report.bytes_sent, world.new_image.size()) << "it was sent twice";
}

TEST(ClientTransfer, AResumedTransferKeepsItsBlockSize) {
    World world({.quirks = stock({})});
    push_until(world, 20 * 1024);
    reach_the_disk(world);
    world.kill_push();
    world.policy.block_size = 256;
    const auto report = expect_updated(world);
    EXPECT_LT(report.bytes_sent, world.new_image.size() - 10 * 1024) << "it started over";
    for (const auto& each : blocks_sent(world)) EXPECT_EQ(each.message.block1()->size(), 512u);
}

TEST(ClientTransfer, APushAfterAFetchThatWasLeftIsResetFirst) {
    World world({.quirks = stock({Quirk::pull_stops})});
    world.policy.method = update::Method::pull;
    world.start_push();
    world.run_until([] { return false; }, 60s);  // it has stopped in the middle, and stays in State 1
    ASSERT_EQ(world.states.back().first, lwm2m::State::downloading);
    world.kill_push();
    world.policy.method = update::Method::push;
    expect_updated(world);
    EXPECT_TRUE(stepped(world, update::Step::reset));
}

TEST(ClientTransfer, AnAcknowledgementThatLooksLikeTheLastOneIsOneOfItsBlock) {
    World world({.quirks = stock({Quirk::echo_without_more})});
    EXPECT_EQ(expect_updated(world).bytes_sent, world.new_image.size());
}

TEST(ClientTransfer, AnExampleThatIsAlwaysDownloadingIsNeverExecuted) {
    World world({.quirks = stock({Quirk::always_downloading, Quirk::no_accept, Quirk::silent_duplicates})});
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::failed) << text(report);
    EXPECT_EQ(report.error->code(), Errc::device_refused) << text(report);
    EXPECT_TRUE(report.error->text().contains("1 (downloading)")) << text(report);
    EXPECT_EQ(executes_sent(world), 0u);
    EXPECT_EQ(report.running_version, "1.0.0+0");
    EXPECT_EQ(report.blocks, 2 * blocks_of(world)) << "every try costs the whole image";
}

TEST(ClientTransfer, AVerdictThatComesLateIsWaitedFor) {
    World good({.quirks = stock({Quirk::late_verdict})});
    const auto updated = expect_updated(good);
    EXPECT_EQ(updated.bytes_sent, good.new_image.size());
    World bad({.quirks = stock({Quirk::late_verdict, Quirk::reject_package})});
    const auto report = bad.push();
    EXPECT_EQ(report.error->code(), Errc::device_refused) << text(report);
    EXPECT_TRUE(report.error->text().contains("5 (integrity")) << text(report);
    EXPECT_EQ(report.bytes_sent, bad.new_image.size());
}

TEST(ClientTransfer, APackageOfNoKindItTakesIsSentOnce) {
    World world({.quirks = stock({Quirk::unsupported_package})});
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::failed) << text(report);
    EXPECT_EQ(report.error->code(), Errc::device_refused) << text(report);
    EXPECT_TRUE(report.error->text().contains("4.15")) << text(report);
    EXPECT_TRUE(report.error->text().contains("6 (unsupported")) << text(report);
    EXPECT_EQ(blocks_sent(world, false).size(), 1u);
}

TEST(ClientTransfer, NotificationsComeBetweenTheBlocks) {
    World world({.quirks = stock({Quirk::late_verdict}), .lifetime = 60s});
    std::vector<std::string> told;
    push_until(world, 8 * 1024);
    boost::asio::co_spawn(
        world.io,
        [&]() -> boost::asio::awaitable<void> {
            auto observing = world.server()
                                 .device(World::endpoint)
                                 .observe(lwm2m::FirmwareObject{}.state(), coap::Format::text,
                                          [&](std::optional<ports::Answer> answer) {
                                              if (answer) told.emplace_back(as_text(answer->payload));
                                          });
            (void)co_await std::move(observing);
        },
        boost::asio::detached);
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);
    ASSERT_FALSE(told.empty());
    EXPECT_EQ(told.front(), "2") << "State 1 was there before the observation";
    // Each notification is confirmable and was acknowledged: none was repeated.
    std::set<std::uint16_t> ids;
    for (const auto& each : world.wire) {
        if (each.from == World::server_address || !each.message.option(coap::OptionNumber::observe) ||
            each.message.type != coap::Type::con)
            continue;
        EXPECT_TRUE(ids.insert(each.message.id).second) << "a notification was repeated";
    }
    EXPECT_FALSE(ids.empty());
}

TEST(ClientTransfer, EveryReadSaysInWhichFormat) {
    World world({.quirks = {Quirk::firmware_1_1}});
    expect_updated(world);
    std::size_t reads = 0;
    for (const auto& each : world.wire) {
        if (each.from != World::server_address || each.message.code != coap::Code::get) continue;
        ++reads;
        EXPECT_TRUE(each.message.uint_option(coap::OptionNumber::accept).has_value()) << each.message.path();
    }
    EXPECT_GT(reads, 5u);
}
