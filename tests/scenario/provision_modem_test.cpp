// A modem from blank to provisioned in virtual time, against every quirk of the fake, interrupted at every write.
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "provision/modem.hpp"
#include "tests/support/modem_line.hpp"

namespace fota::provision {
namespace {

using namespace std::chrono_literals;
using modem::CredentialType;
using virtdev::ModemQuirk;

const std::string imei = "351358811331351";
const std::string identity = "urn:imei:" + imei;
const std::string key = "5f0e1d2c3b4a69788796a5b4c3d2e1f7";
constexpr auto tag = modem::server_sec_tag;

struct Bench {
    explicit Bench(virtdev::ModemQuirks quirks = {}, int functionality = 1)
        : modem({.functionality = functionality, .quirks = quirks}) {
        plan.credentials = [this](const ModemIdentity& found) -> Result<std::vector<ModemCredential>> {
            asked_for = found.imei;
            std::vector<ModemCredential> out;
            out.push_back({CredentialType::psk_identity, Secret<std::string>(identity)});
            out.push_back({CredentialType::psk, Secret<std::string>(key)});
            return out;
        };
    }

    ModemReport run() {
        std::optional<ModemReport> report;
        boost::asio::co_spawn(
            io,
            provision_modem(line, clock, std::move(plan), [this](const std::string& step) { steps.push_back(step); }),
            boost::asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr failure, ModemReport done) {
                if (failure) std::rethrow_exception(failure);
                report = std::move(done);
            }));
        EXPECT_TRUE(clock.run_until([&] { return report.has_value(); }));
        return report ? std::move(*report) : ModemReport{};
    }

    std::string stored(CredentialType type) const {
        const auto found = modem.store.find({tag, static_cast<int>(type)});
        return found == modem.store.end() ? "" : found->second;
    }

    boost::asio::io_context io;
    test::VirtualClock clock{io};
    virtdev::Modem modem;
    test::ModemLine line{io, clock, modem};
    boost::asio::cancellation_signal stop;
    ModemPlan plan;
    std::vector<std::string> steps;
    std::string asked_for;
};

std::string error_of(const ModemReport& report) {
    return report.error ? report.error->text() : "";
}

void expect_done(Bench& bench, const ModemReport& report) {
    EXPECT_EQ(report.outcome, ModemOutcome::provisioned) << error_of(report);
    EXPECT_EQ(bench.stored(CredentialType::psk_identity), identity);
    EXPECT_EQ(bench.stored(CredentialType::psk), key);
    EXPECT_EQ(bench.modem.functionality(), 1);
    EXPECT_FALSE(report.left_offline);
    ASSERT_TRUE(report.modem);
    EXPECT_EQ(report.modem->imei, imei);
    EXPECT_EQ(bench.asked_for, imei);
}

TEST(ProvisionModem, WritesIdentityThenKeyAndCompares) {
    Bench bench;
    const auto report = bench.run();
    expect_done(bench, report);
    EXPECT_EQ(report.modem->firmware, "mfw_nrf9160_1.3.6");
    EXPECT_EQ(report.modem->hardware, "nRF9160 SICA B0A");
    EXPECT_EQ(report.functionality, 1);
    EXPECT_EQ(report.standing(), "PSK identity written, pre-shared key written");
    const std::vector<std::string> tail{"AT+CFUN?",  "AT+CFUN=4", "AT%CMNG=0,35724861,4,", "AT%CMNG=0,35724861,3,",
                                        "AT%CMNG=1", "AT+CFUN=1"};
    const auto& all = bench.modem.commands();
    ASSERT_GE(all.size(), tail.size());
    EXPECT_EQ(std::vector<std::string>(all.end() - static_cast<std::ptrdiff_t>(tail.size()), all.end()), tail);
}

