#include "image/key.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>

#include "image/signer.hpp"
#include "unit/image/vectors.hpp"

namespace fota::image {
namespace {

constexpr KeyType every_type[]{KeyType::rsa2048,    KeyType::rsa3072, KeyType::ecdsa_p256,
                               KeyType::ecdsa_p384, KeyType::ed25519, KeyType::x25519};

// Signs a fixed request and lets it be verified.
bool round_trip(PrivateKey key, bool deterministic) {
    const auto public_half = key.public_key();
    const auto hash = default_hash(key.type());
    const Bytes region{1, 2, 3};
    const auto hashed = digest(hash, region);
    const SignRequest request{region, hashed, hash, false};
    KeySigner signer(std::move(key), deterministic);
    const auto signature = signer.sign(request);
    if (!signature || !verify_signature(public_half, request, *signature)) return false;
    auto other = hashed;
    other[0] ^= 1;
    return !verify_signature(public_half, {region, other, hash, false}, *signature);
}

TEST(Key, EveryTypeIsGeneratedWrittenAndReadBack) {
    for (const auto type : every_type) {
        SCOPED_TRACE(key_type_word(type));
        const auto key = PrivateKey::generate(type);
        ASSERT_TRUE(key) << key.error().text();
        EXPECT_EQ(key->type(), type);
        EXPECT_EQ(key_type_from_word(key_type_word(type)), type);
        const auto pem = key->pem();
        ASSERT_TRUE(pem);
        EXPECT_TRUE(pem->reveal().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        const auto again = PrivateKey::parse(as_bytes(pem->reveal()));
        ASSERT_TRUE(again) << again.error().text();
        EXPECT_EQ(again->public_key(), key->public_key());
        const auto from_pem = PublicKey::parse(as_bytes(key->public_key().pem()));
        ASSERT_TRUE(from_pem);
        EXPECT_EQ(*from_pem, key->public_key());
        const auto from_der = PublicKey::parse(key->public_key().encoded());
        ASSERT_TRUE(from_der) << "DER as the bootloader has it";
        EXPECT_EQ(*from_der, key->public_key());
        if (type != KeyType::x25519) {
            EXPECT_TRUE(round_trip(PrivateKey::parse(as_bytes(pem->reveal())).value(), false));
        }
    }
}

// The KEYHASH an image carries is the hash of encoded(): the vectors know it for each type.
TEST(Key, HashEqualsTheKeyHashInTheImages) {
    for (const auto* name : {"p256-4k", "rsa2048-4k", "rsa3072-4k", "p384-4k", "ed25519-4k", "ed25519-sha512"}) {
        SCOPED_TRACE(name);
        const auto& entry = vector(name);
        const auto file = load(entry.at("file"));
        const auto parsed = parse(file).value();
        const auto key = public_key(entry.at("key"));
        EXPECT_EQ(to_hex(key.hash(*parsed.hash_type())), to_hex(parsed.key_hash(file)));
        EXPECT_EQ(signature_tlv(key.type()), parsed.signature()->type);
    }
}

TEST(Key, PublicHalfAloneIsRead) {
    for (const auto* name : {"p256", "p384", "rsa2048", "rsa3072", "ed25519", "x25519-enc"})
        EXPECT_EQ(public_key(std::string("keys/") + name + ".pub.pem"),
                  public_key(std::string("keys/") + name + ".pem"));
}

TEST(Key, EncryptedPemNeedsItsPassphrase) {
    const auto key = PrivateKey::generate(KeyType::ecdsa_p256).value();
    const Passphrase right(std::string("correct horse"));
    const Passphrase wrong(std::string("battery staple"));
    const auto pem = key.pem(&right).value();
    const auto bytes = as_bytes(pem.reveal());
    EXPECT_TRUE(pem.reveal().starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
    EXPECT_TRUE(is_encrypted_key(bytes));
    EXPECT_FALSE(is_encrypted_key(as_bytes(key.pem()->reveal())));
    EXPECT_EQ(PrivateKey::parse(bytes, &right)->public_key(), key.public_key());
    EXPECT_EQ(PrivateKey::parse(bytes, &wrong).error().code(), Errc::credentials_unusable);
    EXPECT_EQ(PrivateKey::parse(bytes).error().message(),
              "expected a passphrase for the encrypted private key, found none");
    EXPECT_EQ(PublicKey::parse(bytes).error().code(), Errc::key_unusable);
}

/// What stands in a PEM file.
Bytes der_of(const std::string& pem) {
    BIO* bio = BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()));
    char* label = nullptr;
    char* header = nullptr;
    unsigned char* data = nullptr;
    long size = 0;
    Bytes out;
    if (PEM_read_bio(bio, &label, &header, &data, &size) == 1) out.assign(data, data + size);
    OPENSSL_free(label);
    OPENSSL_free(header);
    OPENSSL_free(data);
    BIO_free(bio);
    return out;
}

std::string pem_of(const Bytes& der, const char* label) {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio(bio, label, "", der.data(), static_cast<long>(der.size()));
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string out(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return out;
}

// Each would take from some seconds to half an hour if the file had its way.
TEST(Key, AnEncryptedKeyCannotAskForHoursOfHashing) {
    const Passphrase passphrase(std::string("correct horse"));
    const auto key = PrivateKey::generate(KeyType::ecdsa_p256).value();
    auto der = der_of(key.pem(&passphrase).value().reveal());
    ASSERT_TRUE(is_encrypted_key(der));
    EXPECT_TRUE(PrivateKey::parse(der, &passphrase));
    const Bytes rounds{0x02, 0x03, 0x09, 0x27, 0xc0};
    const auto found = std::ranges::search(der, rounds);
    ASSERT_FALSE(found.empty());
    std::ranges::copy(Bytes{0x7f, 0xff, 0xff}, found.begin() + 2);
    for (const auto& file : {der, to_bytes(as_bytes(pem_of(der, "ENCRYPTED PRIVATE KEY"))),
                             to_bytes(as_bytes(pem_of(der, "PRIVATE KEY"))), to_bytes(as_bytes(pem_of(der, "ANY KEY"))),
                             to_bytes(as_bytes(pem_of({1, 2, 3}, "FIRST") + pem_of(der, "ANY KEY")))}) {
        EXPECT_TRUE(is_encrypted_key(file));
        EXPECT_EQ(PrivateKey::parse(file).error().code(), Errc::credentials_unusable);
        EXPECT_EQ(PublicKey::parse(file).error().code(), Errc::key_unusable);
        const auto refused = PrivateKey::parse(file, &passphrase);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().message(),
                  "expected a passphrase to be hashed at most 5000000 times for an encrypted key, found 8388607");
    }
    // scrypt counts by its three costs; PBES1 and PKCS#12 have a number of rounds elsewhere.
    std::array<unsigned char, 8> salt{};
    for (auto* scheme : {PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), salt.data(), 8, nullptr, 16384, 8, 200),
                         PKCS5_pbe_set(NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 0x7fffffff, salt.data(), 8),
                         PKCS5_pbe_set(NID_pbeWithMD5AndDES_CBC, 0x7fffffff, salt.data(), 8)}) {
        ASSERT_NE(scheme, nullptr);
        X509_SIG* sealed = X509_SIG_new();
        X509_ALGOR* algorithm = nullptr;
        ASN1_OCTET_STRING* content = nullptr;
        X509_SIG_getm(sealed, &algorithm, &content);
        ASSERT_EQ(X509_ALGOR_copy(algorithm, scheme), 1);
        ASN1_OCTET_STRING_set(content, salt.data(), 8);
        Bytes file(static_cast<std::size_t>(i2d_X509_SIG(sealed, nullptr)));
        auto* cursor = file.data();
        i2d_X509_SIG(sealed, &cursor);
        X509_SIG_free(sealed);
        X509_ALGOR_free(scheme);
        EXPECT_TRUE(is_encrypted_key(file));
        const auto refused = PrivateKey::parse(file, &passphrase);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), Errc::key_unusable);
        EXPECT_TRUE(refused.error().message().starts_with("expected a passphrase to be hashed at most 5000000 times"))
            << refused.error().message();
    }
}

