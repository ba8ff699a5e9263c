// Failures of the state machine and of the verdict as devices in the field have them, F23 to F45: what counts is what
// runs, and nothing is applied or sent twice.
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>

#include "adapters/disk_file_tree.hpp"
#include "coap/block2_server.hpp"
#include "tests/scenario/wire.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using update::Outcome;
using virtdev::Quirk;
using virtdev::QuirkSet;

namespace {

Bytes modem_delta() {
    Bytes out(20'000, 0x11);
    out[4] = 0x6d, out[5] = 0x65, out[6] = 0x44, out[7] = 0x75;
    return out;
}

}  // namespace

TEST(Failure, F23_SuccessBeforeTheRebootIsNone) {
    World honest({.quirks = stock({Quirk::early_success})});
    expect_updated(honest);
    EXPECT_EQ(executes_sent(honest), 1u);
    World idle({.quirks = stock({Quirk::early_success, Quirk::success_unchanged})});
    const auto report = idle.push();
    EXPECT_EQ(report.outcome, Outcome::failed) << text(report);
    EXPECT_EQ(report.error->code(), Errc::device_did_not_apply) << text(report);
}

TEST(Failure, F23_ADeviceThatOnlyAcknowledgesIsToldFromOneThatStaysAway) {
    World world({.quirks = stock({Quirk::installs_nothing})});
    const auto report = world.push();
    ASSERT_TRUE(report.error) << text(report);
    EXPECT_EQ(report.error->code(), Errc::device_did_not_apply) << text(report);
    EXPECT_TRUE(
        report.error->text().contains("registered all the while: it runs 1.0.0+0 in State 0 (idle) with "
                                      "Result 1 (updated successfully)"))
        << text(report);
}

TEST(Failure, F23_AVersionThatRanBeforeProvesNothingHoweverOftenItIsAsked) {
    World world({.quirks = stock({Quirk::version_fixed})});
    world.policy.expect_version = "2.0.0";
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.step == update::Step::await_return; }));
    world.kill_push();
    world.policy.expect_version = "1.0.0+0";
    for (int run = 0; run < 2; ++run) {
        const auto report = world.push();
        EXPECT_EQ(report.outcome, Outcome::failed) << text(report);
        EXPECT_EQ(report.error->code(), Errc::not_proven) << text(report);
        world.kill_push();
    }
}

TEST(Failure, F23_AVersionThatComesBackIsNoProofEither) {
    World world({.quirks = stock({Quirk::revert}), .lifetime = 6s, .secure = false});
    world.policy.expect_version = "2.0.0+0";
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.step == update::Step::prove; }));
    world.kill_push();
    // The new image runs when the second run meets it, and then the one from before that is now expected.
    world.policy.expect_version = "1.0.0+0";
    world.steps.clear();
    const auto report = world.push();
    EXPECT_TRUE(stepped(world, update::Step::await_return));
    EXPECT_EQ(report.outcome, Outcome::failed) << text(report);
    EXPECT_EQ(report.error->code(), Errc::not_proven) << text(report);
}

TEST(Failure, F24_AStateThatIsLostInTheRebootIsInferredFromTheVersion) {
    World world({.quirks = stock({Quirk::no_state_persist})});
    const auto report = expect_updated(world);
    EXPECT_FALSE(report.proven_by_hash);
    EXPECT_EQ(report.running_version, "2.0.0+0");
}

TEST(Failure, F25_Result8OfAnImageThatRunsIsNoFailure) {
    for (const auto& quirks : {QuirkSet{Quirk::self_confirm_result_8}, stock({Quirk::self_confirm_result_8})}) {
        World world({.quirks = quirks});
        expect_updated(world);
        EXPECT_EQ(world.states.back().second, lwm2m::UpdateResult::update_failed);
    }
}

TEST(Failure, F26_ARevertAfterTheProofIsSeenInTheSoak) {
    World world({.quirks = stock({Quirk::revert})});
    world.policy.soak = 10min;
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::rolled_back) << text(report);
    EXPECT_EQ(report.running_version, "1.0.0+0");
}

