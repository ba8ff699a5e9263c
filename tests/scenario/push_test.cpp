// The main job in virtual time: every end an update can have, resumption after a kill at every step, and lossy links.
#include "tests/scenario/wire.hpp"

#include <fmt/format.h>

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using update::Outcome;

TEST(Push, IsProvenAndTheSecondTimeAlreadyInstalled) {
    World world({});
    const auto first = world.push();
    EXPECT_EQ(first.outcome, Outcome::updated) << text(first);
    EXPECT_EQ(first.from_version, "1.0.0+0");
    EXPECT_EQ(first.to_version, "2.0.0");
    EXPECT_TRUE(first.proven_by_hash);
    EXPECT_EQ(first.bytes_sent, world.new_image.size());
    EXPECT_EQ(first.blocks, (world.new_image.size() + 511) / 512);
    EXPECT_EQ(first.retransmissions, 0u);
    EXPECT_EQ(running(world), new_hash(world));
    EXPECT_EQ(world.executes, 1);
    world.kill_push();
    const auto second = world.push();
    EXPECT_EQ(second.outcome, Outcome::already_installed) << text(second);
    EXPECT_EQ(second.bytes_sent, 0u);
    EXPECT_EQ(world.executes, 1);
}

TEST(Push, RefusesADowngradeBeforeItSendsAnything) {
    World world({.old_version = "3.0.0"});
    const auto refused = world.push();
    EXPECT_EQ(refused.outcome, Outcome::refused) << text(refused);
    EXPECT_EQ(refused.error->code(), Errc::downgrade_refused);
    EXPECT_EQ(world.blocks_taken, 0u);
    world.kill_push();
    world.policy.downgrade_reason = "field return";
    EXPECT_EQ(world.push().outcome, Outcome::updated);
}

TEST(Push, NoDeviceIsAbsent) {
    World world({});
    world.network.filter = [](const auto&, const auto&, BytesView) { return false; };
    world.policy.wait = 10min;
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::absent) << text(report);
    world.network.filter = {};
}

TEST(Push, ARevertIsRolledBack) {
    for (auto quirk : {virtdev::Quirk::revert_unseen, virtdev::Quirk::executes_without_update}) {
        World world({.quirks = {quirk}});
        const auto report = world.push();
        EXPECT_EQ(report.outcome, Outcome::rolled_back) << text(report);
        EXPECT_EQ(running(world), to_bytes(image::parse(world.old_image)->hash(world.old_image)));
    }
}

TEST(Push, ALateRevertIsSeenInTheSoak) {
    World world({.quirks = {virtdev::Quirk::revert}});
    world.policy.soak = 10min;
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::rolled_back) << text(report);
}

TEST(Push, ADeviceThatNeverReturnsDidNotApply) {
    World world({.quirks = {virtdev::Quirk::silent_after_execute}});
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::failed) << text(report);
    EXPECT_EQ(report.error->code(), Errc::device_did_not_apply);
}

/// Every client behaviour that must still end in a proven update.
class EveryClient : public testing::TestWithParam<std::string> {};
TEST_P(EveryClient, EndsUpdated) {
    const std::vector<std::string> names{GetParam()};
    for (const bool lossy : {false, true}) {
        WorldOptions options;
        options.quirks = virtdev::QuirkSet::parse(names).value();
        if (lossy) options.link = {.loss = 0.05, .duplicate = 0.02, .reorder = 0.02, .delay = 150ms, .jitter = 50ms};
        options.seed = 11;
        World world(options);
        if (GetParam() == "version-odd") world.policy.expect_version = "2.0.0";
        const auto report = world.push();
        EXPECT_EQ(report.outcome, Outcome::updated) << GetParam() << (lossy ? " lossy: " : ": ") << text(report);
        EXPECT_EQ(running(world), new_hash(world));
        EXPECT_EQ(world.executes, 1);
    }
}
INSTANTIATE_TEST_SUITE_P(Quirks, EveryClient,
                         testing::Values("no-dedup", "last-block-404", "size1-required", "smaller-szx", "413-no-hint",
                                         "413-hint", "separate-response", "slow-erase", "gap-ends-transfer",
                                         "503-after-retransmission", "busy-during-push", "no-update-in-push",
                                         "reboot-in-push", "reset-in-idle", "nul-completes", "no-uri-reset",
                                         "lost-execute-ack", "no-state-persist", "self-confirm-result-8", "same-port",
                                         "no-external-flash-object", "version-dash", "lwm2m-1.0", "no-accept",
                                         "queue-mode", "late-first-answer", "first-block-fails", "silent-duplicates",
                                         "token-context", "keeps-old-context", "wrong-echo", "early-success",
                                         "connection-lost-once", "deregisters", "stale-result", "auto-upgrade",
                                         "firmware-object-1.1", "lwm2m-1.2", "alternate-root", "blocked-register",
                                         "upgradable-bootloader", "restart-spoils", "skips-written", "early-end-aborts",
                                         "echo-without-more", "late-verdict", "reads-in-blocks", "senml-cbor-only"),
                         [](const auto& info) {
                             auto name = info.param;
                             for (auto& c : name)
                                 if (c == '-' || c == '.') c = '_';
                             return name;
                         });

