// The device fetches the package itself: from our server in its own sessions and sizes, over links that lose, through
// restarts of either side; and from a server that is not ours.
#include <fmt/format.h>

#include <algorithm>

#include "coap/block2_server.hpp"
#include "tests/scenario/wire.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using update::Outcome;
using virtdev::Quirk;

namespace {

struct PullWorld : World {
    explicit PullWorld(WorldOptions options) : World(std::move(options)) { policy.method = update::Method::pull; }
};

}  // namespace

TEST(Pull, IsProvenAndItsBlocksAreTheProgress) {
    PullWorld world({});
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
    EXPECT_TRUE(report.proven_by_hash);
    EXPECT_EQ(report.bytes_sent, world.new_image.size());
    EXPECT_EQ(report.blocks, (world.new_image.size() + 511) / 512);
    EXPECT_EQ(world.last_progress, world.new_image.size());
    EXPECT_EQ(running(world), new_hash(world));
    world.kill_push();
    EXPECT_EQ(world.push().outcome, Outcome::already_installed);
}

/// Every way of fetching must end the same, with and without a link that loses.
class EveryFetch : public testing::TestWithParam<std::string> {};
TEST_P(EveryFetch, EndsUpdated) {
    for (const bool secure : {true, false}) {
        for (const bool lossy : {false, true}) {
            SCOPED_TRACE(fmt::format("{} {}", secure ? "coaps" : "coap", lossy ? "lossy" : "clean"));
            WorldOptions options;
            options.secure = secure;
            options.quirks = virtdev::QuirkSet::parse(std::vector<std::string>{GetParam()}).value();
            if (lossy)
                options.link = {.loss = 0.05, .duplicate = 0.02, .reorder = 0.02, .delay = 150ms, .jitter = 50ms};
            options.seed = 21;
            PullWorld world(options);
            expect_updated(world);
        }
    }
}
INSTANTIATE_TEST_SUITE_P(Quirks, EveryFetch,
                         testing::Values("no-dedup", "pull-same-session", "pull-szx-64", "pull-szx-1024",
                                         "pull-no-block2", "pull-restarts", "pull-gives-up", "pull-only",
                                         "reboot-in-push", "no-external-flash-object", "no-state-persist", "no-accept",
                                         "senml-cbor-only", "lwm2m-1.0", "queue-mode"),
                         [](const auto& info) {
                             auto name = info.param;
                             for (auto& c : name)
                                 if (c == '-' || c == '.') c = '_';
                             return name;
                         });

TEST(Pull, TenSeedsAtTenPercentLossEachWay) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        SCOPED_TRACE(fmt::format("seed {}", seed));
        PullWorld world({.seed = seed, .link = {.loss = 0.10, .delay = 100ms}, .image_bytes = 128 * 1024});
        expect_updated(world);
    }
}

TEST(Pull, WithoutAMethodTheDeviceDecides) {
    World only_fetches({.quirks = {Quirk::pull_only}});
    expect_updated(only_fetches);
    World takes_both({});
    const auto pushed = takes_both.push();
    EXPECT_EQ(pushed.outcome, Outcome::updated);
    EXPECT_TRUE(std::ranges::none_of(takes_both.remarks, [](const auto& each) { return each.contains("fetches"); }));
}

TEST(Pull, ADeviceThatCannotIsRefusedBeforeAnythingIsSent) {
    PullWorld push_only({.quirks = {Quirk::push_only}});
    auto report = push_only.push();
    EXPECT_EQ(report.outcome, Outcome::refused) << text(report);
    EXPECT_EQ(report.error->code(), Errc::device_refused);
    EXPECT_EQ(push_only.states.size(), 0u);
    World pull_only({.quirks = {Quirk::pull_only}});
    pull_only.policy.method = update::Method::push;
    report = pull_only.push();
    EXPECT_EQ(report.outcome, Outcome::refused) << text(report);
    EXPECT_EQ(report.error->text(),
              "expected a device that takes pushed packages (5/x/9 is 1 or 2), found 0: it only fetches them (--method "
              "pull)");
    EXPECT_TRUE(blocks_sent(pull_only).empty());
    PullWorld coap_only({.quirks = {Quirk::pull_coap_only}});
    report = coap_only.push();
    EXPECT_EQ(report.outcome, Outcome::refused) << text(report);
    EXPECT_TRUE(report.error->text().contains("coaps")) << text(report);
}

