#include "image/image.hpp"

#include <gtest/gtest.h>

#include "unit/image/vectors.hpp"

namespace fota::image {
namespace {

std::uint64_t number(const nlohmann::json& value) {
    return std::stoull(value.get<std::string>(), nullptr, 0);
}

// Every reference image, encrypted and compressed ones too: the walk does not need to understand the payload.
TEST(Parse, EqualsTheManifestOnEveryImage) {
    for (const auto& each : manifest().at("images")) {
        if (is_hex(each)) continue;
        SCOPED_TRACE(each.at("name").get<std::string>());
        const auto file = load(each.at("file"));
        const auto parsed = parse(file);
        ASSERT_TRUE(parsed) << parsed.error().text();
        const auto& expected = each.at("parse");
        const auto& header = expected.at("header");
        EXPECT_EQ(parsed->header.load_address, header.at("load_addr"));
        EXPECT_EQ(parsed->header.header_size, header.at("hdr_size"));
        EXPECT_EQ(parsed->header.protected_tlv_size, header.at("protect_tlv_size"));
        EXPECT_EQ(parsed->header.image_size, header.at("img_size"));
        EXPECT_EQ(parsed->header.flags, number(header.at("flags")));
        EXPECT_EQ(parsed->header.version.full(), header.at("version"));
        EXPECT_EQ(parsed->end, expected.at("end"));
        EXPECT_EQ(file.size() - parsed->end, expected.at("trailing"));
        EXPECT_EQ(parsed->hash_region_length, each.at("hash_region_len"));
        std::size_t index = 0;
        for (const auto& area : expected.at("areas")) {
            for (const auto& entry : area.at("tlvs")) {
                ASSERT_LT(index, parsed->tlvs.size());
                const auto& found = parsed->tlvs[index++];
                EXPECT_EQ(found.type, number(entry.at("type")));
                EXPECT_EQ(found.is_protected, area.at("magic") == "0x6908");
                EXPECT_EQ(found.offset, entry.at("value_off"));
                EXPECT_EQ(found.length, entry.at("len"));
                EXPECT_EQ(to_hex(value(file, found)), entry.at("value"));
            }
        }
        EXPECT_EQ(index, parsed->tlvs.size());
    }
}

TEST(Parse, Accessors) {
    const auto file = load("img/p256-seccnt-auto.bin");
    const auto parsed = parse(file).value();
    EXPECT_EQ(parsed.security_counter(file), 0x01020003u);
    EXPECT_EQ(parsed.key_hash(file).size(), 32u);
    EXPECT_EQ(parsed.hash_type(), HashType::sha256);
    EXPECT_EQ(to_hex(parsed.hash(file)), vector("p256-seccnt-auto").at("hash_region_sha256"));
    ASSERT_NE(parsed.signature(), nullptr);
    EXPECT_EQ(parsed.signature()->type, tlv::ecdsa);

    const auto plain = load("img/unsigned-256.bin");
    const auto unsigned_image = parse(plain).value();
    EXPECT_EQ(unsigned_image.signature(), nullptr);
    EXPECT_TRUE(unsigned_image.key_hash(plain).empty());
    EXPECT_FALSE(unsigned_image.security_counter(plain));
}

// An unprotected security counter is not one: MCUboot reads the protected area only.
TEST(Parse, UnprotectedSecurityCounterDoesNotCount) {
    const auto file = load("bad/unprot-seccnt.bin");
    EXPECT_FALSE(parse(file).value().security_counter(file));
}

TEST(Parse, WhatCannotBeWalkedIsMalformed) {
    const std::pair<const char*, const char*> cases[]{
        {"zero-length", "expected an MCUboot image, found an empty file"},
        {"short-31", "expected a header of 32 bytes, found 31 bytes in all"},
        {"header-only", "expected 512 bytes of header and 4096 of payload, found 32 bytes in all"},
        {"trunc-mid-payload", "expected 512 bytes of header and 4096 of payload, found 2048 bytes in all"},
        {"trunc-in-sig",
         "expected 150 bytes of the unprotected TLV area at offset 4608, found the end of the file at 4748"},
        {"flip-magic", "expected an MCUboot image, which begins with 3db8f396, found"},
        {"hdr-size-ffff", "expected 65535 bytes of header and 4096 of payload, found 4758 bytes in all"},
        {"img-size-plus1", "expected the unprotected TLV area (magic 0x6907) at offset 4609, found"},
        {"img-size-wrap", "bytes in all"},
        {"prot-total-ffff",
         "expected 65535 bytes of the protected TLV area at offset 1536, found the end of the file at 1700"},
        {"tlv-total-minus1", "expected the ECDSA TLV at offset 4684 to end with its area at 4757"},
    };
    for (const auto& [name, message] : cases) {
        SCOPED_TRACE(name);
        const auto parsed = parse(load(std::string("bad/") + name + ".bin"));
        ASSERT_FALSE(parsed);
        EXPECT_EQ(parsed.error().code(), Errc::image_malformed);
        EXPECT_NE(parsed.error().message().find(message), std::string::npos) << parsed.error().message();
    }
}

// Cut anywhere, a file either is malformed or (only at its very end) still whole.
TEST(Parse, EveryTruncationIsMalformed) {
    const auto file = load("img/p256-seccnt-auto.bin");
    for (std::size_t length = 0; length < file.size(); ++length) {
        const auto parsed = parse(BytesView(file).first(length));
        ASSERT_FALSE(parsed) << length;
        ASSERT_EQ(parsed.error().code(), Errc::image_malformed) << length;
    }
}

TEST(Header, EncodeIsTheInverseOfParse) {
    const auto file = load("img/p256-customtlv.bin");
    EXPECT_EQ(encode_header(parse(file).value().header), to_bytes(BytesView(file).first(header_bytes)));
}

TEST(Names, OfTypesAndFlags) {
    EXPECT_EQ(tlv_name(0x01), "KEYHASH");
    EXPECT_EQ(tlv_name(0x22), "ECDSA");
    EXPECT_EQ(tlv_name(0xa0), "vendor 0x00a0");
    EXPECT_EQ(tlv_name(0x99), "unknown 0x0099");
    EXPECT_EQ(flag_names(0x4 | 0x20 | 0x2), (std::vector<std::string>{"ENCRYPTED_AES128", "RAM_LOAD", "0x2"}));
}

TEST(Version, ParsesAsImgtoolDoes) {
    EXPECT_EQ(Version::parse("1.2.3+4").value(), (Version{1, 2, 3, 4}));
    EXPECT_EQ(Version::parse("1").value(), (Version{1, 0, 0, 0}));
    EXPECT_EQ(Version::parse("255.255.65535+4294967295").value(), (Version{255, 255, 65535, 4294967295}));
    for (const auto* bad :
         {"", "1.", "1.2.3.4", "v1.2.3", "1.2.3+", "1.2+4", "01.2.3", "1.2.3 ", "-1.0.0", "1.2.3+4+5"})
        EXPECT_FALSE(Version::parse(bad)) << bad;
    EXPECT_EQ(Version::parse("256.0.0").error().message(), "expected a major version of at most 255, found 256");
    EXPECT_EQ(Version::parse("1.2.65536").error().message(), "expected a revision of at most 65535, found 65536");
    EXPECT_FALSE(Version::parse("1.2.3+99999999999999999999999"));
}

TEST(Version, TextAndOrder) {
    EXPECT_EQ((Version{1, 2, 3, 0}).text(), "1.2.3");
    EXPECT_EQ((Version{1, 2, 3, 0}).full(), "1.2.3+0");
    EXPECT_EQ((Version{1, 2, 3, 4}).text(), "1.2.3+4");
    EXPECT_LT((Version{1, 9, 9, 9}), (Version{2, 0, 0, 0}));
    EXPECT_LT((Version{1, 2, 3, 4}), (Version{1, 2, 3, 5}));
    EXPECT_EQ((Version{1, 2, 3, 4}).security_counter(), 0x01020003u);
}

}  // namespace
}  // namespace fota::image