TEST(ProvisionModem, ASecondRunChangesNothing) {
    Bench bench;
    bench.modem.store[{tag, 4}] = identity;
    bench.modem.store[{tag, 3}] = "5F0E1D2C3B4A69788796A5B4C3D2E1F7";  // the same key, written by another tool
    const auto report = bench.run();
    EXPECT_EQ(report.outcome, ModemOutcome::already) << error_of(report);
    for (const auto& command : bench.modem.commands()) EXPECT_FALSE(command.starts_with("AT+CFUN=")) << command;
}

TEST(ProvisionModem, FinishesWhatWasHalfDone) {
    Bench bench;
    bench.modem.store[{tag, 4}] = identity;
    const auto report = bench.run();
    expect_done(bench, report);
    EXPECT_EQ(report.standing(), "PSK identity was there, pre-shared key written");
}

TEST(ProvisionModem, NeverDeletesWhatItWasNotAskedTo) {
    for (const bool replace : {false, true}) {
        Bench bench;
        bench.modem.store[{tag, 3}] = "00aa00aa00aa00aa00aa00aa00aa00ab";
        bench.modem.store[{tag, 0}] = "a CA";
        bench.modem.store[{tag + 1, 3}] = "another tag's";
        bench.plan.replace = replace;
        const auto report = bench.run();
        if (replace) {
            expect_done(bench, report);
        } else {
            EXPECT_EQ(report.outcome, ModemOutcome::refused);
            EXPECT_EQ(report.error->code(), Errc::policy_refused);
            EXPECT_EQ(bench.stored(CredentialType::psk), "00aa00aa00aa00aa00aa00aa00aa00ab");
            for (const auto& command : bench.modem.commands()) EXPECT_FALSE(command.starts_with("AT+CFUN=")) << command;
        }
        EXPECT_EQ(bench.modem.store.at({tag, 0}), "a CA");
        EXPECT_EQ(bench.modem.store.at({tag + 1, 3}), "another tag's");
    }
}

TEST(ProvisionModem, AModemThatWouldOverwriteIsNotMadeToUnasked) {
    Bench bench({ModemQuirk::overwrites});
    bench.modem.store[{tag, 3}] = "00aa00aa00aa00aa00aa00aa00aa00ab";
    const auto report = bench.run();
    EXPECT_EQ(report.outcome, ModemOutcome::refused);
    EXPECT_EQ(bench.stored(CredentialType::psk), "00aa00aa00aa00aa00aa00aa00aa00ab");
    Bench blank({ModemQuirk::overwrites});
    expect_done(blank, blank.run());
}

TEST(ProvisionModem, WithoutASimNothingIsMadeOfItsNumber) {
    Bench bench({ModemQuirk::no_sim});
    bench.plan.want_iccid = true;
    const auto report = bench.run();
    EXPECT_EQ(report.outcome, ModemOutcome::failed);
    EXPECT_EQ(report.error->code(), Errc::device_refused);
    EXPECT_EQ(report.error->detail("cme"), "10");
    EXPECT_NE(error_of(report).find("ICCID, which the template asks for"), std::string::npos) << error_of(report);
    EXPECT_TRUE(bench.modem.store.empty());
    Bench other({ModemQuirk::no_sim});
    expect_done(other, other.run());
}

TEST(ProvisionModem, ADeviceThatIsOfflineStaysSo) {
    Bench bench({}, 4);
    const auto report = bench.run();
    EXPECT_EQ(report.outcome, ModemOutcome::provisioned);
    EXPECT_EQ(bench.modem.functionality(), 4);
    for (const auto& command : bench.modem.commands()) EXPECT_FALSE(command.starts_with("AT+CFUN=")) << command;
}

TEST(ProvisionModem, FirmwareInFrontOfTheModem) {
    for (const auto quirk :
         {ModemQuirk::shell, ModemQuirk::narrow_shell, ModemQuirk::echo, ModemQuirk::cr_line_ends,
          ModemQuirk::lf_line_ends, ModemQuirk::nul_line_ends, ModemQuirk::log_lines, ModemQuirk::unsolicited,
          ModemQuirk::garbage_first, ModemQuirk::slow_offline, ModemQuirk::no_numeric_errors}) {
        SCOPED_TRACE(virtdev::all_modem_quirks()[static_cast<std::size_t>(quirk)].name);
        Bench bench({quirk});
        expect_done(bench, bench.run());
    }
    Bench both({ModemQuirk::shell, ModemQuirk::log_lines, ModemQuirk::unsolicited});
    expect_done(both, both.run());
}