TEST(Push, EndsThatAreNoUpdateHaveTheirOwnOutcome) {
    const auto end = [](virtdev::Quirk quirk) {
        World world({.quirks = {quirk}});
        return world.push();
    };
    EXPECT_EQ(end(virtdev::Quirk::defer).outcome, Outcome::deferred);
    const auto rejected = end(virtdev::Quirk::reject_package);
    EXPECT_EQ(rejected.outcome, Outcome::failed);
    EXPECT_EQ(rejected.error->code(), Errc::device_refused) << text(rejected);
    const auto odd = end(virtdev::Quirk::version_odd);
    EXPECT_EQ(odd.outcome, Outcome::updated) << text(odd);  // its image hash proves it
}

TEST(Push, KilledAtAnyMomentTheSameCommandEndsUpdated) {
    // Where a run can be: the number of virtual events after which it is killed, spread over the whole update.
    World clean({.image_bytes = 24 * 1024});
    clean.start_push();
    int events = 0;
    clean.run_until([&] {
        ++events;
        return clean.report.has_value();
    });
    ASSERT_EQ(clean.report->outcome, Outcome::updated);
    const int stride = std::max(1, events / 60);
    for (int kill_at = 1; kill_at < events; kill_at += stride) {
        SCOPED_TRACE(fmt::format("killed after event {} of {}", kill_at, events));
        World world({.image_bytes = 24 * 1024});
        world.start_push();
        int count = 0;
        world.run_until([&] { return ++count >= kill_at || world.report.has_value(); });
        if (world.report) break;
        const auto step = world.step;
        world.kill_push();
        const auto report = world.push();
        EXPECT_EQ(report.outcome, Outcome::updated) << text(report) << " after a kill in " << update::step_name(step);
        EXPECT_EQ(world.executes, 1);
        EXPECT_EQ(running(world), new_hash(world));
        if (step == update::Step::execute || step == update::Step::await_return) {
            EXPECT_EQ(report.bytes_sent, 0u);
        }
        EXPECT_EQ(report.from_version, "1.0.0+0");
    }
}

TEST(Push, AKilledTransferIsContinuedNotRepeated) {
    for (const bool companion : {true, false}) {
        World world(
            {.quirks = companion ? virtdev::QuirkSet{} : virtdev::QuirkSet{virtdev::Quirk::no_external_flash_object},
             .image_bytes = 128 * 1024,
             .lifetime = 60s});
        world.start_push();
        ASSERT_TRUE(world.run_until([&] { return world.last_progress > 100 * 1024; }));
        world.kill_push();
        const auto report = world.push();
        EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
        if (companion) {
            EXPECT_LT(report.bytes_sent, 40u * 1024);
        }
    }
}

TEST(Push, AStoreThatFailsStopsBeforeTheAct) {
    World world({});
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.step == update::Step::deliver; }));
    world.store.failing = true;
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->error->code(), Errc::store_failed) << text(*report);
    EXPECT_EQ(world.executes, 0);
    world.store.failing = false;
}

TEST(Push, TwentySeedsAtTenPercentLossEachWay) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        World world({.seed = seed, .link = {.loss = 0.10, .delay = 100ms}, .image_bytes = 256 * 1024});
        const auto report = world.push();
        EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
        EXPECT_EQ(running(world), new_hash(world));
        EXPECT_GT(world.network.lost, 50u);
        EXPECT_GT(report.retransmissions, 50u);
        EXPECT_EQ(world.executes, 1);
    }
}

TEST(Push, SilenceForHoursIsAPauseUntilTheStallLimit) {
    World world({});
    world.policy.stall = 3h;
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.last_progress > 20 * 1024; }));
    world.network.blackouts.push_back({world.clock.now(), world.clock.now() + 2h});
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);

    World short_patience({});
    short_patience.policy.stall = 5min;
    short_patience.start_push();
    ASSERT_TRUE(short_patience.run_until([&] { return short_patience.last_progress > 20 * 1024; }));
    short_patience.network.blackouts.push_back({short_patience.clock.now(), short_patience.clock.now() + 2h});
    const auto stalled = short_patience.finish();
    ASSERT_TRUE(stalled);
    EXPECT_EQ(stalled->error->code(), Errc::transfer_stalled) << text(*stalled);
}
