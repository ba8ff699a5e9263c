// Images nobody's tool writes: whatever stands in the TLV areas, the verdict is the bootloader's.
#include <gtest/gtest.h>

#include <iostream>
#include <random>

#include "image/decompressed.hpp"
#include "image/signer.hpp"
#include "image/verify.hpp"
#include "unit/image/bootutil_model.hpp"
#include "unit/image/vectors.hpp"

namespace fota::image {
namespace {

Bytes entry(std::uint16_t type, BytesView bytes) {
    Bytes out;
    append_le16(out, type);
    append_le16(out, static_cast<std::uint16_t>(bytes.size()));
    append(out, bytes);
    return out;
}

Bytes info(std::uint16_t magic, std::uint64_t total) {
    Bytes out;
    append_le16(out, magic);
    append_le16(out, static_cast<std::uint16_t>(total));
    return out;
}

Bytes joined(std::initializer_list<Bytes> parts) {
    Bytes out;
    for (const auto& each : parts) append(out, each);
    return out;
}

class Hostile : public testing::Test {
  protected:
    const PrivateKey key_ = private_key("keys/p256.pem");
    const PublicKey public_ = key_.public_key();

    /// Header and payload of 100 bytes in all, for a protected area as long as this.
    static Bytes head(std::uint64_t protected_size, std::uint16_t header_size = 64) {
        Header header;
        header.header_size = header_size;
        header.protected_tlv_size = static_cast<std::uint16_t>(protected_size);
        header.image_size = static_cast<std::uint32_t>(100 - header_size);
        auto out = encode_header(header);
        out.resize(100, 0x5a);
        return out;
    }

    Bytes sign(BytesView region) const {
        const auto hash = digest(HashType::sha256, region);
        return KeySigner(key_).sign({region, hash, HashType::sha256, false}).value();
    }

    /// Hash, KEYHASH and signature of the region.
    Bytes good_entries(BytesView region) const {
        return joined({entry(tlv::sha256, digest(HashType::sha256, region)),
                       entry(tlv::key_hash, public_.hash(HashType::sha256)), entry(tlv::ecdsa, sign(region))});
    }

    Result<Verdict> judge(BytesView file) const {
        TRY(const auto parsed, parse(file));
        return verify(file, parsed, std::span(&public_, 1));
    }

