// What the fake modem does is what Nordic's AT reference and its tools say of an nRF9160's: the credential store, its
// numbers, when it writes, and how commands end.
#include "virtdev/modem.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/sha256.hpp"

namespace fota::virtdev {
namespace {

constexpr auto identity = "AT%CMNG=0,35724861,4,\"urn:imei:351358811331351\"";
constexpr auto key = "AT%CMNG=0,35724861,3,\"8c1f0a7b6d5e4c3b2a19080706f5e4d3\"";

struct Line {
    explicit Line(ModemQuirks quirks = {}, int functionality = 1)
        : modem({.functionality = functionality, .quirks = quirks}) {}
    std::string ask(const std::string& command, const std::string& end = "\r\n") {
        std::string out;
        for (const auto& part : modem.feed(as_bytes(command + end))) out += part.text;
        return out;
    }
    Modem modem;
};

TEST(FakeModem, WritesAndDeletesOnlyWhileItIsOffline) {
    Line line;
    EXPECT_EQ(line.ask("AT+CMEE=1"), "OK\r\n");
    EXPECT_EQ(line.ask(key), "+CME ERROR: 518\r\n");
    EXPECT_EQ(line.ask("AT%CMNG=3,35724861,3"), "+CME ERROR: 518\r\n");
    EXPECT_EQ(line.ask("AT%CMNG=1"), "OK\r\n") << "a list is given at any time";
    EXPECT_EQ(line.ask("AT+CFUN=4"), "OK\r\n");
    EXPECT_EQ(line.ask(identity), "OK\r\n");
    EXPECT_EQ(line.ask(key), "OK\r\n");
}

TEST(FakeModem, ErrorsHaveNumbersOnlyWhereTheyWereAskedFor) {
    Line line({}, 4);
    EXPECT_EQ(line.ask("AT%CMNG=3,1,3"), "ERROR\r\n");
    EXPECT_EQ(line.ask("AT+CMEE=1"), "OK\r\n");
    EXPECT_EQ(line.ask("AT%CMNG=3,1,3"), "+CME ERROR: 513\r\n");
    EXPECT_EQ(Line({ModemQuirk::no_numeric_errors}).ask("AT+CMEE=1"), "ERROR\r\n");
}

TEST(FakeModem, ListsTheHashOfTheStoredTextInUpperCase) {
    Line line({}, 4);
    (void)line.ask(key);
    auto digest = to_hex(sha256(as_bytes("8c1f0a7b6d5e4c3b2a19080706f5e4d3")));
    std::ranges::transform(digest, digest.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    EXPECT_EQ(line.ask("AT%CMNG=1"), "%CMNG: 35724861,3,\"" + digest + "\"\r\nOK\r\n");
    Line old({ModemQuirk::no_digests}, 4);
    (void)old.ask(key);
    EXPECT_EQ(old.ask("AT%CMNG=1"), "%CMNG: 35724861,3\r\nOK\r\n");
}

TEST(FakeModem, TakesNoSecondCredentialOfATypeAndNoKeyThatIsNotHexadecimal) {
    Line line({}, 4);
    (void)line.ask("AT+CMEE=1");
    EXPECT_EQ(line.ask(key), "OK\r\n");
    EXPECT_EQ(line.ask(key), "+CME ERROR: 519\r\n");
    EXPECT_EQ(line.ask("AT%CMNG=0,7,3,\"no key\""), "+CME ERROR: 527\r\n");
    EXPECT_EQ(line.ask("AT%CMNG=0,7,0,\"no PEM\""), "+CME ERROR: 527\r\n");
    EXPECT_EQ(line.ask("AT%CMNG=3,35724861,3"), "OK\r\n");
    EXPECT_EQ(line.ask(key), "OK\r\n");
    Line willing({ModemQuirk::overwrites}, 4);
    EXPECT_EQ(willing.ask(key), "OK\r\n");
    EXPECT_EQ(willing.ask(key), "OK\r\n");
}

TEST(FakeModem, AFullStoreAndALowVoltageHaveTheirNumbers) {
    Line full({ModemQuirk::store_full}, 4);
    (void)full.ask("AT+CMEE=1");
    EXPECT_EQ(full.ask(identity), "OK\r\n");
    EXPECT_EQ(full.ask(key), "+CME ERROR: 515\r\n");
    Line low({ModemQuirk::low_voltage}, 4);
    (void)low.ask("AT+CMEE=1");
    EXPECT_EQ(low.ask(key), "+CME ERROR: 528\r\n");
    Line none({ModemQuirk::no_list});
    (void)none.ask("AT+CMEE=1");
    EXPECT_EQ(none.ask("AT%CMNG=1"), "+CME ERROR: 514\r\n");
}

TEST(FakeModem, MakesAKeyPairOnceAndOffline) {
    Line line;
    (void)line.ask("AT+CMEE=1");
    EXPECT_EQ(line.ask("AT%KEYGEN=7,2,0"), "+CME ERROR: 518\r\n");
    (void)line.ask("AT+CFUN=4");
    EXPECT_TRUE(line.ask("AT%KEYGEN=7,2,0").starts_with("%KEYGEN: \""));
    EXPECT_EQ(line.ask("AT%KEYGEN=7,2,0"), "+CME ERROR: 519\r\n");
    EXPECT_EQ(Line({ModemQuirk::no_keygen}, 4).ask("AT%KEYGEN=7,2,0"), "ERROR\r\n");
}

TEST(FakeModem, ACommandEndsAsItsFirmwareWasBuilt) {
    const std::string nul(1, '\0');
    const std::vector<std::pair<ModemQuirks, std::string>> builds{{ModemQuirks{}, "\r\n"},
                                                                  {ModemQuirks{ModemQuirk::cr_line_ends}, "\r"},
                                                                  {ModemQuirks{ModemQuirk::lf_line_ends}, "\n"},
                                                                  {ModemQuirks{ModemQuirk::nul_line_ends}, nul}};
    for (const auto& [quirks, good] : builds)
        for (const auto& [ignored, end] : builds) {
            const auto answer = Line(quirks).ask("AT", end);
            // CR LF is an LF as well, for who waits for one.
            EXPECT_EQ(answer == "OK\r\n", end == good || (end == "\r\n" && (good == "\r" || good == "\n")))
                << testing::PrintToString(good) << testing::PrintToString(end);
        }
}

TEST(FakeModem, ALongCertificateIsOneCommandOverSeveralLines) {
    Line line({}, 4);
    EXPECT_EQ(line.ask("AT%CMNG=0,7,0,\"-----BEGIN CERTIFICATE-----\r\nMIIB\r\n-----END CERTIFICATE-----\r\n\""),
              "OK\r\n");
    EXPECT_EQ((line.modem.store.at({7, 0})), "-----BEGIN CERTIFICATE-----\r\nMIIB\r\n-----END CERTIFICATE-----\r\n");
}

TEST(FakeModem, AShellPassesTheCommandOnAndPromptsAgain) {
    Line shell({ModemQuirk::shell});
    const auto answer = shell.ask("at AT+CGSN");
    EXPECT_NE(answer.find("at AT+CGSN\r\n"), std::string::npos) << "its echo";
    EXPECT_NE(answer.find("351358811331351\r\nOK\r\n"), std::string::npos);
    EXPECT_NE(answer.find("uart:~$"), std::string::npos);
    EXPECT_NE(shell.ask("AT").find("command not found"), std::string::npos);
    EXPECT_NE(Line({ModemQuirk::no_at_in_shell}).ask("at AT").find("command not found"), std::string::npos);
}

}  // namespace
}  // namespace fota::virtdev
