#include "image/encrypt.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/sha256.hpp"
#include "image/builder.hpp"
#include "image/verify.hpp"
#include "unit/image/vectors.hpp"

namespace fota::image {
namespace {

std::vector<std::string> encrypted_vectors() {
    std::vector<std::string> out;
    for (const auto& each : manifest().at("images"))
        if (each.contains("enc")) out.push_back(each.at("name"));
    return out;
}

TEST(Encrypt, EveryReferenceImageIsDecrypted) {
    ASSERT_GE(encrypted_vectors().size(), 3u);
    for (const auto& name : encrypted_vectors()) {
        SCOPED_TRACE(name);
        const auto& each = vector(name);
        const auto& enc = each.at("enc");
        const auto file = load(each.at("file"));
        const auto parsed = parse(file).value();

        // With the image key that the reference names.
        auto payload = to_bytes(*slice(file, parsed.header.header_size, parsed.header.image_size));
        const auto image_key = from_hex(enc.at("aes_key").get<std::string>()).value();
        ASSERT_TRUE(aes_ctr(image_key, payload));
        EXPECT_EQ(to_hex(sha256(payload)), enc.at("plain_sha256"));

        // With the device's key.
        const auto clear = decrypt(file, parsed, private_key(enc.at("device_key")));
        ASSERT_TRUE(clear) << clear.error().text();
        EXPECT_TRUE(std::ranges::equal(payload, *slice(*clear, parsed.header.header_size, payload.size())));
        EXPECT_EQ(to_hex(sha256(BytesView(*clear).first(parsed.hash_region_length))), enc.at("hash_region_sha256"));
    }
}

// Everything but the random key is as imgtool wrote it.
TEST(Encrypt, EveryReferenceImageIsRebuilt) {
    for (const auto& name : encrypted_vectors()) {
        SCOPED_TRACE(name);
        const auto& each = vector(name);
        const auto device = private_key(each.at("enc").at("device_key"));
        const auto file = load(each.at("file"));
        const auto parsed = parse(file).value();
        SignOptions options;
        options.version = {2, 0, 0, 0};
        options.pad_header = true;
        options.slot_size = 0x40000;
        options.encryption = Encryption{.recipient = device.public_key()};
        FixedSigner signer(public_key(each.at("key")), {to_bytes(value(file, *parsed.signature()))});
        const auto ours = sign(load(each.at("payload")), options, &signer);
        ASSERT_TRUE(ours) << ours.error().text();
        const auto again = parse(*ours).value();
        ASSERT_EQ(ours->size(), file.size());
        EXPECT_FALSE(*ours == file) << "a key of its own";
        const auto before = parsed.tlvs.back().offset;
        EXPECT_EQ(again.tlvs.back().type, parsed.tlvs.back().type);
        EXPECT_TRUE(std::ranges::equal(BytesView(*decrypt(*ours, again, device)).first(before),
                                       BytesView(*decrypt(file, parsed, device)).first(before)));
    }
}

TEST(Encrypt, EveryKindOfKeyAndLength) {
    struct Case {
        KeyType type;
        std::uint32_t bits;
        HashType hmac;
        std::uint16_t tlv;
        std::size_t length;
    };
    const Case cases[]{
        {KeyType::ecdsa_p256, 128, HashType::sha256, tlv::enc_ec256, 113},
        {KeyType::ecdsa_p256, 256, HashType::sha256, tlv::enc_ec256, 129},
        {KeyType::x25519, 128, HashType::sha256, tlv::enc_x25519, 80},
        {KeyType::x25519, 256, HashType::sha256, tlv::enc_x25519, 96},
        {KeyType::x25519, 128, HashType::sha512, tlv::enc_x25519_sha512, 112},
        {KeyType::x25519, 256, HashType::sha512, tlv::enc_x25519_sha512, 128},
        {KeyType::rsa2048, 128, HashType::sha256, tlv::enc_rsa2048, 256},
        {KeyType::rsa2048, 256, HashType::sha256, tlv::enc_rsa2048, 256},
    };
    for (const auto& each : cases) {
        SCOPED_TRACE(std::string(key_type_name(each.type)) + " " + std::to_string(each.bits));
        const auto device = PrivateKey::generate(each.type).value();
        const Encryption encryption{device.public_key(), each.bits, each.hmac, false};
        const auto image_key = new_image_key(encryption).value();
        auto wrapped = wrap_key(encryption, image_key.reveal()).value();
        EXPECT_EQ(wrapped.type, each.tlv);
        EXPECT_EQ(wrapped.value.size(), each.length);
        EXPECT_EQ(unwrap_key(device, wrapped.type, wrapped.value, each.bits)->reveal(), image_key.reveal());
        EXPECT_FALSE(wrap_key(encryption, image_key.reveal())->value == wrapped.value) << "ephemeral";

        const auto other = PrivateKey::generate(each.type).value();
        EXPECT_EQ(unwrap_key(other, wrapped.type, wrapped.value, each.bits).error().code(), Errc::key_mismatch);
        EXPECT_EQ(unwrap_key(device, wrapped.type, wrapped.value, each.bits ^ 384).has_value(), false);
        EXPECT_EQ(unwrap_key(device, tlv::enc_aes_kw, wrapped.value, each.bits).error().code(), Errc::key_mismatch);
        for (std::size_t length : {std::size_t{0}, each.length - 1})
            EXPECT_EQ(
                unwrap_key(device, wrapped.type, BytesView(wrapped.value).first(length), each.bits).error().code(),
                Errc::image_rejected);
        for (std::size_t at = 0; at < wrapped.value.size(); at += 7) {
            auto bad = wrapped.value;
            bad[at] ^= 0x20;
            EXPECT_FALSE(unwrap_key(device, wrapped.type, bad, each.bits)) << at;
        }
    }
}

TEST(Encrypt, RefusesKeysNoBootloaderDecryptsWith) {
    for (const auto* name : {"keys/p384.pem", "keys/rsa3072.pem", "keys/ed25519.pem"}) {
        SCOPED_TRACE(name);
        SignOptions options;
        options.pad_header = true;
        options.encryption = Encryption{.recipient = public_key(name)};
        const auto refused = sign(Bytes(100), options, nullptr);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), Errc::key_unusable);
        EXPECT_NE(refused.error().message().find("the only ones a bootloader can decrypt with"), std::string::npos);
    }
    Encryption encryption{.recipient = public_key("keys/p256-enc.pem")};
    encryption.bits = 192;
    EXPECT_EQ(check_encryption(encryption).error().code(), Errc::usage);
    encryption.bits = 128;
    encryption.hmac = HashType::sha512;
    EXPECT_EQ(check_encryption(encryption).error().code(), Errc::usage);
    encryption.recipient = public_key("keys/x25519-enc.pem");
    EXPECT_TRUE(check_encryption(encryption));
}

