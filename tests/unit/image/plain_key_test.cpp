// What is read without libcrypto's general decoder is read as that one reads it.
#include "image/plain_key.hpp"

#include <gtest/gtest.h>
#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "unit/image/vectors.hpp"

namespace fota::image {
namespace {

using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

/// As libcrypto reads it; the key pair where there is one.
class GeneralDecoder {
  public:
    Key read(BytesView bytes) {
        auto out = read_with(pairs_.get(), bytes);
        return out ? std::move(out) : read_with(public_.get(), bytes);
    }
    bool holds_something(BytesView bytes) { return read_with(anything_.get(), bytes) != nullptr; }

  private:
    Key read_with(OSSL_DECODER_CTX* decoder, BytesView bytes) {
        const auto* data = bytes.data();
        auto size = bytes.size();
        OSSL_DECODER_CTX_set_passphrase(decoder, reinterpret_cast<const unsigned char*>(""), 0);
        const bool decoded = OSSL_DECODER_from_data(decoder, &data, &size) == 1;
        ERR_clear_error();
        Key out(std::exchange(key_, nullptr), EVP_PKEY_free);
        if (!decoded) out.reset();
        return out;
    }
    using Decoder = std::unique_ptr<OSSL_DECODER_CTX, decltype(&OSSL_DECODER_CTX_free)>;
    Decoder make(int selection) {
        return {OSSL_DECODER_CTX_new_for_pkey(&key_, nullptr, nullptr, nullptr, selection, nullptr, nullptr),
                OSSL_DECODER_CTX_free};
    }
    EVP_PKEY* key_ = nullptr;
    Decoder pairs_ = make(EVP_PKEY_KEYPAIR);
    Decoder public_ = make(EVP_PKEY_PUBLIC_KEY);
    Decoder anything_ = make(0);
};

/// Everything a key holds, in the encoder's words; empty when it cannot be encoded as that.
Bytes encoded(EVP_PKEY* key, int selection, const char* structure) {
    const std::unique_ptr<OSSL_ENCODER_CTX, decltype(&OSSL_ENCODER_CTX_free)> encoder(
        OSSL_ENCODER_CTX_new_for_pkey(key, selection, "DER", structure, nullptr), OSSL_ENCODER_CTX_free);
    unsigned char* data = nullptr;
    std::size_t size = 0;
    Bytes out;
    if (OSSL_ENCODER_to_data(encoder.get(), &data, &size) == 1) out.assign(data, data + size);
    OPENSSL_free(data);
    ERR_clear_error();
    return out;
}

class PlainKeys : public testing::Test {
  protected:
    /// Whether it was read here; if it was, the general decoder reads the same key from it.
    bool same(BytesView bytes) {
        const auto plain = PlainKey::find(bytes);
        const Key direct(plain ? plain->make() : nullptr, EVP_PKEY_free);
        if (!direct) return false;
        const auto general = decoder_.read(bytes);
        EXPECT_TRUE(general) << "read here alone: " << to_hex(bytes);
        if (!general) return true;
        const auto public_half = encoded(direct.get(), EVP_PKEY_PUBLIC_KEY, "SubjectPublicKeyInfo");
        const auto private_half = encoded(direct.get(), EVP_PKEY_KEYPAIR, "PrivateKeyInfo");
        EXPECT_FALSE(public_half.empty());
        EXPECT_EQ(plain->has_private_half(), !private_half.empty());
        EXPECT_EQ(public_half, encoded(general.get(), EVP_PKEY_PUBLIC_KEY, "SubjectPublicKeyInfo")) << to_hex(bytes);
        EXPECT_EQ(private_half, encoded(general.get(), EVP_PKEY_KEYPAIR, "PrivateKeyInfo")) << to_hex(bytes);
        return true;
    }

