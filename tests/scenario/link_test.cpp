// What a transfer makes of its link: the loss matrix, how near it comes to one round trip per block, what it costs on
// the bill, and whether the dry run predicts both.
#include <fmt/format.h>

#include "server/estimate.hpp"
#include "tests/scenario/world.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using update::Outcome;

namespace {

/// What an operator bills besides the CoAP message, which alone is on the virtual network. Written down from the RFCs,
/// not from the prediction that is tested against it; DtlsRecord measures the records of the real socket.
constexpr std::uint64_t ipv4_header = 20;               // RFC 791, without options
constexpr std::uint64_t udp_header = 8;                 // RFC 768
constexpr std::uint64_t record_header = 1 + 2 + 8 + 2;  // RFC 6347 4.1: type, version, epoch and sequence, length
constexpr std::uint64_t explicit_nonce = 8;             // RFC 5288 and 6655: half of the nonce is sent
constexpr std::uint64_t ccm_8_tag = 8;                  // RFC 6655
constexpr std::uint64_t around_a_datagram(bool secure) {
    return ipv4_header + udp_header + (secure ? record_header + explicit_nonce + ccm_8_tag : 0);
}

struct Weather {
    double loss;
    Milliseconds delay;
    double reorder;
    double duplicate;
    Milliseconds blackout;