TEST(Pull, StopsFetchingStallsAndSaysHowFarItWas) {
    PullWorld world({.quirks = {Quirk::pull_stops}});
    world.policy.stall = 10min;
    const auto report = world.push();
    EXPECT_EQ(report.error->code(), Errc::transfer_stalled) << text(report);
    EXPECT_TRUE(report.error->text().contains("bytes")) << text(report);
    // The same command afterwards: the device may still be at it, so it is not disturbed at first; then it is reset.
    EXPECT_EQ(world.store.count("closed"), 0u);
}

TEST(Pull, KilledAtAnyMomentTheSameCommandEndsUpdated) {
    for (const bool secure : {true, false}) {
        PullWorld clean({.image_bytes = 24 * 1024, .secure = secure});
        clean.start_push();
        int events = 0;
        clean.run_until([&] {
            ++events;
            return clean.report.has_value();
        });
        ASSERT_EQ(clean.report->outcome, Outcome::updated) << text(*clean.report);
        const int stride = std::max(1, events / 30);
        for (int kill_at = 1; kill_at < events; kill_at += stride) {
            SCOPED_TRACE(fmt::format("killed after event {} of {}", kill_at, events));
            PullWorld world({.image_bytes = 24 * 1024, .secure = secure});
            world.start_push();
            int count = 0;
            world.run_until([&] { return ++count >= kill_at || world.report.has_value(); });
            if (world.report) break;
            world.kill_push();
            expect_updated(world);
        }
    }
}

TEST(Pull, AFetchGoesOnAcrossOurRestart) {
    PullWorld world({.image_bytes = 256 * 1024, .secure = false});
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.last_progress > 128 * 1024; }));
    world.kill_push();
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
    EXPECT_LT(report.bytes_sent, 140u * 1024);  // the other half, not everything again
}

/// What was fetched while nobody read its State is not fetched again: neither what the standing offer served to the end
/// before the device registered anew, nor what was whole when we were killed.
TEST(Pull, AFetchThatEndsWithoutUsIsNotRepeated) {
    for (const bool whole : {false, true}) {
        SCOPED_TRACE(whole ? "killed after the last block" : "killed in the middle");
        PullWorld world(
            {.quirks = {Quirk::no_external_flash_object}, .image_bytes = 64 * 1024, .lifetime = 600s, .secure = false});
        world.start_push();
        const auto size = world.new_image.size();
        ASSERT_TRUE(world.run_until([&] { return world.last_progress >= (whole ? size : size / 2); }));
        world.kill_push();
        const auto report = world.push();
        EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
        EXPECT_EQ(std::ranges::count(world.steps, update::Step::reset), 0);
        std::uint64_t served = 0;
        for (const auto& each : world.wire)
            if (each.message.block2() && each.message.code == coap::Code::content)
                served += each.message.payload.size();
        EXPECT_LT(served, size + 4 * 512u);
    }
}

TEST(Pull, NobodyElseReadsThePackage) {
    PullWorld world({});
    std::map<std::string, Bytes> none;
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.last_progress > 0; }));
    const auto remark = std::ranges::find_if(world.remarks, [](const auto& each) { return each.contains("coaps://"); });
    ASSERT_NE(remark, world.remarks.end());
    const auto path = remark->substr(remark->find("/fw/"));
    const auto ask = [&](const std::string& identity, const std::string& where) {
        VirtualEndpoint thief(world.network, "10.9.9.9:1");
        std::optional<coap::Code> code;
        boost::asio::co_spawn(
            world.io,
            [&]() -> boost::asio::awaitable<void> {
                ports::Credentials credentials{identity, Secret<Bytes>(Bytes(16, 8))};
                auto connecting = thief.connect(World::server_address, std::move(credentials));
                const auto peer = co_await std::move(connecting);
                if (!peer) co_return;
                auto request = coap::make_request(coap::Code::get, where);
                const auto reply = co_await thief.exchange(*peer, std::move(request), coap::Retry{});
                code = reply ? reply->message.code : coap::Code::empty;
            },
            boost::asio::detached);
        world.run_until([&] { return code.has_value(); }, 30s);
        return code;
    };
    // Another device with good credentials of its own, who even knows the path.
    EXPECT_EQ(ask("identity-2", path), coap::Code::not_found);
    EXPECT_EQ(ask("identity-2", "/fw/00000000000000000000000000000000"), coap::Code::not_found);
    const auto report = world.finish();
    ASSERT_TRUE(report);
    EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);
}

TEST(Pull, TheUriFitsWhatDevicesHold) {
    PullWorld world({});
    world.policy.advertise = std::string(100, 'h') + ".example.com:5684";
    const auto report = world.push();
    ASSERT_TRUE(report.error);
    EXPECT_EQ(report.error->code(), Errc::usage) << text(report);
    EXPECT_TRUE(report.error->text().contains("127"));
}