    GeneralDecoder decoder_;
};

constexpr const char* names[]{"p256", "p384", "rsa2048", "rsa3072", "ed25519", "x25519-enc"};

/// The forms that imgtool, OpenSSL and this program write a key in; DER first.
std::vector<Bytes> forms_of(const Bytes& pem) {
    GeneralDecoder decoder;
    const auto key = decoder.read(pem);
    std::vector<Bytes> out;
    const auto add = [&](const char* format, int selection, const char* structure) {
        const std::unique_ptr<OSSL_ENCODER_CTX, decltype(&OSSL_ENCODER_CTX_free)> encoder(
            OSSL_ENCODER_CTX_new_for_pkey(key.get(), selection, format, structure, nullptr), OSSL_ENCODER_CTX_free);
        unsigned char* data = nullptr;
        std::size_t size = 0;
        if (OSSL_ENCODER_to_data(encoder.get(), &data, &size) == 1) out.emplace_back(data, data + size);
        OPENSSL_free(data);
        ERR_clear_error();
    };
    for (const auto* format : {"DER", "PEM"}) {
        add(format, EVP_PKEY_PUBLIC_KEY, "SubjectPublicKeyInfo");
        add(format, EVP_PKEY_KEYPAIR, "PrivateKeyInfo");
        add(format, EVP_PKEY_KEYPAIR, "type-specific");
        if (EVP_PKEY_is_a(key.get(), "RSA") == 1) add(format, EVP_PKEY_PUBLIC_KEY, "type-specific");
    }
    return out;
}

TEST_F(PlainKeys, EveryUsualFormIsReadWithoutTheGeneralDecoder) {
    for (const auto* name : names) {
        const auto forms = forms_of(load(std::string("keys/") + name + ".pem"));
        ASSERT_GE(forms.size(), 4U) << name;
        for (const auto& each : forms) EXPECT_TRUE(same(each)) << name << ": " << as_text(each);
        EXPECT_TRUE(same(load(std::string("keys/") + name + ".pem"))) << name << " as imgtool wrote it";
        EXPECT_TRUE(same(load(std::string("keys/") + name + ".pub.pem"))) << name << " as imgtool wrote it";
    }
}

TEST_F(PlainKeys, WhateverIsChangedTheGeneralDecoderAgrees) {
    std::size_t read = 0;
    std::size_t tried = 0;
    std::size_t refused = 0;
    std::size_t left = 0;  // to the general decoder, which reads them
    const auto attempt = [&](const Bytes& bytes) {
        ++tried;
        if (same(bytes)) {
            ++read;
        } else if (tried % 3 == 0) {
            // parse() asks the decoders for key pairs and for public keys only where one that takes anything found
            // some.
            if (decoder_.read(bytes)) {
                ++left;
                EXPECT_TRUE(decoder_.holds_something(bytes)) << to_hex(bytes);
            } else {
                ++refused;
            }
        }
    };
    for (const auto* name : names) {
        for (const auto& form : forms_of(load(std::string("keys/") + name + ".pem"))) {
            const bool pem = form.front() == '-';
            // Long numbers and the lines of PEM are all alike within: every byte around their ends, of the others some.
            const std::size_t rim = pem ? 40 : 48;
            for (std::size_t at = 0; at < form.size(); ++at) {
                const bool within = at > rim && at + rim < form.size();
                if (within && at % (pem ? 61 : 31) != 0) continue;
                const auto changes =
                    pem ? std::vector<std::uint8_t>{'A', '=', '\n', ' ', 0x80}
                        : std::vector<std::uint8_t>{0, 0x7f, 0x80, static_cast<std::uint8_t>(form[at] ^ 1),
                                                    static_cast<std::uint8_t>(form[at] + 1)};
                for (const auto change : changes) {
                    auto bytes = form;
                    bytes[at] = change;
                    attempt(bytes);
                }
                auto shorter = form;
                shorter.erase(shorter.begin() + static_cast<std::ptrdiff_t>(at));
                attempt(shorter);
                auto longer = form;
                longer.insert(longer.begin() + static_cast<std::ptrdiff_t>(at), form[at]);
                attempt(longer);
                shorter = form;
                shorter.resize(at);
                attempt(shorter);
            }
            for (const auto* tail : {"\n", "A", " ", "-----BEGIN PUBLIC KEY-----\n"}) {
                auto bytes = form;
                append(bytes, as_bytes(tail));
                attempt(bytes);
                bytes = to_bytes(as_bytes(tail));
                append(bytes, form);
                attempt(bytes);
            }
        }
    }
    EXPECT_GT(read, tried / 20) << "of " << tried << ": too few to tell";
    EXPECT_GT(left, 100U);
    EXPECT_GT(refused, 100U);
}

std::size_t replace_all(std::string& text, std::string_view from, std::string_view to) {
    std::size_t count = 0;
    for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()), ++count)
        text.replace(at, from.size(), to);
    return count;
}

TEST_F(PlainKeys, WhatIsNotQuiteUsualIsLeftToTheGeneralDecoder) {
    const auto pem = load("keys/p256.pem");
    std::string crlf(as_text(pem));
    ASSERT_GT(replace_all(crlf, "\n", "\r\n"), 0U);
    std::string mislabelled(as_text(pem));
    ASSERT_EQ(replace_all(mislabelled, "PRIVATE KEY", "EC PRIVATE KEY"), 2U);
    const auto twice = std::string(as_text(pem)) + std::string(as_text(load("keys/p384.pem")));
    for (const auto& text : {crlf, mislabelled, twice, "# a comment\n" + std::string(as_text(pem))})
        EXPECT_FALSE(PlainKey::find(as_bytes(text))) << text;
    // And yet they are read.
    const auto expected = public_key("keys/p256.pem");
    for (const auto& text : {crlf, twice, "# a comment\n" + std::string(as_text(pem))})
        EXPECT_EQ(PrivateKey::parse(as_bytes(text)).value().public_key(), expected) << text;
}

// The numbers at both ends of what a private key may be, and beyond.
TEST_F(PlainKeys, PrivateNumbersOutOfRangeAreTakenAsTheGeneralDecoderTakesThem) {
    const auto forms = forms_of(load("keys/p256.pem"));
    constexpr std::size_t secret_at = 36;  // in PKCS#8
    for (const auto* secret : {"0000000000000000000000000000000000000000000000000000000000000000",
                               "0000000000000000000000000000000000000000000000000000000000000001",
                               "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551",  // the order
                               "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550",
                               "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"}) {
        auto bytes = forms.at(1);
        ASSERT_EQ(bytes.size(), 138U);
        std::ranges::copy(from_hex(secret).value(), bytes.begin() + secret_at);
        same(bytes);
    }
}

TEST_F(PlainKeys, APointThatIsNotOnItsCurveIsRefused) {
    for (const auto* name : {"p256", "p384"}) {
        for (auto form : forms_of(load(std::string("keys/") + name + ".pem"))) {
            if (form.front() == '-') continue;
            form.back() ^= 1;
            EXPECT_FALSE(same(form));
            EXPECT_FALSE(PublicKey::parse(form));
            EXPECT_FALSE(PrivateKey::parse(form));
        }
    }
}

}  // namespace
}  // namespace fota::image
