// Framing: what a modem sends, with everything that gets between the bytes of an answer.
#include <gtest/gtest.h>

#include "modem/cme.hpp"
#include "modem/commands.hpp"
#include "modem/dialogue.hpp"

namespace fota::modem {
namespace {

std::optional<Answer> read(std::string_view command, std::string_view bytes, Dialect dialect = {},
                           std::size_t chunk = 1) {
    AnswerReader reader(plain(std::string(command)), dialect);
    for (std::size_t at = 0; at < bytes.size(); at += chunk)
        if (auto answer = reader.feed(as_bytes(bytes.substr(at, chunk)))) return answer;
    return std::nullopt;
}

std::string sent(std::string_view command, Dialect dialect) {
    const auto bytes = encode(plain(std::string(command)), dialect);
    return bytes ? std::string(as_text(bytes->reveal())) : "refused: " + bytes.error().text();
}

TEST(Dialogue, AnAnswerEndsWithOkInAnyCut) {
    for (const std::size_t chunk : {1u, 2u, 7u, 100u}) {
        const auto answer = read("AT+CGSN", "351358811331351\r\nOK\r\n", {}, chunk);
        ASSERT_TRUE(answer) << chunk;
        EXPECT_EQ(answer->kind, Answer::Kind::ok);
        EXPECT_EQ(answer->lines, std::vector<std::string>{"351358811331351"});
    }
    EXPECT_FALSE(read("AT+CGSN", "351358811331351\r\nOK"));
}

TEST(Dialogue, ErrorsOfAllKinds) {
    const auto kind = [](std::string_view text) { return read("AT%CMNG=1", text)->kind; };
    EXPECT_EQ(kind("ERROR\r\n"), Answer::Kind::error);
    EXPECT_EQ(read("AT%CMNG=1", "+CME ERROR: 518\r\n")->code, 518);
    EXPECT_EQ(kind("+CME ERROR: 518\r\n"), Answer::Kind::cme);
    EXPECT_EQ(kind("+CMS ERROR: 302\r\n"), Answer::Kind::cms);
    EXPECT_EQ(kind("AT%CMNG: command not found\r\n"), Answer::Kind::no_shell);
    EXPECT_EQ(read("AT%CMNG=1", "Sending AT command failed with error code -7\r\n")->code, -7);
    EXPECT_EQ(kind("*** Booting Zephyr OS build v3.7.99 ***\r\n"), Answer::Kind::restarted);
}

TEST(Dialogue, EchoesLogsPromptsAndUnsolicitedCodesAreNoAnswer) {
    const auto answer =
        read("AT%CMNG=1",
             "AT%CMNG=1\r\n[00:00:01.000,123] \x1b[0m<inf> app: hello\x1b[0m\r\n+CEREG: 5\r\n%MDMEV: X\r\n"
             "%CMNG: 1,3,\"AA\"\r\n\r\nOK\r\n");
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->lines, std::vector<std::string>{"%CMNG: 1,3,\"AA\""});

