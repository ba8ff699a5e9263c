#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "release/sbom.hpp"
#include "release/signed_document.hpp"
#include "unit/release/release_data.hpp"

using namespace fota;
using namespace fota::release;
using ::testing::HasSubstr;

namespace {

using nlohmann::json;

Manifest sample() {
    return release::testing::manifest();
}

/// The payload with one key set to another value.
std::string with(const char* key, json value) {
    auto document = json::parse(canonical_text(sample()));
    document[key] = std::move(value);
    return document.dump();
}

void expect_invalid(const std::string& text, const char* words) {
    const auto read = parse_manifest(text);
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code(), Errc::config_invalid);
    EXPECT_THAT(read.error().text(), HasSubstr(words)) << text;
}

}  // namespace

TEST(Manifest, ComesBackFromItsCanonicalBytes) {
    const auto text = canonical_text(sample());
    EXPECT_EQ(text, canonical_text(sample()));
    EXPECT_THAT(
        text, HasSubstr(R"({"board":"nrf9160dk","expires":"2027-01-31T12:00:00Z","file":"app-2.0.0.bin","format":1)"));
    const auto read = parse_manifest(text);
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_EQ(canonical_text(*read), text);
    EXPECT_EQ(read->version, (image::Version{2, 0, 0, 7}));
    EXPECT_EQ(read->replaces.max, (image::Version{1, 9, 9, 0}));
    EXPECT_EQ(read->notes, sample().notes);
    EXPECT_EQ(read->size, 371'234U);
}

TEST(Manifest, LeavesOutWhatIsNotSaid) {
    auto bare = sample();
    bare.board.clear();
    bare.soc.clear();
    bare.notes.clear();
    bare.key_hash.clear();
    bare.layout.reset();
    bare.expires.reset();
    bare.replaces = {};
    const auto document = json::parse(canonical_text(bare));
    EXPECT_EQ(document.size(), 6U) << document.dump();
    const auto read = parse_manifest(canonical_text(bare));
    ASSERT_TRUE(read) << read.error().text();
    EXPECT_TRUE(read->replaces.is_open());
    EXPECT_FALSE(read->layout || read->expires);
}

TEST(Manifest, RefusesWhatItDoesNotUnderstand) {
    expect_invalid("", "expected a JSON object");
    expect_invalid("[]", "expected a JSON object");
    expect_invalid(with("format", 2), "expected format 1, found 2");
    expect_invalid(with("hardware_revision", 3), "found \"hardware_revision\"");
    expect_invalid(with("file", "../app.bin"), "expected a file name");
    expect_invalid(with("file", ".."), "expected a file name");
    expect_invalid(with("file", std::string(129, 'a')), "expected a file name");
    expect_invalid(with("file", 1), "\"file\" to be a text");
    expect_invalid(with("size", 0), "expected an image of 1 to 67,108,864 bytes, found 0");
    expect_invalid(with("size", 1e30), "\"size\" to be a number");
    expect_invalid(with("size", -1), "\"size\" to be a number");
    expect_invalid(with("sha256", "00"), "to have 32 bytes, found 1");
    expect_invalid(with("sha256", std::string(64, 'g')), "hexadecimal");
    expect_invalid(with("image_hash", "0011"), "expected an image hash of 32, 48 or 64 bytes, found 2");
    expect_invalid(with("version", "1.2.x"), "to be a version");
    expect_invalid(with("version", "2.0.0"), "canonical");
    expect_invalid(with("board", std::string(65, 'b')), "expected a board");
    expect_invalid(with("board", "nrf\n"), "expected a board");
    expect_invalid(with("notes", std::string(4097, 'n')), "expected notes of at most 4096 bytes, found 4097");
    expect_invalid(with("min_version", "3.0.0+0"), "expected a minimum version below the maximum");
    expect_invalid(with("expires", "2027-02-30T00:00:00Z"), "expected a time");
    expect_invalid(with("expires", "2027-01-31T13:00:00+01:00"), "canonical");
    expect_invalid(std::string(65 * 1024, ' '), "expected at most 65536 bytes");
    auto without = json::parse(canonical_text(sample()));
    without.erase("image_hash");
    expect_invalid(without.dump(), "expected the key \"image_hash\", found none");
    // A key twice: which one counts differs from reader to reader.
    auto twice = canonical_text(sample());
    twice.insert(1, R"("board":"other",)");
    expect_invalid(twice, "canonical");
    expect_invalid(canonical_text(sample()) + "\n", "canonical");
}

TEST(Manifest, IsSignedWithEitherKindOfKey) {
    for (const auto type : {image::KeyType::ed25519, image::KeyType::ecdsa_p256}) {
        auto key = release::testing::signer(type);
        const auto text = sign_manifest(sample(), key);
        ASSERT_TRUE(text) << text.error().text();
        const auto read = open_manifest(*text, key.public_key());
        ASSERT_TRUE(read) << read.error().text();
        EXPECT_EQ(canonical_text(*read), canonical_text(sample()));
        const auto unchecked = read_manifest(*text);
        ASSERT_TRUE(unchecked);
        EXPECT_EQ(unchecked->key_id, to_hex(key.public_key().fingerprint()));
        auto other = release::testing::signer(type);
        EXPECT_EQ(open_manifest(*text, other.public_key()).error().code(), Errc::key_mismatch);
    }
}

TEST(Manifest, NotesThatAreNoUtf8AreSignedWithReplacementCharacters) {
    auto broken = sample();
    broken.notes = "\xff";
    auto key = release::testing::signer(image::KeyType::ed25519);
    const auto text = sign_manifest(broken, key);
    // Replaced by U+FFFD, which the reader takes as it stands.
    ASSERT_TRUE(text);
    EXPECT_EQ(open_manifest(*text, key.public_key())->notes, "\xef\xbf\xbd");
}

TEST(Manifest, ExpiresAtItsTime) {
    const auto at = *sample().expires;
    EXPECT_TRUE(check_expiry(sample(), at - std::chrono::seconds(1)));
    const auto late = check_expiry(sample(), at);
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code(), Errc::policy_refused);
    EXPECT_THAT(late.error().text(), HasSubstr("expired at 2027-01-31T12:00:00Z"));
}