/// As `openssl ecparam -genkey` writes them before the key.
constexpr const char* curve_parameters =
    "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n";

std::string sec1_pem(const PrivateKey& key) {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PrivateKey_traditional(bio, key.evp(), nullptr, nullptr, 0, nullptr, nullptr);
    char* data = nullptr;
    const long size = BIO_get_mem_data(bio, &data);
    std::string out(data, static_cast<std::size_t>(size));
    BIO_free(bio);
    return out;
}

TEST(Key, TheFirstBlockThatIsAKeyOfTheWantedKindIsTaken) {
    const auto key = PrivateKey::generate(KeyType::ecdsa_p256).value();
    const auto other = PrivateKey::generate(KeyType::ed25519).value();
    const Passphrase passphrase(std::string("correct horse"));
    const auto open = std::string(key.pem().value().reveal());
    const auto sealed = std::string(key.pem(&passphrase).value().reveal());
    const auto half = key.public_key().pem();
    const std::string certificate = pem_of({0x30, 0x03, 0x02, 0x01, 0x00}, "CERTIFICATE");
    const std::string words = "Bag Attributes\n    friendlyName: release\n";

    for (const auto& file : {curve_parameters + sec1_pem(key), curve_parameters + open, certificate + open, half + open,
                             words + open, open + certificate, certificate + words + half + open + half,
                             open + std::string(other.pem().value().reveal()), open.substr(0, open.size() - 1)}) {
        const auto found = PrivateKey::parse(as_bytes(file));
        ASSERT_TRUE(found) << found.error().text() << file;
        EXPECT_EQ(found->public_key(), key.public_key());
        EXPECT_FALSE(is_encrypted_key(as_bytes(file)));
        const auto of_it = PublicKey::parse(as_bytes(file));
        ASSERT_TRUE(of_it) << of_it.error().text();
        EXPECT_EQ(*of_it, key.public_key());
    }
    for (const auto& file : {certificate + sealed, half + sealed, curve_parameters + words + sealed}) {
        EXPECT_TRUE(is_encrypted_key(as_bytes(file))) << file;
        EXPECT_EQ(PrivateKey::parse(as_bytes(file)).error().code(), Errc::credentials_unusable);
        EXPECT_EQ(PrivateKey::parse(as_bytes(file), &passphrase)->public_key(), key.public_key());
    }
    EXPECT_EQ(*PublicKey::parse(as_bytes(sealed + half)), key.public_key()) << "no passphrase is needed for it";
    EXPECT_EQ(*PublicKey::parse(as_bytes(certificate + half)), key.public_key());
    EXPECT_EQ(PrivateKey::parse(as_bytes(certificate + half)).error().message(),
              "expected a private key, found a public key");
    EXPECT_EQ(PrivateKey::parse(as_bytes(curve_parameters + certificate)).error().code(), Errc::key_unusable);
    EXPECT_EQ(PublicKey::parse(as_bytes(certificate)).error().code(), Errc::key_unusable);
    const auto broken = open.substr(0, 40) + "!" + open.substr(41);
    EXPECT_EQ(PublicKey::parse(as_bytes(broken)).error().message(),
              "expected a public key in PEM or DER, found a private key that cannot be read");
    EXPECT_EQ(PrivateKey::parse(as_bytes(broken)).error().code(), Errc::key_unusable);
}