TEST(Encrypt, ClearImagesKeepTheirPayload) {
    const auto device = private_key("keys/x25519-enc.pem");
    const auto payload = load("payload/p4109.bin");
    SignOptions options;
    options.pad_header = true;
    options.encryption = Encryption{.recipient = device.public_key(), .clear = true};
    const auto image = sign(payload, options, nullptr).value();
    const auto parsed = parse(image).value();
    EXPECT_EQ(parsed.header.flags, flag::encrypted_aes128);
    EXPECT_EQ(parsed.header.image_size, 4112u);
    EXPECT_TRUE(std::ranges::equal(payload, *slice(image, 0x200, payload.size())));
    EXPECT_TRUE(verify(image, parsed, {}, {.in_clear = true}));
}

TEST(Encrypt, RefusesToDecryptWhatIsNotForThisKey) {
    const auto file = load("img/enc-p256-aes128.bin");
    const auto parsed = parse(file).value();
    EXPECT_EQ(decrypt(file, parsed, private_key("keys/p256-b.pem")).error().code(), Errc::key_mismatch);
    EXPECT_EQ(decrypt(file, parsed, private_key("keys/x25519-enc.pem")).error().message(),
              "expected an image encrypted for an X25519 key, found ENC_EC256");
    EXPECT_EQ(decrypt(file, parsed, private_key("keys/p384.pem")).error().code(), Errc::key_unusable);
    const auto plain = load("img/p256-4k.bin");
    EXPECT_EQ(decrypt(plain, parse(plain).value(), private_key("keys/p256-enc.pem")).error().code(),
              Errc::image_rejected);
    auto both = file;
    both[16] |= 0x0c;
    EXPECT_EQ(decrypt(both, parse(both).value(), private_key("keys/p256-enc.pem")).error().code(),
              Errc::image_rejected);
    auto flagged = plain;
    flagged[16] |= 0x04;
    EXPECT_EQ(decrypt(flagged, parse(flagged).value(), private_key("keys/p256-enc.pem")).error().message(),
              "expected the image's key encrypted for an ECDSA-P256 key, found none");
}

}  // namespace
}  // namespace fota::image
