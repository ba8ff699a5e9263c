// How long a device in queue mode listens is learnt from what it answers, in transfers as well, and one lost datagram
// is no closed window.
#include "tests/scenario/wire.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using update::Outcome;
using virtdev::Quirk;

namespace {

/// A device that wakes every 15 minutes for 10 s, registered, and nobody who pushes.
struct Sleeper : World {
    Sleeper() : World({.quirks = stock({Quirk::queue_mode}), .old_version = "2.0.0", .lifetime = 900s}) {
        policy.downgrade_reason = "none";
        start_push();
        EXPECT_TRUE(finish());
        EXPECT_EQ(report->outcome, Outcome::already_installed);
    }
    ports::DeviceLink& link() { return server().device(endpoint); }
    void await_waking() {
        const auto before = link().awake_serial();
        ASSERT_TRUE(run_until([&] { return link().awake_serial() > before; }));
    }
    void pass(Milliseconds span) {
        const auto until = clock.now() + span;
        clock.at(until, [] {});
        run_until([&] { return clock.now() >= until; });
    }
    /// Whether it answers, this long after it woke.
    bool answers_after(Milliseconds span) {
        await_waking();
        pass(span);
        return answers();
    }
    bool answers() {
        std::optional<bool> out;
        boost::asio::co_spawn(
            io,
            [&]() -> boost::asio::awaitable<void> {
                const auto answer = co_await link().read(lwm2m::firmware::state, lwm2m::Format::text);
                out = answer.has_value();
            },
            boost::asio::detached);
        EXPECT_TRUE(run_until([&] { return out.has_value(); }));
        return out.value_or(false);
    }
    /// Whether it is taken to be asleep, this long after it woke.
    bool asleep_after(Milliseconds span) {
        await_waking();
        pass(span);
        return link().asleep();
    }
};

}  // namespace

TEST(Queue, ItsWindowIsLearntFromTwoSilences) {
    Sleeper world;
    EXPECT_FALSE(world.asleep_after(60s)) << "nothing is known of it yet";
    EXPECT_FALSE(world.answers_after(30s));
    EXPECT_FALSE(world.asleep_after(40s)) << "one lost question is not a closed window";
    EXPECT_FALSE(world.answers_after(20s));
    EXPECT_TRUE(world.asleep_after(40s));
    EXPECT_FALSE(world.asleep_after(8s));
    EXPECT_TRUE(world.answers_after(8s));
}

TEST(Queue, ALostQuestionDoesNotCloseAWindowThatWasSeenOpen) {
    Sleeper world;
    EXPECT_TRUE(world.answers_after(9s));
    for (int i = 0; i < 3; ++i) {
        world.await_waking();
        world.pass(6s);
        world.network.blackouts.push_back({world.clock.now(), world.clock.now() + 2min});
        EXPECT_FALSE(world.answers());
        EXPECT_FALSE(world.asleep_after(8s)) << "it answered after 9 s";
    }
}

TEST(Queue, QuestionsOfOneOutageAreOneSign) {
    Sleeper world;
    world.await_waking();
    world.network.blackouts.push_back({world.clock.now(), world.clock.now() + 10min});
    world.pass(1s);
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(world.answers());
    EXPECT_FALSE(world.asleep_after(60s));
}

TEST(Queue, TransfersLearnToo) {
    // Nothing but the transfer speaks with it, and its link fails twice in the middle.
    World world({.quirks = stock({Quirk::queue_mode}), .lifetime = 900s});
    world.policy.stall = 2h;
    push_until(world, 8 * 1024);
    auto& link = world.server().device(World::endpoint);
    for (int i = 0; i < 2; ++i) {
        const auto progress = world.last_progress;
        world.network.blackouts.push_back({world.clock.now(), world.clock.now() + 5min});
        const auto before = link.awake_serial();
        ASSERT_TRUE(world.run_until([&] { return link.awake_serial() > before; }));
        ASSERT_TRUE(world.run_until([&] { return world.last_progress > progress + 4096; }));
    }
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);
    // A block that is sent five times takes 62 s; the one after it was the first question in the silence.
    const auto before = link.awake_serial();
    ASSERT_TRUE(world.run_until([&] { return link.awake_serial() > before; }));
    const auto until = world.clock.now() + 80s;
    world.clock.at(until, [] {});
    world.run_until([&] { return world.clock.now() >= until; });
    EXPECT_TRUE(link.asleep());
}