TEST(Key, AfterAnEcdsaSignatureStandZerosOrNothing) {
    for (const auto* name : {"keys/p256.pem", "keys/p384.pem"}) {
        auto key = private_key(name);
        const auto half = key.public_key();
        const auto hash = default_hash(key.type());
        const auto hashed = digest(hash, as_bytes("sample"));
        const SignRequest request{as_bytes("sample"), hashed, hash, false};
        const auto signature = KeySigner(std::move(key)).sign(request).value();
        EXPECT_TRUE(verify_signature(half, request, signature));
        for (const auto& [tail, taken] : {std::pair(Bytes{0}, true), std::pair(Bytes{0, 0, 0}, true),
                                          std::pair(Bytes{1}, false), std::pair(Bytes{0, 0xff}, false)}) {
            auto longer = signature;
            append(longer, tail);
            EXPECT_EQ(verify_signature(half, request, longer), taken) << to_hex(tail);
        }
    }
}

// imgtool signs with id-RSASSA-PSS keys, and by its own hash and salt whatever theirs are.
TEST(Key, AnRsaPssKeyIsAnRsaKey) {
    for (const bool restricted : {false, true}) {
        SCOPED_TRACE(restricted);
        EVP_PKEY_CTX* context = EVP_PKEY_CTX_new_from_name(nullptr, "RSA-PSS", nullptr);
        EVP_PKEY* made = nullptr;
        ASSERT_EQ(EVP_PKEY_keygen_init(context), 1);
        ASSERT_EQ(EVP_PKEY_CTX_set_rsa_keygen_bits(context, 2048), 1);
        if (restricted) {
            ASSERT_EQ(EVP_PKEY_CTX_set_rsa_pss_keygen_md(context, EVP_sha512()), 1);
        }
        ASSERT_EQ(EVP_PKEY_generate(context, &made), 1);
        BIO* bio = BIO_new(BIO_s_mem());
        ASSERT_EQ(PEM_write_bio_PKCS8PrivateKey(bio, made, nullptr, nullptr, 0, nullptr, nullptr), 1);
        char* data = nullptr;
        long size = BIO_get_mem_data(bio, &data);
        const std::string pem(data, static_cast<std::size_t>(size));
        (void)BIO_reset(bio);
        ASSERT_EQ(PEM_write_bio_PUBKEY(bio, made), 1);
        size = BIO_get_mem_data(bio, &data);
        const std::string half(data, static_cast<std::size_t>(size));
        BIO_free(bio);
        EVP_PKEY_free(made);
        EVP_PKEY_CTX_free(context);

        auto key = PrivateKey::parse(as_bytes(pem));
        ASSERT_TRUE(key) << key.error().text();
        EXPECT_EQ(key->type(), KeyType::rsa2048);
        const auto of_it = PublicKey::parse(as_bytes(half));
        ASSERT_TRUE(of_it) << of_it.error().text();
        EXPECT_EQ(*of_it, key->public_key());
        EXPECT_TRUE(PrivateKey::parse(as_bytes(key->pem()->reveal())));
        EXPECT_TRUE(round_trip(PrivateKey::parse(as_bytes(pem)).value(), false));
        EXPECT_TRUE(round_trip(std::move(*key), true));
    }
}

