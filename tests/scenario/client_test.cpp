// What real clients were seen to do under a push, where no other scenario has it yet; coverage_test.cpp lists all of
// it.
#include "tests/scenario/wire.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using update::Outcome;
using virtdev::Quirk;
using virtdev::QuirkSet;

TEST(Client, RegistersInEveryVersionAndForm) {
    struct Form {
        QuirkSet quirks;
        std::vector<std::string> words;  ///< of its Register's query
        bool blocked = false;
    };
    for (const auto& [quirks, words, blocked] :
         std::vector<Form>{{{Quirk::lwm2m_1_0, Quirk::queue_mode}, {"lwm2m=1.0", "b=UQ"}},
                           {{Quirk::queue_mode}, {"lwm2m=1.1", "Q"}},
                           {{Quirk::lwm2m_1_2}, {"lwm2m=1.2"}},
                           {{Quirk::blocked_register}, {"lwm2m=1.1"}, true},
                           {{Quirk::firmware_1_1}, {"lwm2m=1.1"}},
                           {{Quirk::alternate_root}, {"lwm2m=1.1"}},
                           {{Quirk::alternate_root, Quirk::blocked_register, Quirk::lwm2m_1_2}, {"lwm2m=1.2"}, true}}) {
        World world({.quirks = quirks, .lifetime = 60s});
        expect_updated(world);
        const auto first = from_device(world, false).at(0).message;
        const auto query = first.texts(coap::OptionNumber::uri_query);
        for (const auto& word : words) EXPECT_EQ(std::ranges::count(query, word), 1) << word;
        EXPECT_EQ(first.block1().has_value(), blocked);
        EXPECT_EQ(as_text(first.payload).contains("rt=\"oma.lwm2m\""), quirks.has(Quirk::alternate_root));
    }
}

TEST(Client, AnUpdateWithABlockedObjectListIsTaken) {
    World world({.link = {.delay = 400ms}, .quirks = {Quirk::blocked_register}, .lifetime = 30s});
    expect_updated(world);
    std::size_t parts = 0;
    for (const auto& each : from_device(world, true)) parts += each.message.block1().has_value();
    EXPECT_GE(parts, 6u);
    EXPECT_EQ(from_device(world, false).size() > 0, true);
    // None was refused: it registered at its start and after the reboot, in blocks.
    std::size_t registrations = 0;
    for (const auto& each : world.wire) registrations += each.message.code == coap::Code::created;
    EXPECT_EQ(registrations, 2u);
}

TEST(Client, AListOfObjectsThatIsTooLongIsRefusedInParts) {
    World world({.secure = false});
    world.start_push();
    VirtualEndpoint talker(world.network, "10.0.0.9:4000");
    std::vector<coap::Code> answers;
    boost::asio::co_spawn(
        world.io,
        [&]() -> boost::asio::awaitable<void> {
            auto connecting = talker.connect(World::server_address, ports::Credentials{});
            const auto peer = co_await std::move(connecting);
            for (std::uint32_t num = 0; num < 9; ++num) {
                auto part = coap::make_request(coap::Code::post, "/rd");
                part.add(coap::OptionNumber::uri_query, "ep=talker");
                part.set_format(coap::Format::link);
                part.set_block(coap::OptionNumber::block1, {num, true, 6});
                part.payload = Bytes(1024, ',');
                const auto reply = co_await talker.exchange(*peer, std::move(part), coap::Retry{});
                answers.push_back(reply ? reply->message.code : coap::Code::empty);
            }
        },
        boost::asio::detached);
    ASSERT_TRUE(world.run_until([&] { return answers.size() == 9; }, 60s));
    EXPECT_EQ(answers.front(), coap::Code::continue_);
    EXPECT_EQ(answers.back(), coap::Code::request_entity_too_large);
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);
}

TEST(Client, AColdStartInTheMiddleStartsOver) {
    World world({.quirks = stock({Quirk::gap_ends_transfer})});
    kill_after(world, 20 * 1024);
    world.device->lose_power();
    EXPECT_GE(expect_updated(world).bytes_sent, world.new_image.size());
}

TEST(Client, PackagesAreOpaqueAndConfirmable) {
    World world({});
    expect_updated(world);
    for (const auto& each : blocks_sent(world)) {
        EXPECT_EQ(each.message.format(), static_cast<std::uint32_t>(coap::Format::opaque));
        EXPECT_EQ(each.message.type, coap::Type::con);
        EXPECT_EQ(each.message.uint_option(coap::OptionNumber::size1), world.new_image.size());
    }
}