    void expect(BytesView file, bool boots, const char* why) const {
        const auto verdict = judge(file);
        EXPECT_EQ(verdict.has_value(), boots) << why << ": " << (verdict ? "taken" : verdict.error().text());
        EXPECT_EQ(model::Bootutil(file, public_).boots(), boots) << why;
    }
};

TEST_F(Hostile, AnEmptyTlvAtTheEndOfTheProtectedAreaCountsAsUnprotected) {
    for (const bool last : {true, false}) {
        auto entries = entry(0xa0, {});
        if (!last) append(entries, entry(0xa1, Bytes{1}));
        auto file = joined({head(entries.size() + 4), info(protected_info_magic, entries.size() + 4), entries});
        const auto tlvs = good_entries(file);
        append(file, info(info_magic, tlvs.size() + 4));
        append(file, tlvs);
        expect(file, !last, "an empty custom TLV");
    }
}

TEST_F(Hostile, AProtectedTlvMayReachOverTheUnprotectedHeader) {
    // Its value is 4 bytes in the area, and then the 4 of the other area's header: the walk goes on behind them.
    for (const std::uint64_t beyond : {0U, 3U, 4U, 5U}) {
        auto region = joined({head(12), info(protected_info_magic, 12), entry(0xa0, Bytes(4))});
        region[100 + 4 + 2] = static_cast<std::uint8_t>(4 + beyond);
        const auto tlvs = good_entries(region);
        const auto file = joined({region, info(info_magic, tlvs.size() + 4), tlvs});
        expect(file, beyond == 0 || beyond == 4, "a protected TLV that is too long");
    }
}

TEST_F(Hostile, WhatReachesOutOfTheProtectedAreaIsNoProtectedContent) {
    auto region = joined({head(12), info(protected_info_magic, 12), entry(tlv::security_counter, Bytes{7, 0, 0, 0})});
    const auto finish = [&] {
        const auto tlvs = good_entries(region);
        return joined({region, info(info_magic, tlvs.size() + 4), tlvs});
    };
    auto file = finish();
    EXPECT_EQ(parse(file).value().security_counter(file), 7u);
    region[100 + 4 + 2] = 8;
    file = finish();
    EXPECT_FALSE(parse(file).value().security_counter(file));
    region[17] |= flag::lzma2 >> 8;
    file = finish();
    const auto parsed = parse(file).value();
    EXPECT_EQ(decompressed_region(file, parsed).error().code(), Errc::image_rejected);
}

// A protected area too short for a TLV: the walk reads one across the border.
TEST_F(Hostile, AProtectedAreaOfAFewBytes) {
    for (std::uint64_t size = 4; size < 9; ++size) {
        auto region = joined({head(size), info(protected_info_magic, size)});
        const Bytes stray{0x30, 0x00, 0x00, 0x00};
        append(region, BytesView(stray).first(size - 4));
        // With 6 bytes the length is the magic of the other area, 0x6907: so much follows before the real TLVs.
        const auto filler = size == 6 ? Bytes(0x6907 - 2) : Bytes{};
        const auto tlvs = joined({filler, good_entries(region)});
        const auto file = joined({region, info(info_magic, tlvs.size() + 4), tlvs});
        expect(file, size == 4 || size == 6 || size == 8, "a short protected area");
    }
}

TEST_F(Hostile, SizesAtTheEdgeOf32Bits) {
    const auto region = head(0);
    const auto tlvs = good_entries(region);
    const auto good = joined({region, info(info_magic, tlvs.size() + 4), tlvs});
    expect(good, true, "untouched");
    for (const std::uint32_t size :
         {0xffffffffU, 0xffffffc0U, 0xffffffc1U, 0xffffff00U, 0x80000000U, 0x7fffffffU, 0xffff0000U, 0x24U})
        for (const std::uint16_t header : {std::uint16_t{64}, std::uint16_t{0}, std::uint16_t{0xffff}})
            for (const std::uint16_t area : {std::uint16_t{0}, std::uint16_t{4}, std::uint16_t{0xffff}}) {
                auto file = good;
                for (unsigned i = 0; i < 4; ++i) file[12 + i] = static_cast<std::uint8_t>(size >> 8 * i);
                file[8] = static_cast<std::uint8_t>(header);
                file[9] = static_cast<std::uint8_t>(header >> 8);
                file[10] = static_cast<std::uint8_t>(area);
                file[11] = static_cast<std::uint8_t>(area >> 8);
                expect(file, size == 0x24 && header == 64 && area == 0, "sizes");
            }
}

// The header's own size is checked by nobody: the hash begins with it, wherever the payload does.
TEST_F(Hostile, AHeaderOfAnySize) {
    for (const unsigned size : {0U, 1U, 31U, 32U, 100U}) {
        const auto region = head(0, static_cast<std::uint16_t>(size));
        const auto tlvs = good_entries(region);
        expect(joined({region, info(info_magic, tlvs.size() + 4), tlvs}), true, "a header of odd size");
    }
}

TEST_F(Hostile, TheAllowListIsThatOfOneBuild) {
    const auto ed = private_key("keys/ed25519.pem");
    const auto region = head(0);
    const auto hash = digest(HashType::sha256, region);
    const auto image = [&](const PrivateKey& key, std::initializer_list<std::uint16_t> more) {
        auto tlvs = entry(tlv::sha256, hash);
        append(tlvs, entry(tlv::key_hash, key.public_key().hash(HashType::sha256)));
        append(tlvs,
               entry(signature_tlv(key.type()), KeySigner(key).sign({region, hash, HashType::sha256, false}).value()));
        for (const auto type : more) append(tlvs, entry(type, Bytes(16)));
        return joined({region, info(info_magic, tlvs.size() + 4), tlvs});
    };
    const auto taken = [&](const PrivateKey& key, std::initializer_list<std::uint16_t> more) {
        const auto file = image(key, more);
        const auto half = key.public_key();
        const auto parsed = parse(file).value();
        const bool with_key = verify(file, parsed, std::span(&half, 1)).has_value();
        EXPECT_EQ(with_key, verify(file, parsed, {}).has_value());
        return with_key;
    };
    EXPECT_TRUE(taken(key_, {tlv::enc_ec256, tlv::enc_x25519}));
    EXPECT_FALSE(taken(key_, {tlv::enc_x25519_sha512})) << "HMAC-SHA512 is there with Ed25519 alone";
    EXPECT_TRUE(taken(ed, {tlv::enc_x25519_sha512}));
    EXPECT_FALSE(taken(ed, {tlv::enc_x25519_sha512, tlv::enc_x25519})) << "no build reads both";
    EXPECT_FALSE(taken(key_, {tlv::signature_pure}));
}

// In the protected area SIG_PURE is no business of a bootloader that signs hashes.
TEST_F(Hostile, AProtectedPureMark) {
    const auto ed = private_key("keys/ed25519.pem");
    const auto half = ed.public_key();
    const auto mark = entry(tlv::signature_pure, Bytes{1});
    const auto region = joined({head(mark.size() + 4), info(protected_info_magic, mark.size() + 4), mark});
    for (const bool pure : {true, false}) {
        const auto hash = digest(HashType::sha512, region);
        const auto tlvs =
            joined({entry(tlv::sha512, hash), entry(tlv::key_hash, half.hash(HashType::sha512)),
                    entry(tlv::ed25519, KeySigner(ed).sign({region, hash, HashType::sha512, pure}).value())});
        const auto file = joined({region, info(info_magic, tlvs.size() + 4), tlvs});
        const auto parsed = parse(file).value();
        EXPECT_TRUE(verify(file, parsed, std::span(&half, 1))) << pure;
        EXPECT_TRUE(verify(file, parsed, {})) << pure;
    }
}

// A bootloader for pure signatures looks for no hash of the image: by which hash it knows its key, KEYHASH alone tells.
TEST_F(Hostile, APureImageNeedsNoHash) {
    const auto ed = private_key("keys/ed25519.pem");
    const auto half = ed.public_key();
    const auto other = PrivateKey::generate(KeyType::ed25519)->public_key();
    const auto region = joined({head(0)});
    const auto signature = KeySigner(ed).sign({region, {}, HashType::sha512, true}).value();
    const auto judge = [&](const std::vector<Bytes>& entries, std::span<const PublicKey> keys) {
        Bytes tlvs;
        for (const auto& each : entries) append(tlvs, each);
        const auto file = joined({region, info(info_magic, tlvs.size() + 4), tlvs});
        return verify(file, parse(file).value(), keys).has_value();
    };
    const auto pure = entry(tlv::signature_pure, Bytes{1});
    const auto signed_by = entry(tlv::ed25519, signature);
    for (const auto hash : {HashType::sha256, HashType::sha512}) {
        for (const std::size_t length : {hash_size(hash), std::size_t{9}, std::size_t{1}}) {
            SCOPED_TRACE(length);
            auto named = half.hash(hash);
            named.resize(length);
            const auto key = entry(tlv::key_hash, named);
            EXPECT_TRUE(judge({pure, key, signed_by}, std::span(&half, 1)));
            EXPECT_TRUE(judge({pure, key, signed_by}, {}));
            EXPECT_FALSE(judge({pure, key, entry(tlv::ed25519, Bytes(64))}, std::span(&half, 1)));
            // The hash of the image by another hash than the key's.
            for (const auto of_image : {HashType::sha256, HashType::sha512}) {
                const auto right = entry(tlv_of(of_image), digest(of_image, region));
                const auto wrong = entry(tlv_of(of_image), Bytes(hash_size(of_image)));
                EXPECT_TRUE(judge({right, pure, key, signed_by}, std::span(&half, 1)));
                EXPECT_TRUE(judge({right, pure, key, signed_by}, {}));
                EXPECT_TRUE(judge({wrong, pure, key, signed_by}, std::span(&half, 1))) << "no bootloader looks at it";
                EXPECT_FALSE(judge({wrong, pure, key, signed_by}, {})) << "without a key the hash is what is checked";
            }
        }
        EXPECT_FALSE(judge({pure, entry(tlv::key_hash, half.hash(hash)), signed_by}, std::span(&other, 1)));
        EXPECT_FALSE(judge({pure, entry(tlv::key_hash, other.hash(hash)), signed_by}, std::span(&half, 1)));
    }
    EXPECT_FALSE(judge({pure, entry(tlv::key_hash, Bytes(65)), signed_by}, {}));
}

/// Areas put together at random from what matters to the walk, most of them wrong somewhere.
class Generator {
  public:
    Generator(std::uint32_t seed, const PublicKey& key) : random_(seed), key_hash_(key.hash(HashType::sha256)) {}