TEST(Key, WhatIsNoKey) {
    EXPECT_EQ(PublicKey::parse({}).error().message(), "expected a public key in PEM or DER, found neither");
    EXPECT_EQ(PublicKey::parse(as_bytes("hello")).error().code(), Errc::key_unusable);
    EXPECT_EQ(PublicKey::parse(Bytes(100'000, 0x30)).error().code(), Errc::key_unusable);
    EXPECT_EQ(PrivateKey::parse(load("keys/p256.pub.pem")).error().message(),
              "expected a private key, found a public key");
    EXPECT_EQ(PrivateKey::parse(load("img/p256-4k.bin")).error().message(),
              "expected a private key in PEM or DER, found neither");
    const char* secp256k1 =
        "-----BEGIN PUBLIC KEY-----\n"
        "MFYwEAYHKoZIzj0CAQYFK4EEAAoDQgAEeb5mfvncu6xVoGKVzocLBwKb/NstzijZ\n"
        "WfKBWxb4F5hIOtp3JqPEZV2k+/wOEQio/Re0SKaFVBmcR9CP+xDUuA==\n"
        "-----END PUBLIC KEY-----\n";
    EXPECT_EQ(PublicKey::parse(as_bytes(secp256k1)).error().message(),
              "expected a key on the curve P-256 or P-384, found secp256k1");
}

TEST(Key, PublishedDevelopmentKeysAreNamed) {
    EXPECT_EQ(
        development_key_name(from_hex("fc5701dc6135e1323847bdc40f04d2e5bee5833b23c29f93593d00018cfa9994").value()),
        "root-rsa-2048");
    EXPECT_EQ(
        development_key_name(from_hex("e30466f6b8470c1f29070b17f1e2d3e94d445e3f608087fdc711e4382bb538b6").value()),
        "root-ec-p256");
    EXPECT_EQ(development_key_name(public_key("keys/p256.pem").fingerprint()), "");
    EXPECT_EQ(development_key_name({}), "");
}

/// An EC private key in SEC1 DER with a named curve, from its number.
Bytes sec1(const std::string& number, const std::string& curve_oid) {
    const auto secret = from_hex(number).value();
    const auto oid = from_hex(curve_oid).value();
    Bytes body{0x02, 0x01, 0x01, 0x04, static_cast<std::uint8_t>(secret.size())};
    append(body, secret);
    body.insert(body.end(), {0xa0, static_cast<std::uint8_t>(oid.size())});
    append(body, oid);
    Bytes out{0x30, static_cast<std::uint8_t>(body.size())};
    append(out, body);
    return out;
}

std::string sign_sample(const Bytes& der) {
    auto key = PrivateKey::parse(der).value();
    const auto hash = default_hash(key.type());
    const auto hashed = digest(hash, as_bytes("sample"));
    KeySigner signer(std::move(key), true);
    return to_hex(signer.sign({as_bytes("sample"), hashed, hash, false}).value());
}

// RFC 6979, appendices A.2.5 and A.2.6: message "sample".
TEST(Deterministic, EcdsaIsRfc6979) {
    const auto p256 =
        sign_sample(sec1("c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721", "06082a8648ce3d030107"));
    EXPECT_NE(p256.find("efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"), std::string::npos) << p256;
    EXPECT_NE(p256.find("f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"), std::string::npos) << p256;
    const auto p384 = sign_sample(
        sec1("6b9d3dad2e1b8c1c05b19875b6659f4de23c3b667bf297ba9aa47740787137d896d5724e4c70a825f872c9ea60d2edf5",
             "06052b81040022"));
    EXPECT_NE(
        p384.find("94edbb92a5ecb8aad4736e56c691916b3f88140666ce9fa73d64c4ea95ad133c81a648152e44acf96e36dd1e80fabe46"),
        std::string::npos)
        << p384;
    EXPECT_NE(
        p384.find("99ef4aeb15f178cea1fe40db2603138f130e740a19624526203b6351d0a3a94fa329c145786e679e7b82c71a38628ac8"),
        std::string::npos)
        << p384;
}

TEST(Deterministic, EveryTypeVerifiesAndRepeats) {
    for (const auto* name : {"p256", "p384", "rsa2048", "rsa3072", "ed25519"}) {
        SCOPED_TRACE(name);
        const auto file = std::string("keys/") + name + ".pem";
        EXPECT_TRUE(round_trip(private_key(file), true));
        const auto once = [&](std::string_view message) {
            auto key = private_key(file);
            const auto hash = default_hash(key.type());
            const auto hashed = digest(hash, as_bytes(message));
            KeySigner signer(std::move(key), true);
            return signer.sign({as_bytes(message), hashed, hash, false}).value();
        };
        EXPECT_EQ(once("a"), once("a"));
        EXPECT_NE(once("a"), once("b"));
    }
    KeySigner signer(private_key("keys/x25519-enc.pem"), true);
    EXPECT_EQ(signer.sign({}).error().code(), Errc::key_unusable);
}

}  // namespace
}  // namespace fota::image