TEST(VersionRange, HoldsItsEnds) {
    const auto range = sample().replaces;
    EXPECT_TRUE(range.contains({1, 0, 0, 0}) && range.contains({1, 9, 9, 0}));
    EXPECT_FALSE(range.contains({0, 9, 9, 0}) || range.contains({1, 9, 9, 1}));
    EXPECT_FALSE(replace_fault(range, image::Version{1, 5, 0, 0}, "1.5.0"));
    EXPECT_FALSE(replace_fault({}, std::nullopt, "whatever"));
    const auto fault = replace_fault(range, image::Version{2, 0, 0, 0}, "2.0.0");
    ASSERT_TRUE(fault);
    EXPECT_EQ(fault->code(), Errc::policy_refused);
    EXPECT_THAT(fault->text(), HasSubstr("1.0.0 to 1.9.9"));
    EXPECT_TRUE(replace_fault(range, std::nullopt, "main-dirty"));
}

TEST(Timestamp, ReadsWhatRfc3339Allows) {
    const auto noon = *parse_timestamp("2024-02-29T12:00:00Z");
    EXPECT_EQ(timestamp_text(noon), "2024-02-29T12:00:00Z");
    EXPECT_EQ(noon.time_since_epoch().count(), 1'709'208'000);
    EXPECT_EQ(*parse_timestamp("2024-02-29t13:30:00.999+01:30"), noon);
    EXPECT_EQ(*parse_timestamp("2024-02-29 11:59:00-00:01"), noon);
    for (const auto* wrong :
         {"", "2024-02-29", "2024-02-29T12:00:00", "2023-02-29T12:00:00Z", "2024-13-01T00:00:00Z",
          "2024-01-01T24:00:00Z", "2024-01-01T00:00:60Z", "2024-01-01T00:00:00Zx", "2024-01-01T00:00:00.Z",
          "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "+024-01-01T00:00:00Z"})
        EXPECT_FALSE(parse_timestamp(wrong)) << wrong;
}

TEST(Sbom, NamesTheImageAndItsChecksum) {
    const auto document = spdx_document(sample(), "fotactl-1.0", *parse_timestamp("2026-01-01T00:00:00Z"));
    EXPECT_EQ(document.at("spdxVersion"), "SPDX-2.3");
    EXPECT_EQ(document.at("dataLicense"), "CC0-1.0");
    EXPECT_EQ(document.at("creationInfo").at("creators").at(0), "Tool: fotactl-1.0");
    EXPECT_EQ(document.at("creationInfo").at("created"), "2026-01-01T00:00:00Z");
    const auto& package = document.at("packages").at(0);
    EXPECT_EQ(package.at("versionInfo"), "2.0.0+7");
    EXPECT_EQ(package.at("checksums").at(0).at("checksumValue"), to_hex(sample().sha256));
    EXPECT_EQ(document.at("relationships").at(0).at("relatedSpdxElement"), package.at("SPDXID"));
}