TEST(Client, BlocksAreWholeAndOfASizeThatThereIs) {
    // Anjay answers anything else with 4.02.
    for (const auto& quirks : {stock({Quirk::bad_block_402}), stock({Quirk::bad_block_402, Quirk::smaller_szx}),
                               stock({Quirk::bad_block_402, Quirk::too_large_no_hint})}) {
        World world({.quirks = quirks});
        world.policy.block_size = 1024;
        expect_updated(world);
        for (const auto& each : blocks_sent(world)) {
            const auto block = each.message.block1();
            ASSERT_TRUE(block) << "block size 7, or none";
            EXPECT_TRUE(!block->more || each.message.payload.size() == block->size());
        }
    }
}

TEST(Client, InIdleNothingIsResetButWhatTheJournalKnowsToBeUnfinished) {
    const auto nul_or_empty = [](const World& world) {
        return std::ranges::count_if(blocks_sent(world),
                                     [](const auto& each) { return each.message.payload.size() <= 1; });
    };
    const auto quirks = stock({Quirk::skips_written, Quirk::reset_in_idle});
    World fresh({.quirks = quirks});
    expect_updated(fresh);
    EXPECT_TRUE(requests(fresh, coap::Code::put, "/5/0/1").empty());
    EXPECT_EQ(nul_or_empty(fresh), 0);
    // The same package again goes on, or begins again, without a reset.
    World same({.quirks = quirks});
    kill_after(same, 20 * 1024);
    same.device->lose_power();
    expect_updated(same);
    EXPECT_TRUE(requests(same, coap::Code::put, "/5/0/1").empty());
    EXPECT_EQ(nul_or_empty(same), 0);
    // Another one: an empty URI, once, and never a NUL or an empty package, which end in Result 6 and 8.
    World other({.quirks = quirks});
    kill_after(other, 20 * 1024);
    other.device->lose_power();
    other.new_image = signed_image("2.0.1", 64 * 1024, 3);
    expect_updated(other);
    const auto resets = requests(other, coap::Code::put, "/5/0/1", false);
    ASSERT_EQ(resets.size(), 1u);
    EXPECT_TRUE(resets.front().message.payload.empty());
    EXPECT_EQ(nul_or_empty(other), 0);
}

TEST(Client, ResetsWorkByNulAndByUri) {
    for (const auto& quirks : {stock({Quirk::no_uri_reset, Quirk::nul_completes}), stock({Quirk::no_uri_reset}),
                               stock({Quirk::nul_completes}), stock({Quirk::reset_in_idle})}) {
        World world({.quirks = quirks});
        kill_after(world, 20 * 1024);
        world.new_image = signed_image("2.0.1", 64 * 1024, 3);
        expect_updated(world);
    }
}

TEST(Client, AnotherPackageThatIsDownloadedIsResetFirst) {
    World world({.quirks = stock({})});
    world.start_push();
    ASSERT_TRUE(world.run_until(
        [&] { return !world.states.empty() && world.states.back().first == lwm2m::State::downloaded; }));
    world.kill_push();
    ASSERT_EQ(world.executes, 0);
    world.new_image = signed_image("2.0.1", 64 * 1024, 3);
    expect_updated(world);
}

TEST(Client, AnIntegrityErrorThatLooksLikeAGapIsAVerdict) {
    World world({.quirks = stock({})});
    push_until(world, 40 * 1024);
    ASSERT_TRUE(world.board->secondary().erase(8192, 4096));  // what was stored there is gone
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->error->code(), Errc::device_refused) << text(*report);
    EXPECT_TRUE(report->error->text().contains("5 (integrity")) << text(*report);
    EXPECT_EQ(world.executes, 0);
}

TEST(Client, APauseOfFortySecondsIsSurvived) {
    World world({.quirks = stock({}), .lifetime = 30s});
    push_until(world, 20 * 1024);
    world.network.blackouts.push_back({world.clock.now(), world.clock.now() + 40s});
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);
    EXPECT_LT(report->bytes_sent, world.new_image.size() + 8 * 1024);
}

TEST(Client, AnAbandonedPushIsWaitedForWhileItAnswersBusy) {
    World world({.quirks = stock({Quirk::busy_during_push, Quirk::refuse_after_retransmission})});
    kill_after(world, 20 * 1024);
    expect_updated(world);
}

