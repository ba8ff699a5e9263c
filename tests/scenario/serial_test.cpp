// Updates over a cable in virtual time, and what goes wrong on the way.
#include "tests/scenario/serial_bench.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using update::Outcome;
using virtdev::SmpQuirk;

namespace {

using Bench = SerialBench;

}  // namespace

TEST(Serial, IsProvenConfirmedAndTheSecondTimeAlreadyInstalled) {
    Bench bench;
    const auto first = bench.update();
    EXPECT_EQ(first.outcome, Outcome::updated) << text(first);
    EXPECT_TRUE(first.proven_by_hash);
    EXPECT_EQ(bench.running(), "2.0.0");
    EXPECT_TRUE(bench.board->confirmed().value());
    EXPECT_EQ(bench.swaps, 1);
    EXPECT_EQ(first.retransmissions, 0u);
    const auto requests = bench.machine->requests();
    const auto second = bench.update();
    EXPECT_EQ(second.outcome, Outcome::already_installed) << text(second);
    EXPECT_EQ(second.bytes_sent, 0u);
    EXPECT_LT(bench.machine->requests() - requests, 6u);
    EXPECT_EQ(bench.swaps, 1);
}

TEST(Serial, GoesOnWhereItWasWhenTheCableIsPulledAndPutBack) {
    for (const bool recovery : {false, true}) {
        Bench bench({.in_recovery = recovery});
        bench.start();
        ASSERT_TRUE(bench.clock.run_until([&] { return bench.uploaded > bench.new_image.size() / 2; }));
        bench.line.client.plug(false);
        bench.clock.run_until([] { return false; }, 30s);
        EXPECT_FALSE(bench.report);
        bench.line.client.plug(true);
        const auto report = bench.finish();
        EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
        EXPECT_EQ(bench.running(), "2.0.0");
        EXPECT_LT(report.bytes_sent, bench.new_image.size() + 4'096) << "recovery " << recovery;
    }
}

TEST(Serial, ACableThatStaysPulledEndsWithTheDeviceAbsent) {
    Bench bench;
    bench.policy.replug = 2min;
    bench.start();
    ASSERT_TRUE(bench.clock.run_until([&] { return bench.uploaded > 4'096; }));
    bench.line.client.plug(false);
    const auto report = bench.finish();
    EXPECT_EQ(report.outcome, Outcome::failed) << text(report);
    EXPECT_EQ(report.error->code(), Errc::port_unavailable);
}

TEST(Serial, ARevertIsRolledBack) {
    Bench bench({.quirks = {SmpQuirk::revert}});
    const auto report = bench.update();
    EXPECT_EQ(report.outcome, Outcome::rolled_back) << text(report);
    EXPECT_EQ(bench.running(), "1.0.0");
    EXPECT_EQ(bench.reverts, 1);
}

TEST(Serial, PermanentNeedsNoConfirmation) {
    Bench bench;
    bench.policy.permanent = true;
    const auto report = bench.update();
    EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
    EXPECT_TRUE(bench.board->confirmed().value());
}

TEST(Serial, RefusesADowngradeAndAnotherBoardBeforeTheFirstByte) {
    Bench newer({.old_version = "3.0.0"});
    EXPECT_EQ(newer.update().error->code(), Errc::downgrade_refused);
    EXPECT_EQ(newer.uploaded, 0u);
    newer.policy.downgrade_reason = "field return";
    EXPECT_EQ(newer.update().outcome, Outcome::updated);
    Bench other;
    other.policy.board = "thingy91";
    const auto report = other.update();
    EXPECT_EQ(report.outcome, Outcome::refused) << text(report);
    EXPECT_EQ(report.error->code(), Errc::board_mismatch);
    EXPECT_EQ(other.uploaded, 0u);
}

TEST(Serial, RecoveryTakesNoImageWhoseSignatureWasNotChecked) {
    Bench bench({.in_recovery = true});
    bench.policy.signature_verified = false;
    const auto report = bench.update();
    EXPECT_EQ(report.error->code(), Errc::usage) << text(report);
    EXPECT_EQ(bench.uploaded, 0u);
}

TEST(Serial, ASilentPortIsAbsent) {
    Bench bench;
    bench.line.server.plug(false);
    const auto report = bench.update();
    EXPECT_EQ(report.outcome, Outcome::absent) << text(report);
}

TEST(Serial, AServerThatManagesNoImagesIsRefusedBeforeTheFirstByte) {
    Bench bench({.quirks = {SmpQuirk::no_images}});
    const auto report = bench.update();
    ASSERT_TRUE(report.error) << text(report);
    EXPECT_EQ(report.error->code(), Errc::device_refused);
    EXPECT_EQ(report.bytes_sent, 0u);
    EXPECT_EQ(bench.running(), "1.0.0");

    // Recovery does; then nobody is there who could tell what runs.
    Bench recovery({.quirks = {SmpQuirk::no_images}, .in_recovery = true});
    const auto end = recovery.update();
    ASSERT_TRUE(end.error) << text(end);
    EXPECT_EQ(end.error->code(), Errc::not_proven);
    EXPECT_EQ(recovery.running(), "2.0.0");
}

namespace {

/// Virtual seconds of an upload of 200 KiB, and the line's bytes.
struct Timing {
    double seconds;
    double line_seconds;  ///< what the line needs for the bytes that were sent to the device
};

Timing timed_upload(std::uint32_t baud, std::uint32_t window, Milliseconds latency) {
    Bench bench({.baud = baud, .turnaround = 0ms, .latency = latency, .image_bytes = 200 * 1024});
    bench.policy.window = window;
    bench.start();
    EXPECT_TRUE(bench.clock.run_until([&] { return bench.uploaded > 0; }));
    const auto began = bench.clock.now();
    const auto bytes = bench.line.client.bytes;
    EXPECT_TRUE(bench.clock.run_until([&] { return bench.uploaded == bench.new_image.size(); }));
    return {std::chrono::duration<double>(bench.clock.now() - began).count(),
            static_cast<double>(bench.line.client.bytes - bytes) * 10 / baud};
}

}  // namespace

TEST(Serial, AWindowHidesTheTurnaroundAndFillsTheLine) {
    // At 1 Mbaud the line itself is full before the window has made it three times as fast.
    const auto one = timed_upload(2'000'000, 1, 5ms);
    const auto four = timed_upload(2'000'000, 4, 5ms);
    fmt::print("2 Mbaud, 10 ms turnaround: window 1 {:.1f} s, window 4 {:.1f} s, {:.2f} times faster\n", one.seconds,
               four.seconds, one.seconds / four.seconds);
    EXPECT_GE(one.seconds / four.seconds, 3.0);
    for (const std::uint32_t baud : {115'200u, 1'000'000u}) {
        const auto full = timed_upload(baud, 4, 1ms);
        fmt::print("{} baud, window 4: {:.1f} s, the line alone {:.1f} s\n", baud, full.seconds, full.line_seconds);
        EXPECT_LE(full.seconds, full.line_seconds * 1.1);
    }
}
