#include "image/compress.hpp"

#include <gtest/gtest.h>

#include <random>

#include "image/verify.hpp"
#include "unit/image/vectors.hpp"

namespace fota::image {
namespace {

TEST(Compress, HeaderTellsTheParameters) {
    const auto packed = compress(load("payload/t24k.bin"), {}).value();
    EXPECT_EQ(packed[0], 0x0a);  // 128 KiB
    EXPECT_EQ(packed[1], 0x66);  // (2 * 5 + 1) * 9 + 3
    EXPECT_EQ(compress(Bytes(10), {.dictionary = 4096, .lc = 0, .lp = 0, .pb = 0})->front(), 0);
    EXPECT_EQ(compress(Bytes(10), {.dictionary = 5000})->front(), 1);
}

TEST(Compress, ComesBack) {
    const auto payload = load("payload/t24k.bin");
    for (const bool arm_thumb : {false, true}) {
        const auto packed = compress(payload, {.arm_thumb = arm_thumb}).value();
        EXPECT_LT(packed.size(), payload.size());
        EXPECT_TRUE(decompress(packed, arm_thumb, payload.size()).value() == payload);
        EXPECT_FALSE(decompress(packed, !arm_thumb, payload.size()).value() == payload) << "the filter matters";
    }
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{3'000'000}}) {
        const auto zeros = compress(Bytes(size), {}).value();
        EXPECT_EQ(decompress(zeros, false, size).value(), Bytes(size)) << size;
    }
}

TEST(Compress, WhatCannotShrinkComesBackWithinTheRoomMadeForIt) {
    std::mt19937 random(2);
    // Ends around those of the encoder's chunks and of its caller's steps.
    for (const std::size_t size : {65'535u, 65'536u, 131'000u, 1'048'576u, 1'048'577u, 2'000'003u}) {
        Bytes payload(size);
        for (auto& each : payload) each = static_cast<std::uint8_t>(random());
        const auto packed = compress(payload, {}).value();
        EXPECT_GT(packed.size(), size);
        EXPECT_LT(packed.capacity(), size + size / 1024 + 128 * 1024) << "was moved while it grew";
        EXPECT_TRUE(decompress(packed, false, size).value() == payload) << size;
    }
}

TEST(Compress, RefusesParametersOutOfRange) {
    EXPECT_EQ(compress({}, {.dictionary = 4095}).error().code(), Errc::usage);
    EXPECT_EQ(compress({}, {.dictionary = (64U << 20) + 1}).error().code(), Errc::usage);
    EXPECT_EQ(compress({}, {.lc = 4, .lp = 1}).error().code(), Errc::usage);
    EXPECT_EQ(compress({}, {.lc = 0xffffffff, .lp = 2}).error().code(), Errc::usage);
    EXPECT_EQ(compress({}, {.pb = 5}).error().code(), Errc::usage);
    EXPECT_EQ(compress({}, {.preset = 10}).error().code(), Errc::usage);
}

TEST(Compress, RefusesDamagedStreamsAndWrongSizes) {
    const auto payload = load("payload/t24k.bin");
    const auto packed = compress(payload, {}).value();
    const auto code = [](BytesView bytes, std::uint64_t size) {
        const auto out = decompress(bytes, false, size);
        return out ? std::optional<Errc>() : out.error().code();
    };
    EXPECT_EQ(code(packed, payload.size() - 1), Errc::image_rejected);
    EXPECT_EQ(code(packed, payload.size() + 1), Errc::image_rejected);
    EXPECT_EQ(code(packed, 0xffff'ffff'ffff), Errc::image_rejected);
    EXPECT_EQ(code({}, 0), Errc::image_rejected);
    EXPECT_EQ(code(BytesView(packed).first(1), 0), Errc::image_rejected);
    EXPECT_EQ(code(BytesView(packed).first(packed.size() - 1), payload.size()), Errc::image_rejected);
    auto longer = packed;
    longer.push_back(0);
    EXPECT_EQ(code(longer, payload.size()), Errc::image_rejected);
    auto greedy = packed;
    greedy[0] = 40;  // 4 GiB
    EXPECT_EQ(code(greedy, payload.size()), Errc::image_rejected);
    std::mt19937 random(1);
    for (int i = 0; i < 200; ++i) {
        auto bad = packed;
        bad[random() % bad.size()] ^= static_cast<std::uint8_t>(1U << random() % 8);
        const auto out = decompress(bad, false, payload.size());
        if (out) {
            EXPECT_EQ(out->size(), payload.size());
        } else {
            EXPECT_EQ(out.error().code(), Errc::image_rejected);
        }
    }
}

// Each TLV about the decompressed image counts, and what was signed is what comes out.
TEST(Compress, ImagesAreJudgedByWhatComesOut) {
    const auto file = load("img/lzma2armthumb.bin");
    const auto parsed = parse(file).value();
    const VerifyOptions decompressing{.decompression = true};
    EXPECT_TRUE(verify(file, parsed, std::vector{public_key("keys/p256.pem")}, decompressing));
    EXPECT_TRUE(verify(file, parsed, {}, decompressing)->hash.size() == 32);
    EXPECT_FALSE(verify(file, parsed, {}));
    // A hash that fits, over a payload that decompresses to something else.
    auto other = file;
    const auto* hash = parsed.find(tlv::decompressed_hash);
    other[hash->offset] ^= 1;
    const auto fresh = digest(HashType::sha256, BytesView(other).first(parsed.hash_region_length));
    std::copy(fresh.begin(), fresh.end(),
              other.begin() + static_cast<std::ptrdiff_t>(parsed.find(tlv::sha256)->offset));
    const auto refused = verify(other, parsed, {}, decompressing);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message().find("of the decompressed image"), std::string::npos);
    auto size = file;
    size[parsed.find(tlv::decompressed_size)->offset] ^= 1;
    const auto sized = digest(HashType::sha256, BytesView(size).first(parsed.hash_region_length));
    std::copy(sized.begin(), sized.end(), size.begin() + static_cast<std::ptrdiff_t>(parsed.find(tlv::sha256)->offset));
    EXPECT_NE(verify(size, parsed, {}, decompressing).error().message().find("from the compressed payload"),
              std::string::npos);
}

}  // namespace
}  // namespace fota::image