TEST(Client, ADownloadThatSurvivedAPowerLossIsExecuted) {
    World world({.quirks = stock({})});
    drop_if(world, [](const auto&, const auto&, const coap::Message& message) {
        return message.code == coap::Code::post && message.path() == "/5/0/2";
    });
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return executes_sent(world) > 0; }));
    world.kill_push();
    world.device->lose_power();
    const auto report = expect_updated(world);
    EXPECT_EQ(report.bytes_sent, 0u);
}

TEST(FirmwareObject, AutomaticUpgradeNeedsNoExecute) {
    for (const auto& quirks : {QuirkSet{Quirk::auto_upgrade}, stock({Quirk::auto_upgrade})}) {
        World world({.quirks = quirks});
        expect_updated(world);
        EXPECT_EQ(executes_sent(world), 0u);
    }
}

TEST(FirmwareObject, AutomaticUpgradeIsAwaitedWhereItTakesAWhile) {
    World world({.quirks = stock({Quirk::auto_upgrade_late}), .reboot_after = 20s});
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
    EXPECT_EQ(running(world), new_hash(world));
    EXPECT_EQ(executes_sent(world), 0u) << "it would be refused";
    EXPECT_TRUE(remarked(world, "5/0/14"));
}

TEST(FirmwareObject, AnAutomaticUpgradeBehindOurBackIsStillOurs) {
    World world({.quirks = stock({Quirk::auto_upgrade})});
    world.start_push();
    const auto last = (world.new_image.size() + 511) / 512;
    ASSERT_TRUE(world.run_until([&] { return world.blocks_taken == last; }));
    world.kill_push();
    ASSERT_TRUE(world.run_until([&] { return world.board->running() && running(world) == new_hash(world); }));
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
    EXPECT_EQ(report.from_version, "1.0.0+0");
    EXPECT_EQ(report.bytes_sent, 0u);
}

TEST(FirmwareObject, SeverityAndDeferralAreToldBeforeThePackage) {
    World world({.quirks = {Quirk::firmware_1_1, Quirk::defer}});
    world.policy.severity = 0;
    world.policy.max_defer = 0s;
    expect_updated(world);  // it may not postpone it
    ASSERT_FALSE(requests(world, coap::Code::put, "/5/0/11").empty());
    EXPECT_LT(requests(world, coap::Code::put, "/5/0/11").front().when, blocks_sent(world).front().when);
    World old({.quirks = {}});  // an object of version 1.0 has neither
    old.policy.severity = 0;
    old.policy.max_defer = 0s;
    expect_updated(old);
    World later({.quirks = {Quirk::firmware_1_1, Quirk::defer}});
    later.policy.max_defer = 1h;
    EXPECT_EQ(later.push().outcome, Outcome::deferred);
}

TEST(FirmwareObject, CancelIsTheLastButOneResort) {
    World world({.quirks = {Quirk::firmware_1_1, Quirk::no_external_flash_object, Quirk::only_reboot_resets}});
    kill_after(world, 20 * 1024);
    world.new_image = signed_image("2.0.1", 64 * 1024, 3);
    expect_updated(world);
    EXPECT_FALSE(requests(world, coap::Code::post, "/5/0/10").empty());
    EXPECT_TRUE(requests(world, coap::Code::post, "/3/0/4").empty());  // a reboot was not needed
}

TEST(Condition, AWeakDeviceIsRefusedByWhatThePolicyAsks) {
    const auto end = [](auto set) {
        World world({.quirks = {Quirk::weak_condition}});
        set(world.policy);
        const auto report = world.push();
        EXPECT_EQ(world.blocks_taken == 0, report.outcome == Outcome::refused);
        return report;
    };
    EXPECT_EQ(end([](update::Policy&) {}).outcome, Outcome::updated);
    const auto battery = end([](update::Policy& policy) { policy.min_battery = 30; });
    EXPECT_EQ(battery.outcome, Outcome::refused) << text(battery);
    EXPECT_TRUE(battery.error->text().contains("7 %")) << text(battery);
    const auto memory = end([](update::Policy& policy) { policy.min_free_memory = 64; });
    EXPECT_TRUE(memory.error && memory.error->text().contains("12 kB")) << text(memory);
    const auto errors = end([](update::Policy& policy) { policy.refuse_device_errors = true; });
    EXPECT_TRUE(errors.error && errors.error->text().contains("low battery")) << text(errors);
    EXPECT_EQ(end([](update::Policy& policy) { policy.min_battery = 5; }).outcome, Outcome::updated);
}