TEST(ProvisionModem, SilenceAndShellsWithoutAt) {
    Bench silent({ModemQuirk::silent});
    const auto nothing = silent.run();
    EXPECT_EQ(nothing.outcome, ModemOutcome::failed);
    EXPECT_EQ(nothing.error->code(), Errc::port_unavailable);
    EXPECT_NE(error_of(nothing).find("silence"), std::string::npos);
    EXPECT_LE(silent.clock.now().time_since_epoch(), 1h + 12s);

    Bench shell({ModemQuirk::no_at_in_shell});
    EXPECT_NE(error_of(shell.run()).find("without the command \"at\""), std::string::npos);
}

/// The quirk, what the error says, and where the two credentials stand.
struct Failing {
    ModemQuirk quirk;
    Errc code;
    std::string says;
    std::string standing;
};

TEST(ProvisionModem, NothingHalfProvisionedIsLeftUnsaid) {
    const std::vector<Failing> cases{
        {ModemQuirk::store_full, Errc::device_refused, "full", "PSK identity written, pre-shared key not written"},
        {ModemQuirk::low_voltage, Errc::device_refused, "voltage",
         "PSK identity not written, pre-shared key not written"},
        {ModemQuirk::corrupts, Errc::not_proven, "another SHA-256", "PSK identity written, pre-shared key differs"},
        {ModemQuirk::restarts_in_write, Errc::not_proven, "restarted", "PSK identity written, pre-shared key missing"},
        {ModemQuirk::deaf_in_write, Errc::timed_out, "silence", "PSK identity unknown, pre-shared key unknown"},
        {ModemQuirk::no_list, Errc::device_refused, "no access",
         "PSK identity not written, pre-shared key not written"},
        {ModemQuirk::refuses_offline, Errc::device_refused, "go offline",
         "PSK identity not written, pre-shared key not written"},
    };
    for (const auto& each : cases) {
        SCOPED_TRACE(virtdev::all_modem_quirks()[static_cast<std::size_t>(each.quirk)].name);
        Bench bench({each.quirk});
        const auto report = bench.run();
        EXPECT_EQ(report.outcome, ModemOutcome::failed);
        ASSERT_TRUE(report.error);
        EXPECT_EQ(report.error->code(), each.code);
        EXPECT_NE(error_of(report).find(each.says), std::string::npos) << error_of(report);
        EXPECT_EQ(report.standing(), each.standing);
        EXPECT_EQ(report.left_offline, each.quirk == ModemQuirk::deaf_in_write);
        if (each.quirk != ModemQuirk::deaf_in_write) {
            EXPECT_EQ(bench.modem.functionality(), 1);
        }
    }
}

TEST(ProvisionModem, AModemThatStaysOfflineIsAFailureAlsoWhenTheKeysAreThere) {
    Bench bench({ModemQuirk::refuses_restore});
    const auto report = bench.run();
    EXPECT_EQ(report.outcome, ModemOutcome::failed);
    EXPECT_TRUE(report.left_offline);
    EXPECT_EQ(report.error->detail("modem"), "left-offline");
    EXPECT_EQ(report.standing(), "PSK identity written, pre-shared key written");
}

TEST(ProvisionModem, OldModemFirmwareListsNoDigests) {
    Bench bench({ModemQuirk::no_digests});
    const auto report = bench.run();
    EXPECT_EQ(report.outcome, ModemOutcome::provisioned) << error_of(report);
    EXPECT_EQ(report.standing(), "PSK identity written, not compared, pre-shared key written, not compared");
}

