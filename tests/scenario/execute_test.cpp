// What becomes of an Execute that did not arrive: it is repeated as long as the device holds its package, and never
// where the update is on its way.
#include "tests/scenario/wire.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using update::Outcome;
using virtdev::Quirk;
using virtdev::QuirkSet;

namespace {

bool is_execute(const coap::Message& message) {
    return message.code == coap::Code::post && message.path() == "/5/0/2";
}

/// Nothing gets through for this long from the first Execute on, the Execute itself included.
void go_dark_at_execute(World& world, Milliseconds span) {
    world.network.filter = [&world, span, dark = std::optional<Instant>()](const auto&, const auto&,
                                                                           BytesView datagram) mutable {
        const auto message = coap::decode(datagram);
        if (!dark && message && is_execute(*message)) dark = world.clock.now() + span;
        return !dark || world.clock.now() >= *dark;
    };
}

}  // namespace

TEST(Execute, ThatFellIntoAnOutageIsRepeatedOnceTheDeviceIsHeardOf) {
    for (const auto& quirks : {QuirkSet{}, stock({}), QuirkSet{Quirk::queue_mode}})
        for (const char* profile : {"lan", "lte-m", "nb-iot"})
            for (const auto span : {20s, 40s, 50s, 240s, 600s}) {
                SCOPED_TRACE(fmt::format("{}, {} s, seed 3", profile, span.count()));
                World world({.seed = 3,
                             .quirks = quirks,
                             .image_bytes = 6 * 1024,
                             .lifetime = 900s,
                             .profile = *server::link_profile(profile)});
                go_dark_at_execute(world, span);
                const auto report = expect_updated(world);
                EXPECT_EQ(report.bytes_sent, world.new_image.size());
            }
}

TEST(Execute, ThatAPowerLossPreventedIsRepeated) {
    for (const auto& quirks : {QuirkSet{}, stock({}), QuirkSet{Quirk::queue_mode}}) {
        World world({.quirks = quirks, .image_bytes = 6 * 1024});
        int told = 0;
        drop_if(world, [&](const auto&, const auto&, const coap::Message& message) {
            return is_execute(message) && told++ == 0;
        });
        world.start_push();
        ASSERT_TRUE(world.run_until([&] { return told > 0; }));
        world.device->lose_power();
        const auto report = world.finish();
        ASSERT_TRUE(report);
        EXPECT_EQ(report->outcome, Outcome::updated) << text(*report);
        EXPECT_EQ(world.executes, 1);
    }
}

TEST(Execute, OurProcessDiesBetweenItAndItsRepetition) {
    for (const auto kill_after : {5s, 70s, 200s, 400s}) {
        SCOPED_TRACE(fmt::format("killed {} s after Execute", kill_after.count()));
        World world({.image_bytes = 6 * 1024, .lifetime = 120s});
        go_dark_at_execute(world, 240s);
        world.start_push();
        ASSERT_TRUE(world.run_until([&] { return executes_sent(world) > 0; }));
        const auto until = world.clock.now() + kill_after;
        world.run_until([&] { return world.clock.now() >= until || world.report; });
        world.kill_push();
        expect_updated(world);
    }
}

TEST(Execute, ThatWasTakenIsNotRepeatedBecauseTheRebootIsSlow) {
    // State stays 2 until the reboot, as some clients have it.
    World world({.quirks = stock({}), .image_bytes = 6 * 1024, .secure = false, .reboot_after = 4min});
    answer_instead(world, [&](const coap::Message& request) -> std::optional<coap::Message> {
        const bool waits = world.executes > 0 && running(world) != new_hash(world);
        if (waits && request.code == coap::Code::get && request.path() == "/5/0/3")
            return answer_of(coap::Code::content, "2");
        return std::nullopt;
    });
    expect_updated(world);
    EXPECT_EQ(executes_sent(world), 1u);
}

TEST(Execute, IsGivenUpWhereTheDeviceTakesItAndNeverActs) {
    World world({.quirks = stock({}), .image_bytes = 6 * 1024, .secure = false});
    answer_instead(world, [](const coap::Message& request) -> std::optional<coap::Message> {
        if (is_execute(request)) return answer_of(coap::Code::changed);
        return std::nullopt;
    });
    const auto report = world.push();
    EXPECT_EQ(report.error->code(), Errc::device_did_not_apply) << text(report);
    EXPECT_TRUE(report.error->text().contains("State 2 (downloaded)")) << text(report);
    EXPECT_EQ(executes_sent(world), 4u);
    EXPECT_LT(report.elapsed, Milliseconds(1h));
}

TEST(Execute, ABusyDeviceIsLeftAloneForAsLongAsItAsks) {
    for (const auto age : {std::optional<std::uint32_t>(2), std::optional<std::uint32_t>(20),
                           std::optional<std::uint32_t>(1'000'000), std::optional<std::uint32_t>()}) {
        SCOPED_TRACE(fmt::format("Max-Age {}", age ? std::to_string(*age) : "none"));
        World world({.quirks = stock({}), .image_bytes = 6 * 1024, .secure = false});
        int times = 4;
        std::vector<Instant> told;
        answer_instead(world, [&](const coap::Message& request) -> std::optional<coap::Message> {
            if (is_execute(request)) told.push_back(world.clock.now());
            if (!is_execute(request) || times-- <= 0) return std::nullopt;
            auto busy = answer_of(coap::Code::service_unavailable);
            if (age) busy.add_uint(coap::OptionNumber::max_age, *age);
            return busy;
        });
        expect_updated(world);
        ASSERT_EQ(told.size(), 5u);
        const auto asked = std::chrono::seconds(std::min<std::uint32_t>(age.value_or(2), 60));
        for (std::size_t i = 1; i < told.size(); ++i) EXPECT_GE(told[i] - told[i - 1], asked);
        EXPECT_LT(told.back() - told.front(), 6min);
    }
}

TEST(Execute, ADeviceThatStaysBusyIsGivenUp) {
    World world({.quirks = stock({}), .image_bytes = 6 * 1024, .secure = false});
    answer_instead(world, [](const coap::Message& request) -> std::optional<coap::Message> {
        if (is_execute(request)) return answer_of(coap::Code::service_unavailable);
        return std::nullopt;
    });
    const auto report = world.push();
    EXPECT_EQ(report.error->code(), Errc::device_refused) << text(report);
    EXPECT_TRUE(report.error->text().contains("5.03")) << text(report);
    EXPECT_LT(report.elapsed, Milliseconds(10min));
}