TEST(Failure, F27_State1ForEverIsEndedByUs) {
    World world({.quirks = stock({Quirk::stuck_state_1})});
    const auto report = world.push();
    EXPECT_EQ(report.error->code(), Errc::device_refused) << text(report);
    EXPECT_TRUE(report.error->text().contains("1 (downloading)")) << text(report);
    EXPECT_TRUE(stepped(world, update::Step::reset));
    EXPECT_EQ(world.executes, 0);
}

TEST(Failure, F28_State0And2AreBothAFailedUpdate) {
    for (const auto quirk : {Quirk::install_fails, Quirk::install_fails_idle}) {
        World world({.quirks = stock({quirk})});
        const auto report = world.push();
        EXPECT_EQ(report.error->code(), Errc::device_did_not_apply) << text(report);
        EXPECT_TRUE(report.error->text().contains("8 (update failed)")) << text(report);
        EXPECT_EQ(executes_sent(world), 1u);
    }
}

TEST(Failure, F29_SilenceAfterExecuteIsNeitherSuccessNorFailure) {
    World world({.quirks = stock({Quirk::lost_execute_ack})});
    expect_updated(world);
    EXPECT_EQ(executes_sent(world), 1u);
}

TEST(Failure, F30_ARepeatedExecuteFindsAnotherState) {
    for (const bool secure : {true, false}) {
        // The answer is lost, and the copy reaches a client without a memory of message ids, which updates already.
        World world({.quirks = stock({Quirk::no_dedup}), .secure = secure, .reboot_after = 20s});
        int dropped = 0;
        std::optional<std::uint16_t> execute;
        drop_if(world, [&](const auto& from, const auto&, const coap::Message& message) {
            if (message.code == coap::Code::post && message.path() == "/5/0/2") execute = message.id;
            return from != World::server_address && execute && message.id == *execute && dropped++ == 0;
        });
        expect_updated(world);
        EXPECT_GT(dropped, 1) << "the copy was not answered";
        EXPECT_GE(requests(world, coap::Code::post, "/5/0/2").size(), 2u) << "Execute was not repeated";
    }
}

TEST(Failure, F31_DeregisteringBeforeTheRebootEndsNothing) {
    World world({.quirks = stock({Quirk::deregisters})});
    expect_updated(world);
    EXPECT_TRUE(std::ranges::any_of(world.wire, [](const auto& each) { return each.message.code == coap::Code::del; }));
}

TEST(Failure, F32_ALabelThatIsNotTheReportedVersionEndsAfterOneExecute) {
    World world({.quirks = stock({Quirk::version_fixed})});
    const auto report = world.push();
    EXPECT_NE(report.outcome, Outcome::updated) << text(report);
    EXPECT_EQ(executes_sent(world), 1u);
    EXPECT_TRUE(report.error->text().contains("1.0.0+0")) << text(report);
}

TEST(Failure, F33_VersionsAreComparedAsNumbers) {
    World up({.quirks = stock({}), .old_version = "1.1.1", .new_version = "1.1.10"});
    expect_updated(up);
    World down({.quirks = stock({}), .old_version = "1.1.10", .new_version = "1.1.9"});
    EXPECT_EQ(down.push().error->code(), Errc::downgrade_refused);
    EXPECT_EQ(down.blocks_taken, 0u);
}

TEST(Failure, F34_EveryWaitSaysWhatForAndHowLong) {
    World sleepy({.quirks = stock({Quirk::queue_mode}), .lifetime = 900s});
    sleepy.network.filter = [&](const auto&, const auto& to, BytesView datagram) {
        // Nothing but registrations gets through until it has slept once.
        const auto message = coap::decode(datagram);
        return sleepy.clock.now() > Instant(1h + 5min) || to == World::server_address ||
               !coap::is_request(message->code);
    };
    const auto report = sleepy.push();
    EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
    EXPECT_TRUE(remarked(sleepy, "waiting for its next registration update"));
    EXPECT_TRUE(remarked(sleepy, "giving up in"));
    World gone({.quirks = stock({Quirk::silent_after_execute})});
    EXPECT_TRUE(gone.push().error->text().contains("within 15")) << "the deadline is named";
}