    std::string text() const {
        return fmt::format("loss {:.0f} % each way, delay {} ms, reorder {:.0f} %, duplicate {:.0f} %, blackouts {} s",
                           loss * 100, delay.count(), reorder * 100, duplicate * 100, blackout.count() / 1000);
    }
};

struct Tally {
    int runs = 0;
    int updated = 0;
    int wrong_image = 0;
    Milliseconds elapsed{0};
};

/// One push of 400 KiB through the weather. Blackouts come at random, three of them within the first ten minutes.
void push_once(const Weather& weather, std::uint64_t seed, Tally& tally) {
    WorldOptions options;
    options.seed = seed;
    options.image_bytes = 400 * 1024;
    options.link = {.loss = weather.loss,
                    .duplicate = weather.duplicate,
                    .reorder = weather.reorder,
                    .delay = weather.delay,
                    .jitter = weather.delay / 4};
    World world(options);
    if (weather.blackout > 0ms)
        for (int i = 0; i < 3; ++i) {
            const auto begin = world.clock.now() + Milliseconds(world.network.random() % 600'000);
            world.network.blackouts.emplace_back(begin, begin + weather.blackout);
        }
    const auto report = world.push();
    const auto running = world.board->running()->hash;
    const auto hash_of = [](const Bytes& image) { return to_bytes(image::parse(image)->hash(image)); };
    ++tally.runs;
    tally.elapsed += report.elapsed;
    tally.updated += report.outcome == Outcome::updated;
    const bool as_reported = report.outcome == Outcome::updated
                                 ? running == hash_of(world.new_image)
                                 : running == hash_of(world.new_image) || running == hash_of(world.old_image);
    tally.wrong_image += !as_reported;
    if (report.outcome != Outcome::updated)
        fmt::print("seed {} ({}): {} {}\n", seed, weather.text(), update::outcome_name(report.outcome),
                   report.error ? report.error->text() : "");
}

std::vector<Weather> weathers(double loss) {
    std::vector<Weather> all;
    for (const auto delay : {50ms, 300ms, 1500ms})
        for (const double reorder : {0.0, 0.1})
            for (const double duplicate : {0.0, 0.1})
                for (const auto blackout : {0ms, 5'000ms, 60'000ms})
                    all.push_back({loss, delay, reorder, duplicate, blackout});
    return all;
}

/// `stride`: every how many weathers; `seeds`: pushes for each.
void loss_matrix(std::size_t stride, std::uint64_t seeds) {
    for (const double loss : {0.0, 0.05, 0.10, 0.20, 0.30}) {
        Tally tally;
        const auto all = weathers(loss);
        for (std::size_t i = 0; i < all.size(); i += stride)
            for (std::uint64_t seed = 1; seed <= seeds; ++seed) push_once(all[i], 1'000 * i + seed, tally);
        fmt::print("loss {:2.0f} % each way: {} of {} updated in {} s on average (seeds 1000 * weather + 1..{})\n",
                   loss * 100, tally.updated, tally.runs, tally.elapsed.count() / 1000 / tally.runs, seeds);
        EXPECT_EQ(tally.wrong_image, 0);
        if (loss <= 0.20)
            EXPECT_EQ(tally.updated, tally.runs);
        else
            EXPECT_GE(tally.updated * 100, tally.runs * 99);
    }
}

struct Measured {
    double round_trips_per_block = 0;
    double billed_per_byte = 0;
    double predicted_time = 0;  ///< prediction over what was measured
    double predicted_bill = 0;
};

/// The transfer alone, from the first block to the answer to the last, at a round trip of 200 ms.
Measured transfer(double loss, std::uint32_t block_size, std::uint64_t seed, bool secure = true) {
    WorldOptions options;
    options.secure = secure;
    options.seed = seed;
    options.image_bytes = 400 * 1024;
    options.link = {.loss = loss, .delay = 100ms};
    World world(options);
    world.policy.block_size = block_size;
    world.start_push();
    EXPECT_TRUE(world.run_until([&] { return world.step == update::Step::deliver; }));
    const auto begin = world.clock.now();
    // Every datagram of either side as it is, acknowledgements included.
    std::uint64_t billed = 0;
    world.network.tap = [&](const auto&, const auto&, BytesView datagram) {
        billed += datagram.size() + around_a_datagram(secure);
    };
    EXPECT_TRUE(world.run_until([&] { return world.step > update::Step::deliver || world.report; }));
    const auto elapsed = to_ms(world.clock.now() - begin);
    world.network.tap = {};
    EXPECT_EQ(world.finish()->outcome, Outcome::updated);
    const auto estimate = server::estimate_push(world.new_image, block_size, secure, 200ms);
    Measured out;
    const auto size = static_cast<double>(world.new_image.size());
    out.round_trips_per_block = static_cast<double>(elapsed.count()) / 200.0 / estimate.blocks;
    out.billed_per_byte = static_cast<double>(billed) / size;
    out.predicted_time = static_cast<double>(estimate.duration.count()) / static_cast<double>(elapsed.count());
    out.predicted_bill = static_cast<double>(estimate.billed_bytes) / static_cast<double>(billed);
    return out;
}

/// One push over a link that is as slow as this and loses nothing.
update::Report slow_push(const char* profile, Milliseconds round_trip, std::uint64_t seed) {
    WorldOptions options;
    options.seed = seed;
    options.image_bytes = 100 * 1024;
    options.link = {.delay = round_trip / 2};
    options.profile = *server::link_profile(profile);
    World world(options);
    const auto report = world.push();
    fmt::print("{:7} {:5} ms, seed {}: {} blocks, {} resent, {:.3f} times the image, {} s\n", profile,
               round_trip.count(), seed, report.blocks, report.retransmissions,
               static_cast<double>(report.bytes_sent) / static_cast<double>(world.new_image.size()),
               report.elapsed.count() / 1000);
    return report;
}

}  // namespace

TEST(Link, TheLossMatrixEndsUpdated) {
    loss_matrix(7, 1);
}

TEST(LongLink, TheWholeLossMatrixEndsUpdated) {
    loss_matrix(1, 10);
}

TEST(Link, WithoutLossEveryBlockTakesOneRoundTripAndTheBillIsAsPredicted) {
    for (const auto& [block_size, bill] : {std::pair{1024u, 1.18}, std::pair{512u, 1.33}}) {
        const auto measured = transfer(0, block_size, 1);
        fmt::print(
            "{} bytes a block: {:.3f} round trips a block, {:.3f} bytes billed per image byte; predicted {:.3f} "
            "of the time, {:.3f} of the bill\n",
            block_size, measured.round_trips_per_block, measured.billed_per_byte, measured.predicted_time,
            measured.predicted_bill);
        EXPECT_LE(measured.round_trips_per_block, 1.02);
        EXPECT_LE(measured.billed_per_byte, bill);
        EXPECT_NEAR(measured.predicted_time, 1.0, 0.1);
        EXPECT_NEAR(measured.predicted_bill, 1.0, 0.1);
        EXPECT_NEAR(transfer(0, block_size, 1, false).predicted_bill, 1.0, 0.1) << "in clear";
    }
}

TEST(Link, WithTwoPercentLossEachWayABlockTakesAQuarterLongerAtMost) {
    double sum = 0, worst = 0;
    constexpr int seeds = 10;
    for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
        const auto one = transfer(0.02, 1024, seed).round_trips_per_block;
        sum += one;
        worst = std::max(worst, one);
    }
    fmt::print("2 % each way, seeds 1..{}: {:.3f} round trips a block on average, {:.3f} at worst\n", seeds,
               sum / seeds, worst);
    EXPECT_LE(sum / seeds, 1.25);
}

TEST(Link, ASlowLinkThatLosesNothingIsLearntWithinAFewBlocks) {
    struct Slow {
        const char* profile;
        Milliseconds round_trip;
    };
    for (const auto& [profile, round_trip] : std::vector<Slow>{{"lte-m", 800ms},
                                                               {"lte-m", 3s},
                                                               {"lte-m", 5s},
                                                               {"lte-m", 12s},
                                                               {"lan", 800ms},
                                                               {"lan", 1'200ms},
                                                               {"lan", 5s},
                                                               {"nb-iot", 3s},
                                                               {"nb-iot", 12s},
                                                               {"nb-iot", 20s}}) {
        const auto report = slow_push(profile, round_trip, 3);
        EXPECT_EQ(report.outcome, Outcome::updated);
        EXPECT_LE(report.retransmissions, 4u) << profile << ' ' << round_trip.count();
    }
}

TEST(Link, ALinkThatBecomesSlowIsLearntAnewAlsoWhereItLooksLikeLoss) {
    // With the timeout at its floor of 1 s, answers after 3.2 s come 0.2 s after the third copy: just as soon as they
    // did before.
    for (const auto slow : {3'000ms, 3'200ms, 12'000ms}) {
        World world({.seed = 3, .image_bytes = 100 * 1024, .profile = *server::link_profile("lte-m")});
        // Just before a block leaves: none is halfway when it happens.
        world.network.filter = [&](const auto& from, const auto&, BytesView) {
            if (from == World::server_address && world.last_progress > 20 * 1024) world.network.model.delay = slow / 2;
            return true;
        };
        const auto report = world.push();
        fmt::print("lte-m 200 ms, then {} ms, seed 3: {} blocks, {} resent\n", slow.count(), report.blocks,
                   report.retransmissions);
        EXPECT_EQ(report.outcome, Outcome::updated);
        EXPECT_LE(report.retransmissions, 20u);
    }
}