    std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(random_() % bound); }
    bool rarely() { return below(8) == 0; }
    Bytes noise(std::size_t size) {
        Bytes out(size);
        for (auto& each : out) each = static_cast<std::uint8_t>(random_());
        return out;
    }

    Bytes protected_entries() {
        Bytes out;
        static constexpr std::array<std::uint16_t, 8> types{0xa0, 0x50, 0x40, 0x30, 0x01, 0x10, 0x22, 0x99};
        for (auto count = below(4); count > 0; --count)
            append(out, spoiled(entry(types[below(types.size())], noise(below(3) * 4))));
        if (rarely()) append(out, noise(below(8)));
        return out;
    }

    Bytes unprotected_entries(const Bytes& hash, const Bytes& signature) {
        Bytes out;
        // In order as a rule, so that enough of them get far.
        const bool shuffled = rarely();
        for (std::uint32_t i = 0; i < 3 + below(3); ++i)
            append(out, spoiled(one(shuffled ? below(7) : i, hash, signature)));
        return out;
    }

    std::uint64_t nearly(std::uint64_t size) {
        if (!rarely()) return size;
        const auto out = size + below(13);
        return out < 6 ? 0 : out - 6;
    }

  private:
    Bytes one(std::uint32_t kind, const Bytes& hash, const Bytes& signature) {
        switch (kind) {
            case 0:
                return entry(tlv::sha256, rarely() ? noise(below(2) * 32) : hash);
            case 1: {
                auto bytes = key_hash_;
                bytes.resize(rarely() ? below(40) : 32, 0xcc);
                return entry(tlv::key_hash, rarely() ? noise(32) : bytes);
            }
            case 2: {
                auto bytes = signature;
                if (rarely()) bytes.resize(bytes.size() + below(80));
                return entry(tlv::ecdsa, rarely() ? noise(70) : bytes);
            }
            case 3:
                return entry(static_cast<std::uint16_t>(below(0x40)), noise(below(9)));
            case 4:
                return entry(tlv::key_hash, key_hash_);
            case 5:
                return entry(tlv::ecdsa, signature);
            default:
                return entry(tlv::enc_rsa2048, noise(below(5)));
        }
    }

