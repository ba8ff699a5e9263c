#include "release/signed_document.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/base64url.hpp"
#include "release/bundle.hpp"
#include "unit/release/release_data.hpp"

using namespace fota;
using namespace fota::release;
using nlohmann::json;
using release::testing::signer;

namespace {

const json payload{{"b", 1}, {"a", "ü"}};

/// One part of the document replaced.
std::string with(const std::string& document, const char* part, const std::string& text) {
    auto parsed = json::parse(document);
    parsed[part] = text;
    return parsed.dump();
}

Errc code_of(const std::string& text, const image::PublicKey& key) {
    const auto opened = open_document(text, "t", key);
    return opened ? Errc::internal : opened.error().code();
}

class BadSigner final : public image::Signer {
  public:
    explicit BadSigner(image::KeyType type) : key_(signer(type)), other_(signer(type)) {}
    const image::PublicKey& public_key() const override { return key_.public_key(); }
    Result<Bytes> sign(const image::SignRequest& request) override { return other_.sign(request); }

  private:
    image::KeySigner key_, other_;
};

}  // namespace

class SignedDocument : public ::testing::TestWithParam<image::KeyType> {};

TEST_P(SignedDocument, IsOpenedByItsKeyAlone) {
    auto key = signer(GetParam());
    const auto text = sign_document(payload, "t", key);
    ASSERT_TRUE(text) << text.error().text();
    const auto opened = open_document(*text, "t", key.public_key());
    ASSERT_TRUE(opened) << opened.error().text();
    EXPECT_EQ(*opened, payload);
    EXPECT_EQ(*open_payload(*text, "t", key.public_key()), R"({"a":"ü","b":1})");
    EXPECT_EQ(code_of(*text, signer(GetParam()).public_key()), Errc::key_mismatch);
    EXPECT_TRUE(looks_like_document(*text, "t"));
    EXPECT_FALSE(looks_like_document(*text, "u"));
}

TEST_P(SignedDocument, HasTheHeaderAndSignatureOfItsRfc) {
    auto key = signer(GetParam());
    const auto document = json::parse(*sign_document(payload, "t", key));
    const auto header = json::parse(as_text(*from_base64url(document.at("protected").get<std::string>())));
    EXPECT_EQ(header.at("alg"), GetParam() == image::KeyType::ed25519 ? "EdDSA" : "ES256");
    EXPECT_EQ(header.at("kid"), to_hex(key.public_key().fingerprint()));
    EXPECT_EQ(from_base64url(document.at("signature").get<std::string>())->size(), 64U);
}

TEST_P(SignedDocument, EveryChangeIsSeen) {
    auto key = signer(GetParam());
    const auto text = *sign_document(payload, "t", key);
    const auto parsed = json::parse(text);
    const auto& open = key.public_key();
    EXPECT_EQ(code_of(with(text, "payload", to_base64url(as_bytes(R"({"a":"ü","b":2})"))), open),
              Errc::signature_invalid);
    EXPECT_EQ(code_of(with(text, "signature", ""), open), Errc::signature_invalid);
    EXPECT_EQ(code_of(with(text, "signature", to_base64url(Bytes(64))), open), Errc::signature_invalid);
    EXPECT_EQ(code_of(with(text, "signature", to_base64url(Bytes(65))), open), Errc::signature_invalid);
    EXPECT_EQ(code_of(with(text, "signature", "!"), open), Errc::config_invalid);
    const auto header = [&](const json& value) {
        return with(text, "protected", to_base64url(as_bytes(value.dump())));
    };
    EXPECT_EQ(code_of(header({{"alg", "none"}, {"typ", "t"}}), open), Errc::config_invalid);
    EXPECT_EQ(code_of(header({{"alg", "HS256"}, {"typ", "t"}}), open), Errc::config_invalid);
    EXPECT_EQ(code_of(header({{"alg", 1}, {"typ", "t"}}), open), Errc::config_invalid);
    EXPECT_EQ(code_of(header({{"alg", "EdDSA"}, {"typ", "u"}}), open), Errc::config_invalid);
    EXPECT_EQ(code_of(header({{"alg", "EdDSA"}, {"typ", "t"}, {"crit", json::array({"x"})}}), open),
              Errc::config_invalid);
    EXPECT_EQ(code_of(header({{"alg", "EdDSA"}, {"typ", "t"}}), open), Errc::signature_invalid);
    for (const auto* other : {"", "{}", "[]", "null", R"({"protected":1,"payload":"","signature":""})"})
        EXPECT_EQ(code_of(other, open), Errc::config_invalid) << other;
}

TEST_P(SignedDocument, ASignerThatSignsWithAnotherKeyIsFound) {
    BadSigner bad(GetParam());
    EXPECT_EQ(sign_document(payload, "t", bad).error().code(), Errc::signature_invalid);
}

INSTANTIATE_TEST_SUITE_P(Keys, SignedDocument, ::testing::Values(image::KeyType::ed25519, image::KeyType::ecdsa_p256));

TEST(SignedDocumentKeys, OthersAreRefused) {
    auto key = signer(image::KeyType::ecdsa_p384);
    EXPECT_EQ(sign_document(payload, "t", key).error().code(), Errc::key_unusable);
    EXPECT_EQ(code_of("{}", key.public_key()), Errc::key_unusable);
}

TEST(Base64Url, IsThatOfRfc4648) {
    EXPECT_EQ(to_base64url(as_bytes("fo")), "Zm8");
    EXPECT_EQ(to_base64url(Bytes{0xfb, 0xff, 0xfe}), "-__-");
    EXPECT_EQ(from_base64url("-__-"), (Bytes{0xfb, 0xff, 0xfe}));
    EXPECT_EQ(from_base64url("Zm8="), from_base64url("Zm8"));
    EXPECT_EQ(from_base64url(""), Bytes{});
    for (const auto* wrong : {"Z", "+/", "Zm 8", "Zm8\n", "Zm8A=Zm8"}) EXPECT_FALSE(from_base64url(wrong)) << wrong;
}

TEST(Bundle, ComesBackAndIsRefusedOnceExpired) {
    auto key = signer(image::KeyType::ecdsa_p256);
    Bundle bundle;
    bundle.made = std::chrono::sys_seconds(std::chrono::seconds(1'000));
    bundle.expires = bundle.made + std::chrono::seconds(10);
    bundle.members.push_back({BundleRole::image, "app.bin", Bytes{1, 2, 3}});
    bundle.devices = {"urn:imei:1"};
    const auto text = make_bundle(bundle, key);
    ASSERT_TRUE(text) << text.error().text();
    const auto opened = open_bundle(*text, key.public_key(), bundle.made);
    ASSERT_TRUE(opened) << opened.error().text();
    ASSERT_NE(opened->find(BundleRole::image), nullptr);
    EXPECT_EQ(opened->find(BundleRole::image)->content, (Bytes{1, 2, 3}));
    EXPECT_EQ(opened->find(BundleRole::layout), nullptr);
    EXPECT_TRUE(opened->is_for("urn:imei:1"));
    EXPECT_FALSE(opened->is_for("urn:imei:2"));
    EXPECT_EQ(open_bundle(*text, key.public_key(), bundle.expires).error().code(), Errc::policy_refused);
    bundle.members.front().name = "../app.bin";
    EXPECT_EQ(make_bundle(bundle, key).error().code(), Errc::config_invalid);
}
