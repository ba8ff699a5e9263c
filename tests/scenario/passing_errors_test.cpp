// Errors that pass: one answer of 5.00, 4.04 or a reset at the wrong moment ends no update, and what a device lacks is
// not looked for long.
#include "tests/scenario/wire.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using update::Outcome;
using virtdev::Quirk;

namespace {

bool is_read(const coap::Message& message, const std::string& path = "") {
    return message.code == coap::Code::get && (path.empty() || message.path() == path);
}

struct Passing {
    const char* name;
    coap::Message answer;
};
std::vector<Passing> passing() {
    return {{"5.00", answer_of(coap::Code::internal_server_error)},
            {"5.02", answer_of(coap::Code::bad_gateway)},
            {"4.29", answer_of(static_cast<coap::Code>(4 << 5 | 29))},
            {"4.04", answer_of(coap::Code::not_found)},
            {"a reset", reset()}};
}

/// Answers the first reads that are meant in the place of the device.
void spoil(World& world, int times, const coap::Message& with,
           std::function<bool(const World&, const coap::Message&)> which) {
    answer_instead(world,
                   [&world, times, with, which = std::move(which), last = std::optional<std::uint16_t>()](
                       const coap::Message& request) mutable -> std::optional<coap::Message> {
                       if (times == 0 || !which(world, request)) return std::nullopt;
                       if (request.id != last) --times;
                       last = request.id;
                       return with;
                   });
}

bool rebooted(const World& world) {
    return from_device(world, false).size() > 1;
}

}  // namespace

TEST(PassingError, AtPlanningRefusesNothing) {
    for (const auto& [name, answer] : passing())
        for (const char* path : {"", "/5/0/3", "/5/0/5", "/3/0/3"}) {
            SCOPED_TRACE(fmt::format("{} {}", name, path));
            World world({.quirks = stock({}), .image_bytes = 6 * 1024, .secure = false});
            spoil(world, 2, answer,
                  [path](const World&, const coap::Message& request) { return is_read(request, path); });
            expect_updated(world);
        }
}

TEST(PassingError, AtTheFirstReadsAfterTheRebootFailsNoUpdateThatRuns) {
    for (const auto& [name, answer] : passing())
        for (const int times : {1, 3, 30}) {
            SCOPED_TRACE(fmt::format("{} {} times", name, times));
            World world({.quirks = stock({}), .image_bytes = 6 * 1024, .secure = false});
            spoil(world, times, answer,
                  [](const World& now, const coap::Message& request) { return rebooted(now) && is_read(request); });
            expect_updated(world);
        }
}

TEST(PassingError, AnEmptyVersionAfterTheRebootIsAskedForAgain) {
    World world({.quirks = stock({}), .image_bytes = 6 * 1024, .secure = false});
    auto empty = answer_of(coap::Code::content);
    empty.set_format(coap::Format::text);
    spoil(world, 6, empty,
          [](const World& now, const coap::Message& request) { return rebooted(now) && is_read(request, "/3/0/3"); });
    expect_updated(world);
}

TEST(PassingError, AtStateAfterTheTransferDoesNotSendTheImageAgain) {
    for (const auto& [name, answer] : passing()) {
        SCOPED_TRACE(name);
        World world({.quirks = stock({}), .image_bytes = 6 * 1024, .secure = false});
        spoil(world, 2, answer, [](const World& now, const coap::Message& request) {
            return !now.states.empty() && now.states.back().first == lwm2m::State::downloaded &&
                   is_read(request, "/5/0/3");
        });
        const auto report = expect_updated(world);
        EXPECT_EQ(report.bytes_sent, world.new_image.size());
    }
}

TEST(PassingError, WhatADeviceLacksCostsOneQuestion) {
    for (const auto code : {coap::Code::not_found, coap::Code::method_not_allowed}) {
        World world({.quirks = stock({}), .image_bytes = 6 * 1024, .secure = false});
        answer_instead(world, [code](const coap::Message& request) -> std::optional<coap::Message> {
            if (is_read(request, "/5/0/9") || is_read(request, "/5/0/8") || is_read(request, "/3/0/1"))
                return answer_of(code);
            return std::nullopt;
        });
        expect_updated(world);
        EXPECT_EQ(requests(world, coap::Code::get, "/5/0/9").size(), 1u);
    }
    // A mandatory one is looked for longer, but only the first time.
    World world({.image_bytes = 6 * 1024, .secure = false});
    answer_instead(world, [](const coap::Message& request) -> std::optional<coap::Message> {
        if (is_read(request, "/5/0/5")) return answer_of(coap::Code::not_found);
        return std::nullopt;
    });
    const auto report = expect_updated(world);
    EXPECT_LT(report.elapsed, Milliseconds(60s));
}

TEST(PassingError, ThatStaysIsNamedAfterABoundedTime) {
    for (const auto& [name, answer] : passing()) {
        SCOPED_TRACE(name);
        World world({.quirks = stock({}), .image_bytes = 6 * 1024, .secure = false});
        spoil(world, 1'000'000, answer,
              [](const World&, const coap::Message& request) { return is_read(request, "/5/0/3"); });
        const auto report = world.push();
        ASSERT_TRUE(report.error) << text(report);
        EXPECT_EQ(report.error->code(), Errc::device_refused) << text(report);
        EXPECT_LT(report.elapsed, Milliseconds(2min));
        EXPECT_EQ(world.blocks_taken, 0u);
    }
}

TEST(PassingError, NonsenseIsTheDevicesFaultNotAFiles) {
    for (const char* path : {"/5/0/3", "/5/0/5"}) {
        World world({.quirks = stock({}), .image_bytes = 6 * 1024, .secure = false});
        spoil(world, 1'000'000, answer_of(coap::Code::content, "abc"),
              [path](const World&, const coap::Message& request) { return is_read(request, path); });
        const auto report = world.push();
        ASSERT_TRUE(report.error) << text(report);
        EXPECT_EQ(report.error->code(), Errc::device_refused) << text(report);
    }
}

/// The revert is behind the answers that tell nothing: seen as soon as they pass, after the soak's time as well, and
/// never taken for good while they last.
TEST(PassingError, ThatOutlastsASoakIsNoProof) {
    for (const bool passes : {true, false}) {
        SCOPED_TRACE(passes ? "passes" : "lasts");
        World world({.quirks = stock({Quirk::revert}), .image_bytes = 6 * 1024, .secure = false});
        world.policy.soak = 10min;
        auto until = Instant::max();
        spoil(world, 1'000'000, answer_of(coap::Code::internal_server_error),
              [&](const World& now, const coap::Message& request) {
                  return now.step == update::Step::soak && is_read(request) && now.clock.now() < until;
              });
        world.start_push();
        ASSERT_TRUE(world.run_until([&] { return world.step == update::Step::soak; }));
        if (passes) until = world.clock.now() + 12min;
        const auto report = world.finish();
        ASSERT_TRUE(report);
        EXPECT_EQ(report->outcome, passes ? Outcome::rolled_back : Outcome::failed) << text(*report);
        EXPECT_EQ(report->error->code(), passes ? Errc::rolled_back : Errc::not_proven) << text(*report);
    }
}