TEST(Pull, FromAServerThatIsNotOurs) {
    for (const bool answers : {true, false}) {
        World world({.secure = false});
        world.policy.stall = 20min;
        VirtualEndpoint other(world.network, "files.example.com:5683");
        const auto image = world.new_image;
        if (answers)
            other.on_request([&](const ports::Peer&, const coap::Message& request) {
                const Bytes etag{1};
                coap::Answer out;
                out.message = coap::serve_block2(request, {image, etag}).message;
                return out;
            });
        world.policy.package_uri = "coap://files.example.com/app.bin";
        const auto report = world.push();
        if (answers) {
            EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
            EXPECT_EQ(report.bytes_sent, 0u);
        } else {
            EXPECT_EQ(report.error->code(), Errc::transfer_failed) << text(report);
        }
    }
}

TEST(Pull, AnUnknownHostSaysWhatToLookAt) {
    World world({.quirks = stock({Quirk::unknown_host}), .secure = false});
    world.policy.package_uri = "coap://fiels.example.com/app.bin";
    const auto report = world.push();
    EXPECT_EQ(report.error->code(), Errc::device_refused) << text(report);
    EXPECT_TRUE(
        report.error->text().contains("Result 8 (update failed); so do clients that cannot resolve the host: "
                                      "check fiels.example.com, and that the device has a DNS server"))
        << text(report);
}

TEST(Pull, AFetchFromElsewhereIsFollowedByWhatTheDeviceHasStored) {
    for (const bool stops : {false, true}) {
        World world({.link = {.delay = 400ms},
                     .quirks = stops ? virtdev::QuirkSet{Quirk::pull_stops} : virtdev::QuirkSet{},
                     .image_bytes = 128 * 1024,
                     .secure = false});
        world.policy.stall = 5min;
        VirtualEndpoint other(world.network, "files.example.com:5683");
        const auto image = world.new_image;
        other.on_request([&](const ports::Peer&, const coap::Message& request) {
            const Bytes etag{1};
            coap::Answer out;
            out.message = coap::serve_block2(request, {image, etag}).message;
            return out;
        });
        world.policy.package_uri = "coap://files.example.com/app.bin";
        world.start_push();
        // Something is told long before it is over.
        EXPECT_TRUE(world.run_until([&] { return world.last_progress > 10'000; }));
        EXPECT_LT(world.last_progress, 100'000u);
        const auto report = world.finish();
        ASSERT_TRUE(report);
        if (stops) {
            EXPECT_EQ(report->error->code(), Errc::transfer_stalled) << text(*report);
            EXPECT_TRUE(report->error->text().contains("bytes stored")) << text(*report);
        } else {
            EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);
        }
    }
}

TEST(Pull, ASleeperThatLosesItsLinkIsWaitedFor) {
    for (const auto span : {240s, 600s})
        for (const bool external : {false, true}) {
            SCOPED_TRACE(fmt::format("{} s, {}, seed 3", span.count(), external ? "someone else's server" : "ours"));
            World world({.seed = 3,
                         .link = {.delay = 400ms},
                         .quirks = external ? stock({Quirk::queue_mode}) : virtdev::QuirkSet{Quirk::queue_mode},
                         .image_bytes = 6 * 1024,
                         .lifetime = 900s,
                         .secure = !external});
            world.policy.method = update::Method::pull;
            world.policy.stall = 2min;
            VirtualEndpoint other(world.network, "files.example.com:5683");
            const auto image = world.new_image;
            other.on_request([&](const ports::Peer&, const coap::Message& request) {
                const Bytes etag{1};
                coap::Answer out;
                out.message = coap::serve_block2(request, {image, etag}).message;
                return out;
            });
            if (external) world.policy.package_uri = "coap://files.example.com/app.bin";
            int fetched = 0;
            std::optional<Instant> light;
            world.network.filter = [&](const auto&, const auto&, BytesView datagram) {
                const auto message = coap::decode(datagram);
                const bool block = message && message->code == coap::Code::get && message->path() != "/5/0/3" &&
                                   (message->path().starts_with("/fw/") || message->path() == "/app.bin");
                if (!light && block && ++fetched == 3) light = world.clock.now() + span;
                return !light || world.clock.now() >= *light;
            };
            expect_updated(world);
            EXPECT_TRUE(remarked(world, "waiting for its next registration update"));
        }
}
