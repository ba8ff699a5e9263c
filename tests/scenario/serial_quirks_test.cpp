// Every way an SMP server or the line to it was seen to differ, by name: in the application and in MCUboot's recovery,
// through the real framing over a line of bytes.
#include <map>

#include "tests/scenario/serial_bench.hpp"

using namespace fota;
using namespace fota::test;
using update::Outcome;
using virtdev::SmpQuirk;

namespace {

struct End {
    Outcome outcome = Outcome::updated;
    Errc code{};  ///< unless updated
    std::string runs = "2.0.0";
};

/// Those that do not end updated.
End expected(SmpQuirk quirk, bool recovery) {
    if (quirk == SmpQuirk::no_images)
        return recovery ? End{Outcome::failed, Errc::not_proven} : End{Outcome::failed, Errc::device_refused, "1.0.0"};
    if (quirk == SmpQuirk::revert && !recovery) return {Outcome::rolled_back, Errc::rolled_back, "1.0.0"};
    if (quirk == SmpQuirk::refuse_confirm && !recovery) return {Outcome::failed, Errc::device_refused};
    return {};
}

class EveryServer : public testing::TestWithParam<std::string> {};

}  // namespace

TEST_P(EveryServer, EndsAsItShould) {
    const auto quirk = virtdev::find_smp_quirk(GetParam())->quirk;
    for (const bool recovery : {false, true}) {
        SCOPED_TRACE(recovery ? "recovery" : "application");
        SerialBench bench({.quirks = {quirk}, .in_recovery = recovery, .framed = true});
        const auto report = bench.update();
        const auto end = expected(quirk, recovery);
        EXPECT_EQ(report.outcome, end.outcome) << text(report);
        if (report.error) {
            EXPECT_EQ(report.error->code(), end.code) << text(report);
        }
        EXPECT_EQ(bench.running(), end.runs);
    }
}

INSTANTIATE_TEST_SUITE_P(Quirks, EveryServer, testing::ValuesIn([] {
                             std::vector<std::string> names;
                             for (const auto& info : virtdev::all_smp_quirks()) names.emplace_back(info.name);
                             return names;
                         }()),
                         [](const auto& info) {
                             auto name = info.param;
                             std::ranges::replace(name, '-', '_');
                             return name;
                         });

