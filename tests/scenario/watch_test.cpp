// State is told where the device does so, and asked for where it does not: the same end, with fewer questions.
#include <algorithm>

#include "coap/block2_server.hpp"
#include "tests/scenario/wire.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using update::Outcome;
using virtdev::Quirk;

namespace {

/// Questions for State, those that begin an observation or end it included.
std::vector<World::Sent> questions(const World& world, std::optional<std::uint32_t> observe = {}) {
    auto all = requests(world, coap::Code::get, "/5/0/3", false);
    std::erase_if(all, [&](const auto& each) {
        return observe && each.message.uint_option(coap::OptionNumber::observe) != observe;
    });
    return all;
}
Instant when_executed(const World& world) {
    const auto all = requests(world, coap::Code::post, "/5/0/2", false);
    return all.empty() ? Instant{} : all.front().when;
}
/// When the device was seen to go to State 2.
struct Downloads {
    explicit Downloads(World& world) : world(world) {}
    bool done() {
        const bool there = world.device->objects().firmware().state() == lwm2m::State::downloaded;
        if (there && !when) when = world.clock.now();
        return world.report.has_value();
    }
    World& world;
    std::optional<Instant> when;
};

/// Serves the world's image from where our server is not.
struct FileServer {
    explicit FileServer(World& world) : image(world.new_image), end(world.network, "files.example.com:5683") {
        end.on_request([this](const ports::Peer&, const coap::Message& request) {
            const Bytes etag{1};
            coap::Answer out;
            out.message = coap::serve_block2(request, {image, etag}).message;
            return out;
        });
        world.policy.package_uri = "coap://files.example.com/app.bin";
    }
    Bytes image;
    VirtualEndpoint end;
};

}  // namespace

TEST(Watch, ALateVerdictIsToldAndNotAskedForAgainAndAgain) {
    for (const auto method : {update::Method::push, update::Method::pull}) {
        World world({.quirks = stock({Quirk::late_verdict})});
        world.policy.method = method;
        world.start_push();
        Downloads downloads(world);
        ASSERT_TRUE(world.run_until([&] { return downloads.done(); }));
        EXPECT_EQ(world.report->outcome, Outcome::updated) << text(*world.report);
        ASSERT_TRUE(downloads.when);
        EXPECT_LT(when_executed(world) - *downloads.when, 2s);
        EXPECT_EQ(questions(world, 0).size(), 1u);
        EXPECT_EQ(questions(world, 1).size(), 1u) << "it is told when it is over";
        EXPECT_LT(questions(world).size(), 12u);
        EXPECT_EQ(world.device->objects().observations(), 0u);
    }
}

TEST(Watch, NothingIsObservedWhereNothingIsWaitedForNorDuringATransfer) {
    World world({});
    expect_updated(world);
    EXPECT_TRUE(questions(world, 0).empty());
    World late({.quirks = stock({Quirk::late_verdict})});
    expect_updated(late);
    const auto last_block = blocks_sent(late).back().when;
    ASSERT_FALSE(questions(late, 0).empty());
    for (const auto& each : questions(late, 0)) EXPECT_GT(each.when, last_block);
}

TEST(Watch, AClientThatRefusesIsAskedAsBefore) {
    World world({.quirks = stock({Quirk::late_verdict, Quirk::no_observe})});
    world.start_push();
    Downloads downloads(world);
    ASSERT_TRUE(world.run_until([&] { return downloads.done(); }));
    EXPECT_EQ(world.report->outcome, Outcome::updated) << text(*world.report);
    EXPECT_LE(when_executed(world) - *downloads.when, 3s);
    EXPECT_EQ(questions(world, 0).size(), 1u);
    EXPECT_GE(questions(world).size(), 10u);
}

TEST(Watch, LostNotificationsEndNothing) {
    for (const bool external : {false, true}) {
        World world({.quirks = stock({Quirk::late_verdict}), .image_bytes = 24 * 1024, .secure = !external});
        std::optional<FileServer> files;
        if (external) files.emplace(world);
        drop_if(world, [](const auto& from, const auto&, const coap::Message& message) {
            return from != World::server_address && message.option(coap::OptionNumber::observe) &&
                   message.type == coap::Type::con && !coap::is_request(message.code);
        });
        expect_updated(world);
        EXPECT_EQ(questions(world, 0).size(), 1u);
    }
}

TEST(Watch, AFetchFromElsewhereIsToldWhenItIsOver) {
    for (const bool observes : {true, false}) {
        World world({.link = {.delay = 400ms},
                     .quirks = observes ? stock({}) : stock({Quirk::no_observe}),
                     .image_bytes = 128 * 1024,
                     .secure = false});
        FileServer files(world);
        world.start_push();
        Downloads downloads(world);
        ASSERT_TRUE(world.run_until([&] { return downloads.done(); }));
        EXPECT_EQ(world.report->outcome, Outcome::updated) << text(*world.report);
        ASSERT_TRUE(downloads.when);
        const auto waited = when_executed(world) - *downloads.when;
        if (observes) {
            EXPECT_LT(waited, 5s);
            EXPECT_LT(questions(world).size(), 14u);
        } else {
            EXPECT_LT(waited, 18s);
            EXPECT_GT(questions(world).size(), 14u);
        }
    }
}

TEST(Watch, ADeviceThatRegistersAnewIsObservedAnew) {
    World world({.link = {.delay = 400ms}, .quirks = stock({}), .image_bytes = 128 * 1024, .secure = false});
    FileServer files(world);
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.device->objects().observations() == 1; }));
    // Power is lost in the middle of the fetch: State 0, then everything again, and the old observation is no more.
    world.device->lose_power();
    ASSERT_TRUE(world.run_until([&] { return world.report.has_value(); }));
    EXPECT_EQ(world.report->outcome, Outcome::updated) << text(*world.report);
    EXPECT_EQ(questions(world, 0).size(), 2u);
}

TEST(Watch, AnInterruptedUpdateLeavesNoneBehind) {
    World world({.quirks = stock({Quirk::late_verdict})});
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.device->objects().observations() == 1; }));
    world.kill_push();
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.step == update::Step::execute; }));
    EXPECT_EQ(world.device->objects().observations(), 0u) << "before the reboot that ends them all";
    EXPECT_EQ(world.finish()->outcome, Outcome::updated);
}