TEST(ProvisionModem, EveryRefusalOfAWriteIsToldInWords) {
    for (int code = 513; code <= 528; ++code) {
        virtdev::ModemQuirks quirks;
        quirks.refuse_writes = code;
        Bench bench(quirks);
        const auto report = bench.run();
        EXPECT_EQ(report.error->detail("cme"), std::to_string(code));
        EXPECT_EQ(bench.modem.functionality(), 1) << code;
    }
}

TEST(ProvisionModem, CancelledOrUnpluggedAtAnyCommand) {
    Bench whole;
    ASSERT_EQ(whole.run().outcome, ModemOutcome::provisioned);
    const auto commands = whole.modem.commands().size();
    for (std::size_t at = 0; at < commands; ++at) {
        SCOPED_TRACE(at);
        {
            Bench bench;
            std::size_t seen = 0;
            bench.line.filter = [&](const std::string&) {
                if (seen++ == at) bench.stop.emit(boost::asio::cancellation_type::terminal);
                return true;
            };
            const auto report = bench.run();
            if (at + 1 < commands) {
                EXPECT_EQ(report.error->code(), Errc::cancelled);
            }
            EXPECT_EQ(bench.modem.functionality(), 1) << "an interrupted run leaves the modem as it was";
            for (std::size_t i = 0; i < report.credentials.size(); ++i) {
                const bool there = !bench.stored(report.credentials[i].type).empty();
                EXPECT_EQ(report.credentials[i].state == CredentialState::written, there) << report.standing();
            }
        }
        Bench bench;
        std::size_t seen = 0;
        bench.line.filter = [&](const std::string&) { return seen++ != at; };
        const auto report = bench.run();
        EXPECT_EQ(report.outcome, ModemOutcome::failed);
        EXPECT_EQ(report.error->code(), Errc::port_unavailable);
        EXPECT_EQ(report.left_offline, bench.modem.functionality() == 4 || report.functionality == 1)
            << report.standing();
    }
}

TEST(ProvisionModem, AKeyMadeInTheModem) {
    for (const auto quirk : {ModemQuirk::log_lines, ModemQuirk::shell, ModemQuirk::no_keygen}) {
        Bench bench({quirk});
        bench.plan.credentials = [](const ModemIdentity&) { return std::vector<ModemCredential>{}; };
        bench.plan.generate_key = true;
        bench.plan.subject = "CN={imei}";
        const auto report = bench.run();
        if (quirk == ModemQuirk::no_keygen) {
            EXPECT_EQ(report.outcome, ModemOutcome::failed);
            EXPECT_EQ(report.standing(), "client private key not written");
            continue;
        }
        EXPECT_EQ(report.outcome, ModemOutcome::provisioned) << error_of(report);
        EXPECT_TRUE(report.signing_request.starts_with("-----BEGIN CERTIFICATE REQUEST-----\n"));
        EXPECT_NE(bench.line.written.find("CN=351358811331351"), std::string::npos);
        // Once more: the key there is not replaced unasked.
        Bench again;
        again.modem.store = bench.modem.store;
        again.plan.credentials = [](const ModemIdentity&) { return std::vector<ModemCredential>{}; };
        again.plan.generate_key = true;
        EXPECT_EQ(again.run().outcome, ModemOutcome::refused);
    }
}

TEST(ProvisionModem, CertificatesInAShell) {
    const std::string certificate = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    for (const auto quirk : {ModemQuirk::shell, ModemQuirk::unsolicited}) {
        Bench bench({quirk});
        bench.plan.credentials = [&](const ModemIdentity&) -> Result<std::vector<ModemCredential>> {
            std::vector<ModemCredential> out;
            out.push_back({CredentialType::root_ca, Secret<std::string>(certificate)});
            return out;
        };
        const auto report = bench.run();
        EXPECT_EQ(report.outcome, ModemOutcome::provisioned) << error_of(report);
        EXPECT_EQ(report.standing(), "root CA certificate written");
    }
}

}  // namespace
}  // namespace fota::provision
