// What `push --dry-run` foretells of a fetched package, beside what a device's fetch then takes on the wire.
#include "server/estimate.hpp"

#include "tests/scenario/wire.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using update::Outcome;

namespace {

/// IPv4 and UDP headers; the virtual network carries neither.
constexpr std::uint64_t around_a_datagram = 20 + 8;

}  // namespace

TEST(Estimate, OfAFetchIsWithinATenthOfItsBytesAndTime) {
    WorldOptions options;
    options.secure = false;
    options.image_bytes = 100 * 1024;
    options.link = {.delay = 100ms};
    World world(options);
    world.policy.method = update::Method::pull;
    world.start_push();
    ASSERT_TRUE(world.run_until([&] { return world.last_progress > 0; }));
    const auto begin = world.clock.now();
    const auto from = world.last_progress;
    const auto bytes = world.network.sent_bytes;
    const auto datagrams = world.network.sent;
    ASSERT_TRUE(world.run_until([&] { return world.last_progress == world.new_image.size() || world.report; }));
    const auto elapsed = to_ms(world.clock.now() - begin);
    const auto billed = world.network.sent_bytes - bytes + (world.network.sent - datagrams) * around_a_datagram;
    ASSERT_EQ(world.finish()->outcome, Outcome::updated);

    const auto whole = server::estimate_pull(world.new_image, 512, false, 200ms);
    const auto share = static_cast<double>(world.new_image.size() - from) / static_cast<double>(world.new_image.size());
    EXPECT_NEAR(static_cast<double>(whole.billed_bytes) * share / static_cast<double>(billed), 1.0, 0.1);
    EXPECT_NEAR(static_cast<double>(whole.duration.count()) * share / static_cast<double>(elapsed.count()), 1.0, 0.1);
    EXPECT_EQ(whole.blocks, (world.new_image.size() + 511) / 512);
}