TEST(Failure, F35_AnInterruptedUpdateIsNotTakenForDone) {
    World world({.quirks = stock({})});
    kill_after(world, 20 * 1024);
    // The device kept the label of the download, and runs the old version.
    expect_updated(world);
    World liar({.quirks = stock({Quirk::success_unchanged})});
    const auto report = liar.push();
    EXPECT_EQ(report.outcome, Outcome::failed) << text(report);
    EXPECT_EQ(report.running_version, "1.0.0+0");
}

TEST(Failure, F36_AResultFromLongAgoIsNotOurs) {
    World world({.quirks = stock({Quirk::stale_result})});
    const auto report = expect_updated(world);
    EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
}

TEST(Failure, F37_AModemUpdateMayTakeMinutes) {
    World world({.quirks = {Quirk::advanced_object, Quirk::deregisters}, .boot_time = 12min});
    world.use_modem_package(modem_delta(), "mfw_nrf9160_1.3.7");
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
    EXPECT_EQ(report.running_version, "mfw_nrf9160_1.3.7");
}

TEST(Failure, F38_AHalfModemPackageIsResetBeforeTheNext) {
    World world({.quirks = {Quirk::advanced_object, Quirk::modem_half_done}});
    world.use_modem_package(modem_delta(), "mfw_nrf9160_1.3.7");
    kill_after(world, 8 * 1024);
    auto other = modem_delta();
    other[100] = 0x22;
    world.use_modem_package(other, "mfw_nrf9160_1.3.7");
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
    EXPECT_TRUE(stepped(world, update::Step::reset));
}

TEST(Failure, F39_AWriteErrorBehind204IsNoDownload) {
    World world({.quirks = stock({Quirk::swallowed_write_error})});
    const auto report = world.push();
    EXPECT_EQ(report.error->code(), Errc::device_refused) << text(report);
    EXPECT_EQ(executes_sent(world), 0u);
}

TEST(Failure, F40_ALostConnectionIsRetriedAVerdictIsNot) {
    World lost({.quirks = stock({Quirk::connection_lost_once})});
    const auto again = expect_updated(lost);
    EXPECT_EQ(again.bytes_sent, 2 * lost.new_image.size());
    World rejected({.quirks = stock({Quirk::reject_package})});
    const auto once = rejected.push();
    EXPECT_EQ(once.outcome, Outcome::failed) << text(once);
    EXPECT_EQ(once.bytes_sent, rejected.new_image.size());
}

TEST(Failure, F41_NoRegistrationIsRefusedForAPassingReason) {
    World world({.seed = 7, .link = {.loss = 0.1, .delay = 150ms}, .lifetime = 40s});
    world.store.failing = true;  // our disk is full
    world.start_push();
    world.run_until([] { return false; }, 5min);
    ASSERT_TRUE(world.report && world.report->error);
    EXPECT_EQ(world.report->error->code(), Errc::store_failed);
    // The push is over, and its server goes on answering.
    EXPECT_GE(std::ranges::count_if(from_device(world, true),
                                    [&](const auto& update) {
                                        return std::ranges::any_of(world.wire, [&](const auto& each) {
                                            return each.from == World::server_address &&
                                                   each.message.type == coap::Type::ack &&
                                                   each.message.id == update.message.id &&
                                                   each.message.code == coap::Code::changed;
                                        });
                                    }),
              2);
    world.store.failing = false;
    world.kill_push();
    expect_updated(world);
    for (const auto& each : world.wire) {
        const bool refusal = coap::code_class(each.message.code) >= 4;
        // A server that was restarted does not know the old registration: 4.04, and the client registers anew.
        EXPECT_FALSE(refusal && each.from == World::server_address && each.message.code != coap::Code::not_found)
            << coap::code_text(each.message.code);
    }
}