TEST(SerialLineQuirks, LogLinesAndDamageAreSeenAndLivedWith) {
    SerialBench clean({.framed = true});
    EXPECT_EQ(clean.update().outcome, Outcome::updated);
    EXPECT_EQ(clean.framed->counters().noise, 0u);
    EXPECT_EQ(clean.framed->counters().damaged, 0u);
    for (const auto quirk : {SmpQuirk::log_lines, SmpQuirk::log_in_line}) {
        SerialBench bench({.quirks = {quirk}, .framed = true});
        const auto report = bench.update();
        EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
        EXPECT_GT(bench.framed->counters().noise, 1'000u);
        EXPECT_EQ(bench.framed->counters().damaged, 0u) << "a log line between frames damages none";
        EXPECT_EQ(report.retransmissions, 0u);
    }
    SerialBench damaged({.quirks = {SmpQuirk::corrupt}, .framed = true});
    const auto report = damaged.update();
    EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
    EXPECT_GT(damaged.framed->counters().damaged, 0u);
    EXPECT_GT(report.retransmissions, 0u);
}

TEST(SerialLineQuirks, ADamagedRequestIsFoundByTheNextReplyAndNotByWaiting) {
    SerialBench bench({.quirks = {SmpQuirk::corrupt}, .image_bytes = 200 * 1024, .framed = true});
    SerialBench clean({.image_bytes = 200 * 1024, .framed = true});
    const auto damaged = bench.update();
    const auto good = clean.update();
    ASSERT_EQ(damaged.outcome, Outcome::updated) << text(damaged);
    // Each of some sixty damaged lines would cost a silence of 2.5 s without go-back-N.
    EXPECT_LT(damaged.elapsed, good.elapsed * 2) << to_ms(good.elapsed).count();
}

TEST(SerialLineQuirks, ACableIsPulledAndPutBackUnderTheRealFraming) {
    for (const auto quirk : {SmpQuirk::log_lines, SmpQuirk::raw_framing, SmpQuirk::in_recovery}) {
        SCOPED_TRACE(virtdev::all_smp_quirks()[static_cast<std::size_t>(quirk)].name);
        SerialBench bench({.quirks = {quirk}, .framed = true});
        bench.start();
        ASSERT_TRUE(bench.clock.run_until([&] { return bench.uploaded > bench.new_image.size() / 2; }));
        bench.wire.client.plug(false);
        bench.clock.run_until([] { return false; }, 20s);
        EXPECT_FALSE(bench.report);
        bench.wire.client.plug(true);
        const auto report = bench.finish();
        EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
        EXPECT_LT(report.bytes_sent, bench.new_image.size() + 4'096);
    }
}

TEST(SerialRecovery, AnUploadThatWasCutByAPowerCutLeavesRecoveryAloneAndASecondRunEndsIt) {
    SerialBench bench({.in_recovery = true, .framed = true});
    bench.start();
    ASSERT_TRUE(bench.clock.run_until([&] { return bench.uploaded > bench.new_image.size() / 2; }));
    bench.machine->power_cycle(false);
    bench.wire.client.plug(false);
    bench.clock.run_until([] { return false; }, 10s);
    // What half an image leaves is no application: the bootloader stays, and takes the whole image from its begin.
    EXPECT_TRUE(bench.machine->in_recovery());
    bench.wire.client.plug(true);
    const auto report = bench.finish();
    EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
    EXPECT_EQ(bench.running(), "2.0.0");
    EXPECT_GT(report.bytes_sent, bench.new_image.size() + bench.new_image.size() / 3);
}

namespace {

/// As the command does, whose greeting finds the framing.
boost::asio::awaitable<Result<update::SmpDevice>> greet_and_enter(update::SmpClient& client, Instant& asked) {
    CO_TRY_VOID(co_await update::greet(client));
    asked = client.clock().now();
    co_return co_await update::enter_recovery(client, 10s);
}

struct Entered {
    Result<update::SmpDevice> device;
    Milliseconds took{};  ///< from the reset on
};

Entered enter_recovery(SerialBench& bench) {
    std::optional<Result<update::SmpDevice>> end;
    Instant asked{};
    update::SmpClient client(bench.client(), bench.clock);
    boost::asio::co_spawn(bench.io, greet_and_enter(client, asked),
                          [&](std::exception_ptr failure, Result<update::SmpDevice> device) {
                              if (failure) std::rethrow_exception(failure);
                              end = std::move(device);
                          });
    EXPECT_TRUE(bench.clock.run_until([&] { return end.has_value(); }, 1min));
    if (!end) return {fail(Errc::internal, "no end")};
    return {std::move(*end), to_ms(bench.clock.now() - asked)};
}

}  // namespace

TEST(SerialRecovery, IsEnteredByTheRetainedBootModeOrByAskingAllTheTime) {
    for (const auto& quirks :
         {virtdev::SmpQuirkSet{}, virtdev::SmpQuirkSet{SmpQuirk::lost_reset_answer},
          virtdev::SmpQuirkSet{SmpQuirk::raw_framing},
          virtdev::SmpQuirkSet{SmpQuirk::no_boot_mode, SmpQuirk::wait_for_dfu},
          virtdev::SmpQuirkSet{SmpQuirk::raw_framing, SmpQuirk::no_boot_mode, SmpQuirk::wait_for_dfu}}) {
        SerialBench bench({.quirks = quirks, .framed = true});
        const auto [device, took] = enter_recovery(bench);
        ASSERT_TRUE(device) << device.error().text();
        EXPECT_EQ(device->mode, update::SmpMode::recovery);
        EXPECT_TRUE(bench.machine->in_recovery());
        EXPECT_LT(took, 5s);
    }
    SerialBench bench({.quirks = {SmpQuirk::no_boot_mode}, .framed = true});
    const auto device = enter_recovery(bench).device;
    ASSERT_FALSE(device);
    EXPECT_EQ(device.error().code(), Errc::device_did_not_apply);
    EXPECT_NE(device.error().message().find("its application again"), std::string::npos) << device.error().text();
}

namespace {

struct Uploaded {
    update::Report report;
    std::string primary;    ///< version in the slot
    std::string secondary;  ///< likewise; "" without an image
};

Uploaded upload(const SerialBenchOptions& options, std::optional<std::uint32_t> slot) {
    SerialBench bench(options);
    const std::vector keys{test_signer().public_key()};
    const auto checked = update::check_image(bench.new_image, keys, std::nullopt).value();
    std::optional<update::Report> end;
    boost::asio::co_spawn(bench.io,
                          update::upload_serial(bench.client(), checked.target, slot, bench.policy, bench.clock, bench),
                          [&](std::exception_ptr failure, update::Report report) {
                              if (failure) std::rethrow_exception(failure);
                              end = std::move(report);
                          });
    EXPECT_TRUE(bench.clock.run_until([&] { return end.has_value(); }, 10min));
    const auto other = virtdev::image_in(bench.board->secondary());
    return {end.value_or(update::Report{}), bench.running(), other ? other->version : ""};
}

}  // namespace

TEST(SerialUpload, GoesWhereTheServerWritesAnywayOrIntoTheSlotThatWasNamed) {
    for (const auto slot : {std::optional<std::uint32_t>{}, std::optional<std::uint32_t>{1}}) {
        const auto application = upload({}, slot);
        EXPECT_FALSE(application.report.error) << text(application.report);
        EXPECT_EQ(application.primary + " " + application.secondary, "1.0.0 2.0.0");
    }
    const auto running = upload({}, 0);
    ASSERT_TRUE(running.report.error);
    EXPECT_EQ(running.report.error->code(), Errc::usage);
    EXPECT_EQ(running.secondary, "");

    const auto recovery = upload({.in_recovery = true}, std::nullopt);
    EXPECT_FALSE(recovery.report.error) << text(recovery.report);
    EXPECT_EQ(recovery.primary, "2.0.0");
    const auto refused = upload({.in_recovery = true}, 1);
    ASSERT_TRUE(refused.report.error);
    EXPECT_EQ(refused.report.error->code(), Errc::device_refused);
    EXPECT_EQ(refused.report.error->detail("slot"), "1");
    const auto direct = upload({.quirks = {SmpQuirk::direct_upload}, .in_recovery = true}, 1);
    EXPECT_FALSE(direct.report.error) << text(direct.report);
    EXPECT_EQ(direct.primary + " " + direct.secondary, "1.0.0 2.0.0");
    for (const auto slot : {16U, 0xffffffffU}) {
        for (const bool in_recovery : {false, true}) {
            const auto none = upload({.quirks = {SmpQuirk::direct_upload}, .in_recovery = in_recovery}, slot);
            ASSERT_TRUE(none.report.error) << slot;
            EXPECT_EQ(none.report.error->code(), Errc::usage) << text(none.report);
            EXPECT_EQ(none.primary + " " + none.secondary, "1.0.0 ");
        }
    }
}

TEST(SerialRecovery, AnImageThatItsBootloaderDoesNotStartIsSaidToBeOneByUpdateAndByUpload) {
    // As one that trusts another key: hash and structure are good.
    const auto old_only = [](BytesView bytes) -> Result<> {
        if (bytes[20] == 1) return {};  // the major version
        return fail(Errc::key_mismatch, "expected a signature by another key");
    };
    SerialBench bench({.in_recovery = true, .check = old_only});
    const auto updated = bench.update();
    ASSERT_TRUE(updated.error) << text(updated);
    EXPECT_EQ(updated.error->code(), Errc::device_did_not_apply);
    EXPECT_NE(updated.error->message().find("trusts another key"), std::string::npos) << text(updated);
    const auto uploaded = upload({.in_recovery = true, .check = old_only}, std::nullopt);
    ASSERT_TRUE(uploaded.report.error) << text(uploaded.report);
    EXPECT_EQ(uploaded.report.error->code(), Errc::device_did_not_apply);
    const auto named = upload({.quirks = {SmpQuirk::direct_upload}, .in_recovery = true, .check = old_only}, 0);
    ASSERT_TRUE(named.report.error) << text(named.report);
    EXPECT_EQ(named.report.error->code(), Errc::device_did_not_apply) << "slot 0 is the primary one by its number";
}
