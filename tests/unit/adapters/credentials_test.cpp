#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "adapters/credentials.hpp"

namespace fota::adapters::test {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* key_a = "6f3c1de2a07b945588c0e19d4b72fa31";
constexpr const char* key_b = "b1946ac92492d2347c6235b4d2611184";

struct CredentialFiles : testing::Test {
    std::filesystem::path root = [] {
        auto name = (std::filesystem::temp_directory_path() / "fotactl-test-XXXXXX").string();
        return std::filesystem::path(::mkdtemp(name.data()));
    }();
    ~CredentialFiles() override { std::filesystem::remove_all(root); }

    std::string file(const std::string& text, mode_t mode = 0600) {
        const auto path = root / "secret";
        std::ofstream(path, std::ios::trunc) << text;
        ::chmod(path.c_str(), mode);
        return path.string();
    }
    static std::string device(const std::string& endpoint, const std::string& identity, const std::string& key) {
        return R"({"endpoint":")" + endpoint + R"(","identity":")" + identity + R"(","psk":")" + key + R"("})";
    }
    static std::string document(const std::string& devices) { return R"({"devices":[)" + devices + "]}"; }

    /// Loads and expects a refusal; the message never shows a key.
    Error refusal(const std::string& text, mode_t mode = 0600) {
        Credentials credentials;
        const auto path = file(text, mode);
        const auto loaded = credentials.load(path);
        EXPECT_FALSE(loaded.has_value()) << text;
        EXPECT_TRUE(credentials.devices().empty());
        if (loaded) return {Errc::internal, ""};
        EXPECT_EQ(loaded.error().code(), Errc::credentials_unusable);
        EXPECT_EQ(loaded.error().detail("file"), path);
        EXPECT_THAT(loaded.error().text(), Not(HasSubstr(key_a)));
        return loaded.error();
    }
};

TEST_F(CredentialFiles, loads_devices_by_identity) {
    Credentials credentials;
    const auto path = file(document(device("ep-1", "id-1", key_a) + "," + device("ep-2", "id-2", key_b)));
    ASSERT_TRUE(credentials.load(path).has_value());
    ASSERT_NE(credentials.find("id-2"), nullptr);
    EXPECT_EQ(credentials.find("id-2")->endpoint, "ep-2");
    EXPECT_EQ(to_hex(credentials.find("id-2")->key.reveal()), key_b);
    EXPECT_EQ(credentials.find("id-3"), nullptr);
    EXPECT_EQ(credentials.devices().size(), 2u);
}

TEST_F(CredentialFiles, refuses_what_others_can_read) {
    const auto good = document(device("ep-1", "id-1", key_a));
    EXPECT_THAT(refusal(good, 0644).message(), HasSubstr("0644"));
    EXPECT_THAT(refusal(good, 0640).message(), HasSubstr("0600"));
    Credentials credentials;
    EXPECT_TRUE(credentials.load(file(good, 0400)).has_value());
}

TEST_F(CredentialFiles, refuses_what_is_no_credentials_file) {
    for (const auto* text : {"", "{", "[]", "{\"devices\":{}}", "{\"devices\":[1]}", "{\"devices\":[{}]}",
                             R"({"devices":[{"endpoint":"a","identity":"b"}]})",
                             R"({"devices":[{"endpoint":1,"identity":"b","psk":"00"}]})"})
        EXPECT_THAT(refusal(text).message(), HasSubstr("expected"));
    Credentials credentials;
    const auto missing = credentials.load(root / "missing");
    EXPECT_EQ(missing.error().code(), Errc::file_unreadable);
    EXPECT_EQ(credentials.load(root).error().code(), Errc::credentials_unusable) << "a directory";
}

TEST_F(CredentialFiles, refuses_the_same_twice) {
    EXPECT_THAT(refusal(document(device("ep-1", "id", key_a) + "," + device("ep-2", "id", key_b))).message(),
                testing::AllOf(HasSubstr("identity"), HasSubstr("ep-1"), HasSubstr("ep-2")));
    EXPECT_THAT(refusal(document(device("ep-1", "id-1", key_a) + "," + device("ep-2", "id-2", key_a))).message(),
                testing::AllOf(HasSubstr("key"), HasSubstr("ep-1"), HasSubstr("ep-2")));
    EXPECT_THAT(refusal(document(device("ep", "id-1", key_a) + "," + device("ep", "id-2", key_b))).message(),
                HasSubstr("endpoint"));
}

TEST_F(CredentialFiles, refuses_sample_keys) {
    for (const auto* key :
         {"000102030405060708090a0b0c0d0e0f", "00000000000000000000000000000000", "ffffffffffffffffffffffffffffffff",
          "0f0e0d0c0b0a09080706050403020100", "deadbeefdeadbeefdeadbeefdeadbeef", "0123456789abcdef0123456789abcdef",
          "30313233343536373839616263646566", "73656372657450534b73656372657450534b"})
        EXPECT_THAT(refusal(document(device("ep-1", "id-1", key))).message(), HasSubstr("samples")) << key;
}

TEST_F(CredentialFiles, refuses_short_and_long_keys) {
    EXPECT_THAT(refusal(document(device("e", "i", std::string(key_a).substr(2)))).message(), HasSubstr("found 15"));
    EXPECT_THAT(refusal(document(device("e", "i", std::string(key_a) + key_b + key_a + key_b + "00"))).message(),
                HasSubstr("found 65"));
    EXPECT_THAT(refusal(document(device("e", "i", "xyz"))).message(), HasSubstr("hexadecimal"));
    EXPECT_EQ(refusal(document(device("e-7", "i", "00"))).detail("endpoint"), "e-7");
}

TEST_F(CredentialFiles, argument_splits_at_the_first_equals_and_the_last_at) {
    Credentials credentials;
    const auto path = file(std::string(key_a) + "\n");
    ASSERT_TRUE(credentials.add_argument("urn:imei:1=id=with:@sign:@" + path).has_value());
    ASSERT_EQ(credentials.devices().size(), 1u);
    EXPECT_EQ(credentials.devices()[0].endpoint, "urn:imei:1");
    EXPECT_EQ(credentials.devices()[0].identity, "id=with:@sign");
    EXPECT_EQ(to_hex(credentials.devices()[0].key.reveal()), key_a);
}

TEST_F(CredentialFiles, argument_is_refused) {
    Credentials credentials;
    for (const std::string text : {"", "ep", "ep=id", "=id:@f", "ep=:@f", "ep=id:@", "id:@f=ep"})
        EXPECT_EQ(credentials.add_argument(text).error().code(), Errc::usage) << text;
    const auto open_to_all = credentials.add_argument("ep=id:@" + file(key_a, 0644));
    EXPECT_EQ(open_to_all.error().code(), Errc::credentials_unusable);
    EXPECT_FALSE(open_to_all.error().detail("file").empty());
    EXPECT_EQ(credentials.add_argument("ep=id:@/missing").error().code(), Errc::file_unreadable);
    EXPECT_TRUE(credentials.devices().empty());
}

}  // namespace
}  // namespace fota::adapters::test
