// Updates over a cable in virtual time: the serial update engine on one end, a virtual board with an application's SMP
// server and MCUboot's recovery on the other, and a line between them that can be unplugged.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <memory>

#include "tests/support/test_images.hpp"
#include "tests/support/virtual_smp.hpp"
#include "update/preflight.hpp"
#include "update/serial_update.hpp"
#include "virtdev/smp_machine.hpp"

using namespace fota;
using namespace fota::test;
using namespace std::chrono_literals;
using update::Outcome;
using virtdev::SmpQuirk;

namespace {

struct BenchOptions {
    virtdev::SmpQuirkSet quirks{};
    bool in_recovery = false;
    std::uint32_t baud = 115'200;
    Milliseconds turnaround{2};  ///< the server's; it answers one request after the other
    Milliseconds latency{0};     ///< the line's, each way
    std::size_t image_bytes = 40 * 1024;
    std::string old_version = "1.0.0";
};

class Bench final : update::SerialObserver {
  public:
    explicit Bench(BenchOptions options = {}) : line(io, clock, options.baud, options.latency) {
        old_image = signed_image(options.old_version, options.image_bytes, 1);
        new_image = signed_image("2.0.0", options.image_bytes, 2);
        board = std::make_unique<virtdev::Board>(virtdev::BootConfig{}, virtdev::hash_only());
        EXPECT_TRUE(board->flash_image(old_image));
        virtdev::SmpMachineConfig config;
        config.quirks = options.quirks;
        config.in_recovery = options.in_recovery;
        config.turnaround = options.turnaround;
        virtdev::SmpMachineEvents events;
        events.swapped = [this](const auto&, const auto&) { ++swaps; };
        events.reverted = [this](const auto&) { ++reverts; };
        machine = std::make_unique<virtdev::SmpMachine>(*board, clock, std::move(config), std::move(events));
        boost::asio::co_spawn(io, machine->run(line.server),
                              boost::asio::bind_cancellation_slot(
                                  machine_stop_.slot(), [this](std::exception_ptr, Result<>) { ended_ = true; }));
    }
    ~Bench() override {
        machine_stop_.emit(boost::asio::cancellation_type::terminal);
        EXPECT_TRUE(clock.run_until([&] { return ended_; }, 10s));
    }

    void start() {
        const std::vector keys{test_signer().public_key()};
        checked_ = update::check_image(new_image, keys, std::nullopt).value();
        report.reset();
        boost::asio::co_spawn(io, update::run_serial(line.client, checked_->target, policy, clock, *this),
                              [this](std::exception_ptr failure, update::Report end) {
                                  if (failure) std::rethrow_exception(failure);
                                  report = std::move(end);
                              });
    }
    update::Report finish() {
        EXPECT_TRUE(clock.run_until([&] { return report.has_value(); }, 2h));
        return report.value_or(update::Report{});
    }
    update::Report update() {
        start();
        return finish();
    }
    std::string running() const { return virtdev::image_in(board->primary())->version; }

    boost::asio::io_context io;
    VirtualClock clock{io};
    VirtualSmpLine line;
    Bytes old_image;
    Bytes new_image;
    std::unique_ptr<virtdev::Board> board;
    std::unique_ptr<virtdev::SmpMachine> machine;
    update::SerialPolicy policy;
    std::optional<update::Report> report;
    std::uint64_t uploaded = 0;
    int swaps = 0;
    int reverts = 0;

  private:
    void progress(const smp::Upload& upload) override { uploaded = upload.acknowledged(); }

    std::optional<update::Checked> checked_;
    boost::asio::cancellation_signal machine_stop_;
    bool ended_ = false;
};

std::string text(const update::Report& report) {
    return fmt::format("{} {}", update::outcome_name(report.outcome), report.error ? report.error->text() : "");
}

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

/// Every way a server or a line was seen to differ, in the application and in recovery.
class EveryServer : public testing::TestWithParam<std::string> {};
TEST_P(EveryServer, EndsUpdated) {
    const auto quirk = virtdev::find_smp_quirk(GetParam())->quirk;
    for (const bool recovery : {false, true}) {
        Bench bench({.quirks = {quirk}, .in_recovery = recovery});
        const auto report = bench.update();
        // A device whose image can be asked for nothing but its version is proven once its application answers.
        EXPECT_EQ(report.outcome, Outcome::updated) << GetParam() << (recovery ? " recovery: " : ": ") << text(report);
        EXPECT_EQ(bench.running(), "2.0.0");
    }
}
INSTANTIATE_TEST_SUITE_P(Quirks, EveryServer,
                         testing::Values("smp-lose-replies", "smp-late-duplicates", "smp-no-params", "smp-small-buffer",
                                         "smp-definite-maps", "smp-version-1", "smp-no-optional", "smp-no-match",
                                         "smp-slow-erase", "smp-reset-in-upload", "smp-frugal-list", "smp-self-confirm",
                                         "smp-lost-test-answer", "smp-lost-reset-answer", "smp-wait-for-dfu",
                                         "smp-recovery-state", "smp-recovery-no-hash", "smp-recovery-window",
                                         "smp-direct-upload"),
                         [](const auto& info) {
                             auto name = info.param;
                             std::ranges::replace(name, '-', '_');
                             return name;
                         });

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
