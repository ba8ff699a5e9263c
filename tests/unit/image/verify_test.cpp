#include "image/verify.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "image/encrypt.hpp"
#include "image/signer.hpp"
#include "unit/image/vectors.hpp"

namespace fota::image {
namespace {

Result<Verdict> judge(BytesView file, std::span<const PublicKey> keys, const VerifyOptions& options = {}) {
    TRY(const auto parsed, parse(file));
    return verify(file, parsed, keys, options);
}

/// Whether the real bootloader took it in every mode it was tried in.
bool booted(const nlohmann::json& each) {
    for (const auto& [mode, verdict] : each.at("bootloader").items())
        if (verdict.at("result") != "UPDATED_TEST") return false;
    return true;
}

/// p256-4k as bytes before its TLVs, and its TLVs, to be put together anew.
struct Parts {
    Bytes region;
    Bytes hash;
    Bytes key_hash;
    Bytes signature;
};

Parts parts() {
    const auto file = load("img/p256-4k.bin");
    const auto parsed = parse(file).value();
    return {to_bytes(BytesView(file).first(parsed.hash_region_length)), to_bytes(value(file, parsed.tlvs[0])),
            to_bytes(value(file, parsed.tlvs[1])), to_bytes(value(file, parsed.tlvs[2]))};
}

Bytes assemble(const Bytes& region, const std::vector<std::pair<std::uint16_t, Bytes>>& tlvs) {
    Bytes area;
    for (const auto& [type, bytes] : tlvs) {
        append_le16(area, type);
        append_le16(area, static_cast<std::uint16_t>(bytes.size()));
        append(area, bytes);
    }
    auto out = region;
    append_le16(out, info_magic);
    append_le16(out, static_cast<std::uint16_t>(area.size() + 4));
    append(out, area);
    return out;
}

TEST(Verify, SameVerdictAsTheBootloaderOnEveryGoodImage) {
    for (const auto& each : manifest().at("images")) {
        if (is_hex(each)) continue;
        SCOPED_TRACE(each.at("name").get<std::string>());
        const auto file = load(each.at("file"));
        std::vector<PublicKey> keys;
        if (each.contains("key") && !each.at("key").is_null()) keys.push_back(public_key(each.at("key")));
        const auto verdict = judge(file, keys);
        if (each.contains("enc") || each.at("name") == "lzma2armthumb") {
            ASSERT_FALSE(verdict);
            EXPECT_EQ(verdict.error().code(), Errc::image_rejected);
            if (!each.contains("enc")) {
                EXPECT_TRUE(judge(file, keys, {.decompression = true}));
                continue;
            }
            const auto parsed = parse(file).value();
            const auto clear = decrypt(file, parsed, private_key(each.at("enc").at("device_key"))).value();
            EXPECT_EQ(judge(clear, keys, {.in_clear = true}).has_value(), booted(each));
            continue;
        }
        if (each.contains("bootloader")) {
            EXPECT_EQ(verdict.has_value(), booted(each));
        }
        if (each.at("name") == "p256-fullpub") continue;
        ASSERT_TRUE(verdict) << verdict.error().text();
        EXPECT_EQ(verdict->signature_checked, !keys.empty());
        EXPECT_TRUE(judge(file, {})) << "without a key";
    }
}

TEST(Verify, SameVerdictAsTheBootloaderOnEveryBadImage) {
    for (const auto& each : manifest().at("bad")) {
        const auto name = each.at("name").get<std::string>();
        SCOPED_TRACE(name);
        const std::vector keys{public_key(each.at("key"))};  // the one the bootloader held
        const auto verdict = judge(load(each.at("file")), keys);
        const bool updated = each.at("bootloader_secondary").at("result") == "UPDATED_TEST";
        EXPECT_EQ(each.at("bootloader_primary").at("boot_go") == "SUCCESS", updated)
            << "both slots agree on all of these";
        EXPECT_EQ(verdict.has_value(), updated) << (verdict ? "accepted" : verdict.error().text());
    }
}

TEST(Verify, SaysWhy) {
    const std::vector keys{public_key("keys/p256.pem")};
    struct Case {
        const char* name;
        Errc code;
        const char* message;
    };
    const Case cases[]{
        {"flip-payload-mid", Errc::image_rejected,
         "expected the SHA256 of the content to be 0aac…a9, as the image says, found"},
        {"flip-version", Errc::image_rejected, "expected the SHA256 of the content"},
        {"flip-hash", Errc::image_rejected, "expected the SHA256 of the content"},
        {"flip-seccnt", Errc::image_rejected, "expected the SHA256 of the content"},
        {"hash-len-31", Errc::image_rejected, "expected a SHA256 of 32 bytes, found 31"},
        {"no-hash", Errc::image_rejected, "expected a SHA256 TLV with the image's hash, found none"},
        {"flip-keyhash", Errc::key_mismatch,
         "expected a signature by the ECDSA-P256 key e734…fb, found one by the key"},
        {"flip-sig", Errc::signature_invalid, "expected a valid signature by the ECDSA-P256 key e734…fb"},
        {"dup-sig-good-bad", Errc::signature_invalid, "expected a valid signature by the ECDSA-P256 key"},
        {"sig-before-keyhash", Errc::image_rejected, "expected the signature after the KEYHASH it belongs to"},
        {"unknown-unprot-tlv", Errc::image_rejected,
         "expected only hash, key and signature in the unprotected TLVs, found"},
        {"unprot-seccnt", Errc::image_rejected, "in the unprotected TLVs, found SEC_CNT"},
    };
    const std::vector other{public_key("keys/p256-b.pem")};
    const auto stranger = judge(load("bad/wrong-key.bin"), other);
    ASSERT_FALSE(stranger);
    EXPECT_EQ(stranger.error().code(), Errc::key_mismatch);
    EXPECT_TRUE(stranger.error().message().ends_with("found one by the key e734…fb")) << stranger.error().message();
    for (const auto& each : cases) {
        SCOPED_TRACE(each.name);
        const auto verdict = judge(load(std::string("bad/") + each.name + ".bin"), keys);
        ASSERT_FALSE(verdict);
        EXPECT_EQ(verdict.error().code(), each.code);
        EXPECT_NE(verdict.error().message().find(each.message), std::string::npos) << verdict.error().message();
    }
}

// Without a key the signature is not judged, but what no bootloader would look at still is.
TEST(Verify, HashesThatLookAlikeWhenShortAreToldInFull) {
    const auto good = parts();
    auto alike = good.hash;
    alike[10] ^= 1;
    const auto refused = judge(assemble(good.region, {{tlv::sha256, alike}}), {});
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find(to_hex(alike)), std::string::npos) << refused.error().message();
    EXPECT_NE(refused.error().message().find(to_hex(good.hash)), std::string::npos);
    auto other = good.key_hash;
    other[10] ^= 1;
    const std::vector keys{public_key("keys/p256.pub.pem")};
    const auto stranger = judge(
        assemble(good.region, {{tlv::sha256, good.hash}, {tlv::key_hash, other}, {tlv::ecdsa, good.signature}}), keys);
    ASSERT_FALSE(stranger);
    EXPECT_NE(stranger.error().message().find(to_hex(other)), std::string::npos) << stranger.error().message();
}

TEST(Verify, WithoutAKey) {
    for (const auto* accepted : {"flip-keyhash", "flip-sig", "wrong-key", "trailing-garbage"})
        EXPECT_TRUE(judge(load(std::string("bad/") + accepted + ".bin"), {})) << accepted;
    for (const auto* refused :
         {"flip-payload-mid", "no-hash", "sig-before-keyhash", "unknown-unprot-tlv", "unprot-seccnt"})
        EXPECT_FALSE(judge(load(std::string("bad/") + refused + ".bin"), {})) << refused;
    EXPECT_FALSE(judge(load("img/p256-4k.bin"), {})->signature_checked);
}

// The cases of bootutil_img_validate's loop which no file of the set shows.
TEST(Verify, OrderAndDuplicates) {
    const std::vector keys{public_key("keys/p256.pem")};
    const auto p = parts();
    const auto verdict = [&](const std::vector<std::pair<std::uint16_t, Bytes>>& tlvs) {
        return judge(assemble(p.region, tlvs), keys).has_value();
    };
    auto bad_signature = p.signature;
    bad_signature[20] ^= 1;
    auto bad_hash = p.hash;
    bad_hash[0] ^= 1;
    using namespace tlv;
    const std::pair<std::uint16_t, Bytes> hash{sha256, p.hash}, key{key_hash, p.key_hash}, good{ecdsa, p.signature},
        bad{ecdsa, bad_signature};

    EXPECT_TRUE(verdict({hash, key, good}));
    EXPECT_TRUE(verdict({key, good, hash})) << "signature first";
    EXPECT_TRUE(verdict({hash, hash, key, good})) << "duplicate hash, both good";
    EXPECT_FALSE(verdict({hash, {sha256, bad_hash}, key, good})) << "duplicate hash, one bad";
    EXPECT_TRUE(verdict({hash, key, bad, key, good})) << "the last signature decides";
    EXPECT_FALSE(verdict({hash, key, good, key, bad}));
    EXPECT_TRUE(verdict({hash, key, good, bad})) << "the second signature has no KEYHASH and is ignored";
    EXPECT_FALSE(verdict({hash, key, bad, good})) << "two signatures for one KEYHASH";
    EXPECT_FALSE(verdict({hash, good})) << "no KEYHASH";
    EXPECT_FALSE(verdict({key, good})) << "no hash";
    EXPECT_TRUE(verdict({hash, {key_hash, {}}, good})) << "an empty KEYHASH names the first key";
    EXPECT_TRUE(verdict({hash, {key_hash, Bytes(p.key_hash.begin(), p.key_hash.begin() + 4)}, good}))
        << "a short KEYHASH";
    EXPECT_FALSE(verdict({hash, {key_hash, Bytes(33)}, good})) << "a KEYHASH longer than the hash";
    EXPECT_FALSE(verdict({hash, {key_hash, Bytes(32)}, good})) << "another key";
    EXPECT_TRUE(verdict({hash, {key_hash, Bytes(32)}, bad, key, good})) << "the other key's signature is skipped";
    EXPECT_FALSE(verdict({hash, key, {ecdsa, Bytes(129)}})) << "longer than the bootloader's buffer";
    EXPECT_FALSE(verdict({hash, key, good, {dependency, Bytes(12)}})) << "unprotected dependency";
    EXPECT_FALSE(verdict(std::vector<std::pair<std::uint16_t, Bytes>>(5000))) << "very many empty TLVs";

    auto padded = p.signature;
    padded.resize(72);
    EXPECT_TRUE(verdict({hash, key, {ecdsa, padded}})) << "imgtool's --pad-sig";
}

TEST(Verify, SeveralKeysAndTypes) {
    const auto file = load("img/p256-4k.bin");
    const std::vector both{public_key("keys/p256-b.pem"), public_key("keys/p256.pem")};
    EXPECT_EQ(judge(file, both)->key_index, 1u);
    const std::vector mixed{public_key("keys/rsa2048.pem"), public_key("keys/p256.pem")};
    EXPECT_EQ(judge(file, mixed)->key_index, 1u);
    const std::vector rsa{public_key("keys/rsa2048.pem")};
    EXPECT_EQ(judge(file, rsa).error().code(), Errc::key_mismatch);
    const std::vector p384{public_key("keys/p384.pem")};
    EXPECT_EQ(judge(file, p384).error().code(), Errc::key_mismatch);
    const std::vector encryption{public_key("keys/x25519-enc.pem")};
    EXPECT_EQ(judge(file, encryption).error().code(), Errc::key_unusable);
    EXPECT_EQ(judge(load("img/unsigned-256.bin"), rsa).error().code(), Errc::signature_invalid);
}

TEST(Verify, FullPublicKeyNeedsABootloaderWithItsKeyInHardware) {
    const auto file = load("img/p256-fullpub.bin");
    const std::vector keys{public_key("keys/p256.pem")};
    EXPECT_EQ(judge(file, keys).error().code(), Errc::image_rejected);
    EXPECT_TRUE(judge(file, keys, {.hardware_keys = true}));
    const std::vector other{public_key("keys/p256-b.pem")};
    EXPECT_EQ(judge(file, other, {.hardware_keys = true}).error().code(), Errc::key_mismatch);
}

TEST(Verify, AHashThatIsKnownIsNotTakenAgain) {
    const auto file = load("img/p256-4k.bin");
    const std::vector keys{public_key("keys/p256.pem")};
    const auto known = judge(file, keys)->hash;
    EXPECT_TRUE(judge(file, keys, {.known_hash = known}));
    const Bytes other(known.size());
    EXPECT_EQ(judge(file, keys, {.known_hash = other}).error().code(), Errc::image_rejected);
    EXPECT_TRUE(judge(file, keys, {.known_hash = BytesView(other).first(20)}))
        << "that of no hash this bootloader knows";
}

TEST(Verify, FlagsTheBootloaderRefuses) {
    auto file = load("img/unsigned-256.bin");
    const auto with_flags = [&](std::uint8_t low, std::uint8_t high) {
        auto copy = file;
        copy[16] = low;
        copy[17] = high;
        auto parsed = parse(copy).value();
        // Hash it anew, so that the flag alone decides.
        const auto hash = digest(HashType::sha256, BytesView(copy).first(parsed.hash_region_length));
        std::ranges::copy(hash, copy.begin() + static_cast<std::ptrdiff_t>(parsed.tlvs[0].offset));
        return judge(copy, {});
    };
    EXPECT_TRUE(with_flags(0, 0));
    EXPECT_TRUE(with_flags(0x20, 0)) << "RAM_LOAD means nothing to a swapping bootloader";
    EXPECT_EQ(with_flags(0x10, 0).error().message(), "expected a bootable image, found the flag NON_BOOTABLE");
    EXPECT_EQ(with_flags(0x04, 0).error().code(), Errc::image_rejected);
    EXPECT_EQ(with_flags(0x0c, 0).error().code(), Errc::image_rejected);
    EXPECT_EQ(with_flags(0, 0x04).error().code(), Errc::image_rejected);
}

// One flipped bit anywhere in a signed image is never accepted, header padding and TLVs included.
TEST(Verify, EveryFlippedByteIsRefused) {
    const auto good = load("img/ed25519-4k.bin");
    const std::vector keys{public_key("keys/ed25519.pem")};
    ASSERT_TRUE(judge(good, keys));
    for (std::size_t at = 0; at < good.size(); at += at < 600 || at >= 4600 ? 1 : 97) {
        auto bad = good;
        bad[at] ^= 0x40;
        EXPECT_FALSE(judge(bad, keys)) << "offset " << at;
    }
}

}  // namespace
}  // namespace fota::image