    const auto in_shell =
        read("AT+CGSN", "\x1b[1;32muart:~$ \x1b[mat AT+CGSN\r\n351358811331351\r\nOK\r\n\r\n\x1b[1;32muart:~$ ",
             {Access::shell, LineEnd::crlf});
    ASSERT_TRUE(in_shell);
    EXPECT_EQ(in_shell->lines, std::vector<std::string>{"351358811331351"});
}

TEST(Dialogue, AnEchoThatAShellBreaksIsStillAnEcho) {
    const auto write =
        write_credential(35724861, CredentialType::psk, Secret<std::string>("00112233445566778899aabbccddeeff"));
    ASSERT_TRUE(write);
    AnswerReader reader(*write, {Access::shell, LineEnd::crlf});
    const auto answer =
        reader.feed(as_bytes("uart:~$ at 'AT%CMNG=0,35724861,3,\"0011223344\r\n5566778899aabbccddeeff\"'\r\nOK\r\n"));
    ASSERT_TRUE(answer);
    EXPECT_TRUE(answer->lines.empty()) << "a key would stand among the lines";
}

TEST(Dialogue, CommandsAreWrappedForTheirWay) {
    EXPECT_EQ(sent("AT+CGSN", {}), "AT+CGSN\r\n");
    EXPECT_EQ(sent("AT+CGSN", {Access::at, LineEnd::cr}), "AT+CGSN\r");
    EXPECT_EQ(sent("AT+CGSN", {Access::at, LineEnd::nul}), std::string("AT+CGSN\0", 8));
    EXPECT_EQ(sent("AT+CGSN", {Access::shell, LineEnd::crlf}), "at AT+CGSN\r\n");
    EXPECT_EQ(sent("AT%CMNG=0,1,0,\"a\r\nb\"", {Access::shell, LineEnd::crlf}), "at 'AT%CMNG=0,1,0,\"a\\nb\"'\r\n");
    EXPECT_EQ(sent("AT%CMNG=0,1,4,\"it's\"", {Access::at, LineEnd::crlf}), "AT%CMNG=0,1,4,\"it's\"\r\n");
    EXPECT_TRUE(sent("AT%CMNG=0,1,4,\"it's\"", {Access::shell, LineEnd::crlf}).starts_with("refused"));
    EXPECT_TRUE(sent(std::string(4097, 'A'), {}).starts_with("refused"));
}

TEST(Dialogue, NothingGrowsWithoutBound) {
    AnswerReader reader(plain("AT+CGMM"), {});
    const std::string line(20'000, 'x');
    for (int i = 0; i < 1100; ++i) EXPECT_FALSE(reader.feed(as_bytes("y" + line + "\n")));
    const auto answer = reader.feed(as_bytes("OK\r\n"));
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->lines.size(), 1024u);
    EXPECT_EQ(answer->lines[0].size(), 8192u);
}

Answer ok(std::vector<std::string> lines) {
    return {Answer::Kind::ok, 0, std::move(lines)};
}

TEST(Commands, IdentityIsFoundAmongOtherLines) {
    EXPECT_EQ(parse_imei(ok({"noise", "351358811331351"})), "351358811331351");
    EXPECT_EQ(parse_imei(ok({"+CGSN: \"351358811331351\""})), "351358811331351");
    EXPECT_FALSE(parse_imei(ok({"3513588113313511"})));
    EXPECT_FALSE(parse_imei(ok({})));
    EXPECT_EQ(parse_iccid(ok({"%XICCID: 8947080012345678901"})), "8947080012345678901");
    EXPECT_EQ(parse_text(ok({"%HWVERSION: nRF9160 SICA B0A"}), "a version"), "nRF9160 SICA B0A");
    EXPECT_EQ(parse_functionality(ok({"+CFUN: 1"})), 1);
    EXPECT_FALSE(parse_functionality(ok({"+CFUN: one"})));
    EXPECT_EQ(firmware_version("mfw_nrf9160_1.3.6"), (std::array<int, 3>{1, 3, 6}));
    EXPECT_EQ(firmware_version("mfw_nrf9160_1.3.6-17.alpha"), (std::array<int, 3>{1, 3, 6}));
    EXPECT_FALSE(firmware_version("mfw_nrf9160_1.3"));
    EXPECT_FALSE(firmware_version("SARA-R410"));
}

TEST(Commands, TheCredentialList) {
    const auto digest = to_hex(sha256(as_bytes("x")));
    const auto list = parse_credentials(
        ok({"%CMNG: 35724861,4,\"" + digest + "\"", "%CMNG: 16842753,0", "%CMNG: 4294967292,11,\"00\""}));
    ASSERT_TRUE(list);
    ASSERT_EQ(list->size(), 3u);
    EXPECT_EQ((*list)[0].tag, 35724861u);
    EXPECT_EQ((*list)[0].type, 4);
    EXPECT_EQ((*list)[0].digest, sha256(as_bytes("x")));
    EXPECT_FALSE((*list)[1].digest);
    EXPECT_EQ((*list)[2].tag, 4294967292u);
    EXPECT_FALSE((*list)[2].digest);
    EXPECT_FALSE(parse_credentials(ok({"%CMNG: 42949672960,4,\"\""})));
    EXPECT_FALSE(parse_credentials(ok({"%CMNG: ,,"})));
    EXPECT_TRUE(parse_credentials(ok({}))->empty());
}

TEST(Commands, CredentialsTheSyntaxCannotCarryAreRefused) {
    const auto write = [](std::string content) {
        return write_credential(1, CredentialType::psk_identity, Secret<std::string>(std::move(content)));
    };
    EXPECT_EQ(write("urn:imei:1")->reveal(), "AT%CMNG=0,1,4,\"urn:imei:1\"");
    for (const auto* bad : {"", "a\"b", "a\x01", "gr\xc3\xbc\xc3\x9f"}) EXPECT_FALSE(write(bad)) << bad;
    EXPECT_EQ(generate_key(7, "")->reveal(), "AT%KEYGEN=7,2,0");
    EXPECT_EQ(generate_key(7, "CN=a")->reveal(), "AT%KEYGEN=7,2,0,\"CN=a\"");
    EXPECT_FALSE(generate_key(7, "CN=\"a\""));
}

TEST(Commands, GeneratedKeys) {
    const auto key = parse_generated_key(ok({"%KEYGEN: \"AbC-_0.dEf\""}));
    ASSERT_TRUE(key);
    EXPECT_EQ(key->csr, "AbC-_0");
    EXPECT_EQ(key->attestation, "dEf");
    EXPECT_FALSE(parse_generated_key(ok({"%KEYGEN: \"\""})));
    EXPECT_FALSE(parse_generated_key(ok({"%KEYGEN: \"A+/\""})));
}

TEST(Cme, EveryNumberThatTheModemHasForThisSaysWhatItMeans) {
    for (const int code : {513, 514, 515, 516, 517, 518, 519, 520, 521, 522, 523, 525, 527, 528}) {
        const auto text = cme_text(code);
        EXPECT_FALSE(text.starts_with("error ")) << code;
        const auto result = expect_ok({Answer::Kind::cme, code, {}}, "store a key");
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code(), Errc::device_refused);
        EXPECT_EQ(result.error().detail("cme"), std::to_string(code));
        EXPECT_NE(result.error().text().find(text), std::string::npos);
    }
    EXPECT_NE(cme_text(518).find("offline"), std::string::npos);
    EXPECT_NE(cme_text(515).find("full"), std::string::npos);
    EXPECT_TRUE(cme_text(526).starts_with("error 526"));
}

}  // namespace
}  // namespace fota::modem
