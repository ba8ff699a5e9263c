#include "image/builder.hpp"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <functional>
#include <map>

#include "base/sha256.hpp"
#include "image/verify.hpp"
#include "unit/image/vectors.hpp"

namespace fota::image {
namespace {

Bytes from_base64(const std::string& text) {
    Bytes out(text.size() / 4 * 3);
    EVP_DecodeBlock(out.data(), reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
    out.resize(out.size() - static_cast<std::size_t>(std::ranges::count(text, '=')));
    return out;
}

/// What the vector was signed with: of a compressed image also the signature of the payload as it was.
std::vector<Bytes> signatures(const nlohmann::json& each) {
    std::vector<Bytes> out;
    const auto file = load(each.at("file"));
    if (const auto parsed = parse(file))
        if (const auto* inner = parsed->find(tlv::decompressed_signature)) out.push_back(to_bytes(value(file, *inner)));
    out.push_back(from_base64(each.at("signature_b64")));
    return out;
}

SignOptions options(const char* version, std::uint64_t slot_size = 0x40000) {
    SignOptions out;
    out.version = Version::parse(version).value();
    out.pad_header = true;
    out.slot_size = slot_size;
    return out;
}

SignOptions with(SignOptions options, const std::function<void(SignOptions&)>& change) {
    change(options);
    return options;
}

/// The manifest's commands in our terms.
std::map<std::string, SignOptions> recipes() {
    return {
        {"p256-4k", options("1.2.3+4")},
        {"rsa2048-4k", options("1.2.3")},
        {"rsa3072-4k", options("1.2.3")},
        {"p384-4k", options("1.2.3")},
        {"ed25519-4k", options("1.2.3")},
        {"ed25519-sha512", with(options("1.2.3"), [](auto& o) { o.hash = HashType::sha512; })},
        {"ed25519-pure", with(options("1.2.3"), [](auto& o) { o.pure = true; })},
        {"p256-hdr32", with(options("1"), [](auto& o) { o.header_size = 32; })},
        {"p256-pad-align4", with(options("2.0.0", 0x10000), [](auto& o) { o.pad = true; })},
        {"p256-confirm-align16", with(options("2.0.0", 0x10000),
                                      [](auto& o) {
                                          o.align = 16;
                                          o.confirm = true;
                                      })},
        {"p256-pad-align4-max32", with(options("2.0.0", 0x10000),
                                       [](auto& o) {
                                           o.max_align = 32;
                                           o.pad = true;
                                       })},
        {"p256-overwrite-confirm", with(options("2.0.0", 0x10000),
                                        [](auto& o) {
                                            o.align = 1;
                                            o.boot_mode = FOTA_BOOT_OVERWRITE;
                                            o.confirm = true;
                                        })},
        {"p256-seccnt-auto",
         with(options("1.2.3"), [](auto& o) { o.security_counter = o.version.security_counter(); })},
        {"p256-bootrecord", with(options("1.2.3+9"), [](auto& o) { o.boot_record = "NSPE"; })},
        {"p256-deps", with(options("1.2.3"),
                           [](auto& o) {
                               o.dependencies = {{0, 0, {1, 2, 3, 4}}, {1, 0, {2, 0, 0, 0}}};
                           })},
        {"p256-customtlv", with(options("1.2.3"),
                                [](auto& o) {
                                    o.custom_tlvs = {{0xa0, to_bytes(as_bytes("hello"))},
                                                     {0xa1, Bytes{0xde, 0xad, 0xbe, 0xef}},
                                                     {0x12a2, {}},
                                                     {0xb0, load("payload/tlv.dat")}};
                                })},
        {"p256-fullpub", with(options("1.2.3"), [](auto& o) { o.full_public_key = true; })},
        {"unsigned-256", options("1.2.3")},
        {"lzma2armthumb", with(options("2.0.0"),
                               [](auto& o) {
                                   o.boot_mode = FOTA_BOOT_OVERWRITE;
                                   o.compression = Compression{.arm_thumb = true};
                               })},
        {"hex2hex", options("1.0.0")},
        {"nordic-padvalue0", with(options("1.2.3", 0x10000),
                                  [](auto& o) {
                                      o.erased_value = 0;
                                      o.pad = true;
                                  })},
    };
}

Result<std::string> hex_text(const Built& built, const SignOptions& options, std::uint32_t address) {
    std::string out;
    TRY_VOID(write_hex(built, options, address, [&](std::string_view text) -> Result<> {
        out += text;
        return {};
    }));
    return out;
}

Result<HexFile> hex_file(const Built& built, const SignOptions& options, std::uint32_t address) {
    TRY(const auto text, hex_text(built, options, address));
    return parse_hex(as_bytes(text));
}

/// The image in the form of the reference file.
Result<Bytes> written(const nlohmann::json& each, const SignOptions& options, Signer* signer) {
    const auto payload = load(each.at("payload"));
    if (!is_hex(each)) return sign(payload, options, signer);
    TRY(const auto in, parse_hex(payload));
    TRY(const auto flat, in.flat());
    TRY(const auto built, build(flat, options, signer));
    TRY(const auto out, hex_text(built, options, in.first_address() - options.header_size));
    return to_bytes(as_bytes(out));
}

// Byte for byte what imgtool wrote, for every image that is not encrypted (for those see encrypt_test.cpp).
TEST(Sign, RebuildsEveryReferenceImage) {
    const auto known = recipes();
    for (const auto& each : manifest().at("images")) {
        const auto name = each.at("name").get<std::string>();
        SCOPED_TRACE(name);
        if (each.contains("enc")) continue;
        ASSERT_TRUE(known.contains(name)) << "no recipe";
        const auto expected = load(each.at("file"));
        Result<Bytes> built = fail(Errc::internal, "not built");
        if (!each.contains("key") || each.at("key").is_null()) {
            built = written(each, known.at(name), nullptr);
        } else if (each.at("deterministic").get<bool>()) {
            KeySigner signer(private_key(each.at("key")));
            built = written(each, known.at(name), &signer);
        } else {
            FixedSigner signer(public_key(each.at("key")), signatures(each));
            built = written(each, known.at(name), &signer);
        }
        ASSERT_TRUE(built) << built.error().text();
        EXPECT_EQ(built->size(), each.at("size"));
        EXPECT_EQ(to_hex(sha256(*built)), each.at("sha256"));
        EXPECT_TRUE(*built == expected);
    }
}

TEST(Sign, EveryKeyTypeGivesAnImageThatVerifies) {
    const auto payload = load("payload/p4k.bin");
    for (const auto* name : {"p256", "p384", "rsa2048", "rsa3072", "ed25519"}) {
        SCOPED_TRACE(name);
        const auto file = std::string("keys/") + name + ".pem";
        KeySigner signer(private_key(file), true);
        const auto image = sign(payload, options("1.2.3"), &signer);
        ASSERT_TRUE(image) << image.error().text();
        EXPECT_EQ(sign(payload, options("1.2.3"), &signer).value(), *image) << "deterministic";
        const std::vector keys{public_key(file)};
        EXPECT_TRUE(verify(*image, parse(*image).value(), keys)->signature_checked);
    }
}

TEST(Sign, HeaderSpaceIsMadeOrMustBeThere) {
    auto payload = load("payload/p4k.bin");
    auto opts = options("1.0.0");
    const auto padded = sign(payload, opts, nullptr).value();
    opts.pad_header = false;
    const auto refused = sign(payload, opts, nullptr);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::image_malformed);
    EXPECT_NE(refused.error().message().find("expected a payload that begins with 512 zero bytes"), std::string::npos);
    EXPECT_EQ(sign(Bytes(100), opts, nullptr).error().code(), Errc::image_malformed);
    EXPECT_EQ(sign(padded, opts, nullptr).error().message(), "expected an unsigned payload, found an MCUboot image");

    payload.insert(payload.begin(), 0x200, 0);
    const auto in_place = sign(payload, opts, nullptr).value();
    EXPECT_EQ(in_place.size(), padded.size());
    EXPECT_EQ(parse(in_place)->header.image_size, 4096u);
}

TEST(Sign, RefusesWhatTheSlotCannotSwap) {
    // 256 KiB, 128 sectors: swap-using-move takes 253,952 bytes, imgtool 260,560.
    const auto sized = [](std::size_t end, fota_boot_mode mode) {
        auto opts = options("1.0.0");
        opts.boot_mode = mode;
        const auto overhead = sign(Bytes(1), opts, nullptr)->size() - 1;
        return sign(Bytes(end - overhead), opts, nullptr);
    };
    EXPECT_TRUE(sized(253'952, FOTA_BOOT_MOVE));
    const auto refused = sized(253'953, FOTA_BOOT_MOVE);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::image_too_large);
    EXPECT_EQ(refused.error().detail("limit"), "253952");
    EXPECT_EQ(refused.error().detail("found"), "253953");
    EXPECT_EQ(refused.error().detail("imgtool_accepts"), "true");
    EXPECT_EQ(refused.error().message(),
              "expected at most 253,952 bytes for swap-move in a slot of 0x40000 (128 sectors of 4096), found 253,953; "
              "imgtool "
              "would accept it, and the bootloader would then refuse to swap it");
    EXPECT_TRUE(sized(260'560, FOTA_BOOT_SCRATCH));
    EXPECT_EQ(sized(260'561, FOTA_BOOT_SCRATCH).error().detail("imgtool_accepts"), "false");
    EXPECT_TRUE(sized(262'104, FOTA_BOOT_OVERWRITE));
    EXPECT_FALSE(sized(262'105, FOTA_BOOT_OVERWRITE));
}

TEST(CheckFits, SaysWhatImgtoolWouldTakeOfAnEncryptedImage) {
    // Two keys of 16 bytes less than the 260,560 of an image in clear.
    const auto imgtool_accepts = [](std::uint64_t end, std::uint32_t key_bytes) {
        const auto refused = check_fits(end, {FOTA_BOOT_MOVE, 256 * 1024, 4096, 128, 4, key_bytes});
        return std::string(refused ? "fits" : refused.error().detail("imgtool_accepts"));
    };
    EXPECT_EQ(imgtool_accepts(260'560, 0), "true");
    EXPECT_EQ(imgtool_accepts(260'561, 0), "false");
    EXPECT_EQ(imgtool_accepts(260'528, 16), "true");
    EXPECT_EQ(imgtool_accepts(260'529, 16), "false");
}

TEST(Sign, RefusesOptionsThatCannotBe) {
    const auto payload = load("payload/app1k.bin");
    KeySigner p256(private_key("keys/p256.pem"));
    KeySigner p384(private_key("keys/p384.pem"));
    KeySigner x25519(private_key("keys/x25519-enc.pem"));
    const auto code = [&](const std::function<void(SignOptions&)>& change, Signer* signer) {
        const auto result = sign(payload, with(options("1.0.0"), change), signer);
        return result ? std::optional<Errc>() : result.error().code();
    };
    EXPECT_EQ(code([](auto& o) { o.align = 3; }, &p256), Errc::usage);
    EXPECT_EQ(code([](auto& o) { o.max_align = 4; }, &p256), Errc::usage);
    EXPECT_EQ(code(
                  [](auto& o) {
                      o.align = 32;
                      o.max_align = 8;
                  },
                  &p256),
              Errc::usage);
    EXPECT_EQ(code([](auto& o) { o.header_size = 31; }, &p256), Errc::usage);
    EXPECT_EQ(code([](auto& o) { o.header_size = 0x10000; }, &p256), Errc::usage);
    EXPECT_EQ(code(
                  [](auto& o) {
                      o.pad = true;
                      o.slot_size = 0;
                  },
                  &p256),
              Errc::usage);
    EXPECT_EQ(code([](auto& o) { o.boot_record = "thirteen-char"; }, &p256), Errc::usage);
    EXPECT_EQ(code([](auto& o) { o.custom_tlvs = {{0x9f, {}}}; }, &p256), Errc::usage);
    EXPECT_EQ(code(
                  [](auto& o) {
                      o.custom_tlvs = {{0xa0, Bytes(40'000)}, {0xa1, Bytes(40'000)}};
                  },
                  &p256),
              Errc::usage);
    EXPECT_EQ(code([](auto& o) { o.custom_tlvs = {{0xa0, Bytes(70'000)}}; }, &p256), Errc::usage);
    EXPECT_EQ(code([](auto& o) { o.hash = HashType::sha512; }, &p256), Errc::key_unusable);
    EXPECT_EQ(code([](auto& o) { o.hash = HashType::sha256; }, &p384), Errc::key_unusable);
    EXPECT_EQ(code([](auto& o) { o.pure = true; }, &p256), Errc::key_unusable);
    EXPECT_EQ(code([](auto& o) { o.pure = true; }, nullptr), Errc::usage);
    EXPECT_EQ(code([](auto&) {}, &x25519), Errc::key_unusable);
    EXPECT_EQ(code([](auto&) {}, &p256), std::nullopt);
}

// A signer that returns rubbish, or signs with another key, never gets an image out.
TEST(Sign, VerifiesBeforeItReturns) {
    const auto payload = load("payload/p4k.bin");
    FixedSigner rubbish(public_key("keys/p256.pem"), {Bytes(70, 0x11)});
    const auto refused = sign(payload, options("1.2.3+4"), &rubbish);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::signature_invalid);
    EXPECT_TRUE(refused.error().text().starts_with("checking the new image: ")) << refused.error().text();
    FixedSigner other(public_key("keys/p256-b.pem"), signatures(vector("p256-4k")));
    EXPECT_FALSE(sign(payload, options("1.2.3+4"), &other));
    FixedSigner huge(public_key("keys/p256.pem"), {Bytes(0x10000)});
    EXPECT_FALSE(sign(payload, options("1.2.3+4"), &huge));
}

// Expected bytes worked out by hand from imgtool's format strings.
TEST(Sign, HeaderFlagsAndBothByteOrders) {
    auto opts = options("1.2.3+4");
    opts.slot_size = 0;
    opts.header_size = 32;
    opts.load_address = 0x20010000;
    opts.non_bootable = true;
    opts.security_counter = 0x01020304;
    opts.custom_tlvs = {{0xa0, Bytes{1}}, {0x12a2, {}}};
    const auto little = sign(Bytes(4, 0xaa), opts, nullptr).value();
    const auto area = std::string("5000040004030201") + "a000010001" + "a2120000";
    EXPECT_EQ(to_hex(BytesView(little).first(57)),
              "3db8f396"
              "00000120"
              "2000"
              "1500"
              "04000000"
              "30000000"
              "0102030004000000"
              "00000000"
              "aaaaaaaa"
              "08691500" +
                  area);
    opts.byte_order = ByteOrder::big;
    const auto big = sign(Bytes(4, 0xaa), opts, nullptr).value();
    EXPECT_EQ(to_hex(BytesView(big).first(57)),
              "96f3b83d"
              "20010000"
              "0020"
              "0015"
              "00000004"
              "00000030"
              "0102000300000004"
              "00000000"
              "aaaaaaaa"
              "69080015"
              "5000000401020304"
              "00a0000101"
              "12a20000");
    EXPECT_EQ(to_hex(BytesView(big).subspan(57, 8)), "6907002810000020");
    EXPECT_EQ(to_hex(BytesView(big).subspan(65)), to_hex(digest(HashType::sha256, BytesView(big).first(57))));

    opts.rom_fixed = 0x8000;
    EXPECT_EQ(sign(Bytes(4), opts, nullptr).error().code(), Errc::usage);
    opts.load_address = 0;
    opts.byte_order = ByteOrder::little;
    EXPECT_EQ(parse(sign(Bytes(4), opts, nullptr).value())->header.flags, flag::rom_fixed | flag::non_bootable);
    EXPECT_EQ(parse(sign(Bytes(4), opts, nullptr).value())->header.load_address, 0x8000u);
}

TEST(Sign, IdentifiersManifestAndSlotOfADependency) {
    auto opts = options("1.0.0");
    opts.vendor_id = vendor_uuid("nordicsemi.com").value();
    opts.class_id = class_uuid("nrf9160dk", &*opts.vendor_id).value();
    opts.dependencies = {{1, 2, {3, 0, 0, 0}}};
    opts.manifest = encode_manifest(std::vector<Bytes>{Bytes(2, 0x11), Bytes(2, 0x22)}).value();
    const auto image = sign(Bytes(16), opts, nullptr).value();
    const auto parsed = parse(image).value();
    std::string types;
    for (const auto& each : parsed.tlvs) types += tlv_name(each.type) + " ";
    EXPECT_EQ(types, "DEPENDENCY UUID_VID UUID_CID MANIFEST SHA256 ");
    EXPECT_EQ(to_hex(value(image, parsed.tlvs[0])), "010200000300000000000000");
    EXPECT_EQ(to_hex(value(image, parsed.tlvs[3])), "010000000200000011112222");
    EXPECT_FALSE(encode_manifest(std::vector<Bytes>{Bytes(2), Bytes(3)}));
}

TEST(Sign, PaddedSignaturesHaveOneLength) {
    KeySigner signer(private_key("keys/p256.pem"));
    auto opts = options("1.0.0");
    opts.pad_signature = true;
    for (int i = 0; i < 8; ++i) {
        const auto built = build(Bytes(64), opts, &signer).value();
        EXPECT_EQ(built.signature.size(), 72u);
        const std::vector keys{signer.public_key()};
        EXPECT_TRUE(verify(built.image, parse(built.image).value(), keys));
    }
}

TEST(Sign, ImgtoolsRulesLetPassWhatTheBootloaderRefuses) {
    auto opts = options("1.0.0");
    const Bytes payload(253'953);
    EXPECT_EQ(sign(payload, opts, nullptr).error().code(), Errc::image_too_large);
    opts.rules = Rules::imgtool;
    EXPECT_TRUE(sign(payload, opts, nullptr));
    EXPECT_EQ(sign(Bytes(260'561), opts, nullptr).error().code(), Errc::image_too_large);
    FixedSigner rubbish(public_key("keys/p256.pem"), {Bytes(70, 0x11)});
    EXPECT_TRUE(sign(Bytes(100), opts, &rubbish));
}

TEST(Sign, VectorToSignIsWhatTheSignatureIsOf) {
    const auto key = public_key("keys/p256.pem");
    auto opts = options("1.2.3+9");
    opts.boot_record = "NSPE";
    const auto vector_of = vector_to_sign(load("payload/app1k.bin"), opts, &key).value();
    EXPECT_EQ(to_hex(vector_of.digest), vector("p256-bootrecord").at("hash_region_sha256"));
    const auto signature = from_base64(vector("p256-bootrecord").at("signature_b64"));
    EXPECT_TRUE(verify_signature(key, {vector_of.region, vector_of.digest, HashType::sha256, false}, signature));
}

TEST(Sign, CompressionIsLeftOutWhereItDoesNotPay) {
    auto opts = options("1.0.0");
    opts.compression = Compression{};
    const auto random = load("payload/p4k.bin");
    const auto built = build(random, opts, nullptr).value();
    EXPECT_FALSE(built.compressed);
    opts.compression.reset();
    EXPECT_TRUE(built.image == build(random, opts, nullptr)->image);
}

// Compressed and encrypted: judged by decrypting, then decompressing, as the bootloader does.
TEST(Sign, CompressedAndEncrypted) {
    KeySigner signer(private_key("keys/p256.pem"), true);
    const auto device = private_key("keys/p256-enc.pem");
    const auto payload = load("payload/t24k.bin");
    const std::vector keys{signer.public_key()};
    for (const bool arm_thumb : {false, true}) {
        auto opts = options("2.0.0");
        opts.boot_mode = FOTA_BOOT_OVERWRITE;
        opts.security_counter = 7;
        opts.compression = Compression{.arm_thumb = arm_thumb};
        opts.encryption = Encryption{.recipient = device.public_key(), .bits = 256};
        const auto built = build(payload, opts, &signer).value();
        ASSERT_TRUE(built.compressed);
        EXPECT_LT(built.stored_bytes, built.payload_bytes);
        const auto parsed = parse(built.image).value();
        EXPECT_EQ(parsed.header.image_size % 16, 0u);
        EXPECT_NE(parsed.find(tlv::compressed_decrypted_size), nullptr);
        EXPECT_FALSE(verify(built.image, parsed, keys, {.decompression = true}));
        auto clear = decrypt(built.image, parsed, device).value();
        const VerifyOptions both{.in_clear = true, .decompression = true};
        const auto verdict = verify(clear, parsed, keys, both);
        ASSERT_TRUE(verdict) << verdict.error().text();
        EXPECT_FALSE(verify(clear, parsed, keys, {.in_clear = true}));
        EXPECT_FALSE(verify(built.image, parsed, keys, both)) << "not decrypted";
    }
}

TEST(Sign, HexOutputHoldsTheTrailerBehindAGap) {
    auto opts = options("2.0.0", 0x10000);
    opts.align = 16;
    opts.confirm = true;
    const auto built = build(load("payload/p4k.bin"), opts, nullptr).value();
    const auto hex = hex_file(built, opts, 0x10000).value();
    ASSERT_EQ(hex.segments.size(), 2u);
    EXPECT_EQ(hex.first_address(), 0x10000u);
    EXPECT_EQ(hex.segments[1].address, 0x20000u - 32);  // image_ok and magic touch
    EXPECT_EQ(hex.end_address(), 0x20000u);
    EXPECT_TRUE(hex.flat(opts.erased_value).value() == to_binary(built, opts));
    opts.align = 4;
    opts.confirm = false;
    opts.pad = true;
    const auto plain = hex_file(built, opts, 0x10000).value();
    EXPECT_EQ(plain.segments[1].address, 0x20000u - 16) << "nothing erased is written";
    EXPECT_EQ(hex_file(built, opts, 0xffff8000).error().code(), Errc::usage);
}

TEST(Limit, DefaultSectorsAndModes) {
    EXPECT_EQ(default_max_sectors(0x40000, 4096), 128u);
    EXPECT_EQ(default_max_sectors(0xe8000, 4096), 512u);
    EXPECT_EQ(default_max_sectors(4096ULL * 1000, 4096), 1000u);
    EXPECT_EQ(image_limit({FOTA_BOOT_MOVE, 0xe8000}).value(), 937'984u);
    EXPECT_EQ(image_limit({FOTA_BOOT_MOVE, 0}).error().code(), Errc::usage);
    EXPECT_EQ(image_limit({FOTA_BOOT_MOVE, 1ULL << 32}).error().code(), Errc::usage);
    for (const auto mode : {FOTA_BOOT_MOVE, FOTA_BOOT_OFFSET, FOTA_BOOT_SCRATCH, FOTA_BOOT_OVERWRITE})
        EXPECT_EQ(mode_from_word(mode_word(mode)), mode);
}

}  // namespace
}  // namespace fota::image