    /// Now and then with a length that is a little off.
    Bytes spoiled(Bytes entry) {
        if (below(16) == 0) entry[2] = static_cast<std::uint8_t>(entry[2] + below(17) - 8);
        return entry;
    }

    std::mt19937 random_;
    Bytes key_hash_;
};

TEST_F(Hostile, SameVerdictAsTheModelOnRandomAreas) {
    constexpr std::uint32_t seed = 20'261;
    std::cout << "seed " << seed << "\n";
    Generator make(seed, public_);
    unsigned taken = 0;
    for (unsigned round = 0; round < 12'000; ++round) {
        const auto entries = make.below(2) == 0 ? Bytes{} : make.protected_entries();
        const auto size = entries.empty() ? 0 : make.nearly(entries.size() + 4);
        auto region = head(size);
        if (size != 0) append(region, joined({info(protected_info_magic, size), entries}));
        // The hash is over what the header says, whatever that cuts off or takes in.
        const auto hashed = BytesView(region).first(std::min<std::size_t>(region.size(), 100 + size));
        const auto tlvs = make.unprotected_entries(digest(HashType::sha256, hashed), sign(hashed));
        auto file = joined({to_bytes(hashed), info(info_magic, make.nearly(tlvs.size() + 4)), tlvs});
        if (make.rarely()) append(file, make.noise(make.below(40)));
        const bool boots = model::Bootutil(file, public_).boots();
        const auto verdict = judge(file);
        ASSERT_EQ(verdict.has_value(), boots)
            << "round " << round << ": " << (verdict ? "taken" : verdict.error().text()) << "\n"
            << to_hex(file);
        taken += boots ? 1 : 0;
    }
    // Neither side of the question is left out.
    EXPECT_GT(taken, 1'000u);
    EXPECT_LT(taken, 11'000u);
}

}  // namespace
}  // namespace fota::image
