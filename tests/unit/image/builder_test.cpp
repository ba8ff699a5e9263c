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

/// Returns a signature made elsewhere, so that the whole file can be compared.
class FixedSigner final : public Signer {
  public:
    FixedSigner(PublicKey key, Bytes signature) : key_(std::move(key)), signature_(std::move(signature)) {}
    const PublicKey& public_key() const override { return key_; }
    Result<Bytes> sign(const SignRequest&) override { return signature_; }

  private:
    PublicKey key_;
    Bytes signature_;
};

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
                               o.dependencies = {{0, {1, 2, 3, 4}}, {1, {2, 0, 0, 0}}};
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
        {"nordic-padvalue0", with(options("1.2.3", 0x10000),
                                  [](auto& o) {
                                      o.erased_value = 0;
                                      o.pad = true;
                                  })},
    };
}

// Byte for byte what imgtool wrote, for every image that is neither encrypted nor compressed nor Intel HEX.
TEST(Sign, RebuildsEveryReferenceImage) {
    const auto known = recipes();
    for (const auto& each : manifest().at("images")) {
        const auto name = each.at("name").get<std::string>();
        SCOPED_TRACE(name);
        if (each.contains("enc") || is_hex(each) || name == "lzma2armthumb") continue;
        ASSERT_TRUE(known.contains(name)) << "no recipe";
        const auto payload = load(each.at("payload"));
        const auto expected = load(each.at("file"));
        Result<Bytes> built = fail(Errc::internal, "not built");
        if (!each.contains("key") || each.at("key").is_null()) {
            built = sign(payload, known.at(name), nullptr);
        } else if (each.at("deterministic").get<bool>()) {
            KeySigner signer(private_key(each.at("key")));
            built = sign(payload, known.at(name), &signer);
        } else {
            FixedSigner signer(public_key(each.at("key")), from_base64(each.at("signature_b64")));
            built = sign(payload, known.at(name), &signer);
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
    FixedSigner rubbish(public_key("keys/p256.pem"), Bytes(70, 0x11));
    const auto refused = sign(payload, options("1.2.3+4"), &rubbish);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::signature_invalid);
    EXPECT_TRUE(refused.error().text().starts_with("checking the new image: ")) << refused.error().text();
    FixedSigner other(public_key("keys/p256-b.pem"), from_base64(vector("p256-4k").at("signature_b64")));
    EXPECT_FALSE(sign(payload, options("1.2.3+4"), &other));
    FixedSigner huge(public_key("keys/p256.pem"), Bytes(0x10000));
    EXPECT_FALSE(sign(payload, options("1.2.3+4"), &huge));
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