TEST(Failure, F42_UpdatesAreAnsweredAtOnceAndTwiceTheSame) {
    World world({.link = {.duplicate = 0.3, .delay = 500ms}, .quirks = stock({}), .lifetime = 20s});
    expect_updated(world);
    std::size_t updates = 0;
    std::size_t answers = 0;
    for (const auto& update : from_device(world, true)) {
        ++updates;
        const auto before = answers;
        for (const auto& each : world.wire) {
            if (each.from != World::server_address || each.message.type != coap::Type::ack ||
                each.message.id != update.message.id || each.when < update.when)
                continue;
            EXPECT_EQ(each.message.code, coap::Code::changed);
            EXPECT_EQ(each.message.token, update.message.token);
            // Its way here, and not a moment more.
            if (answers++ == before) {
                EXPECT_EQ(to_ms(each.when - update.when), 500ms);
            }
        }
        EXPECT_GT(answers, before) << "an Update without an answer";
    }
    EXPECT_GE(updates, 3u);
    EXPECT_GT(answers, updates) << "no copy arrived";
}

TEST(Failure, F43_AnIdentitySpeaksForItsOwnEndpointOnly) {
    World world({.quirks = stock({})});
    push_until(world, 20 * 1024);
    std::string id;
    for (const auto& each : world.wire)
        if (each.message.code == coap::Code::created) id = each.message.texts(coap::OptionNumber::location_path).at(1);
    VirtualEndpoint thief(world.network, "10.9.9.9:1");
    std::vector<coap::Code> answers;
    boost::asio::co_spawn(
        world.io,
        [&]() -> boost::asio::awaitable<void> {
            ports::Credentials credentials{"identity-2", Secret<Bytes>(Bytes(16, 8))};
            auto connecting = thief.connect(World::server_address, std::move(credentials));
            const auto peer = co_await std::move(connecting);
            if (!peer) co_return;
            auto take_over = coap::make_request(coap::Code::post, "/rd");
            take_over.add(coap::OptionNumber::uri_query, std::string("ep=") + World::endpoint);
            for (auto request : {take_over, coap::make_request(coap::Code::post, "/rd/" + id),
                                 coap::make_request(coap::Code::del, "/rd/" + id)}) {
                const auto reply = co_await thief.exchange(*peer, std::move(request), coap::Retry{});
                answers.push_back(reply ? reply->message.code : coap::Code::empty);
            }
        },
        boost::asio::detached);
    ASSERT_TRUE(world.run_until([&] { return answers.size() == 3; }, 60s));
    for (const auto code : answers) EXPECT_EQ(code, coap::Code::forbidden);
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);
}

TEST(Failure, F44_AFetchInAnySizeFromAnyBlockEnds) {
    for (const auto& quirks : {QuirkSet{Quirk::pull_szx_64, Quirk::pull_restarts}, QuirkSet{Quirk::pull_no_block2},
                               stock({Quirk::pull_szx_1024, Quirk::pull_restarts})}) {
        World world({.seed = 3, .link = {.loss = 0.05, .delay = 150ms}, .quirks = quirks});
        world.policy.method = update::Method::pull;
        expect_updated(world);
    }
}

TEST(Failure, F45_PathsOutsideAsciiAreRead) {
    const auto folder = std::filesystem::temp_directory_path() / std::filesystem::path(u8"fotactl-Übertragung-测试-é") /
                        std::to_string(::getpid());
    std::filesystem::create_directories(folder);
    std::ofstream(folder / std::filesystem::path(u8"zéphyr 签名.bin")) << "image";
    {
        const auto utf8 = folder.u8string();
        auto tree = adapters::DiskFileTree::open(std::string(utf8.begin(), utf8.end()));
        ASSERT_TRUE(tree) << tree.error().text();
        const std::u8string name = u8"zéphyr 签名.bin";
        const auto bytes = tree->read(std::string(name.begin(), name.end()), 100);
        ASSERT_TRUE(bytes) << bytes.error().text();
        EXPECT_EQ(as_text(*bytes), "image");
        EXPECT_EQ(tree->list("").size(), 1u);
    }
    std::filesystem::remove_all(folder);
}
