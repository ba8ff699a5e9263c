#include "base/result.hpp"

#include <gtest/gtest.h>

#include <string>

#include "base/bytes.hpp"
#include "base/secret.hpp"
#include "base/sha256.hpp"

using namespace fota;

namespace {
Result<int> half(int x) {
    if (x % 2 != 0) return fail(Errc::usage, "expected an even number, found " + std::to_string(x));
    return x / 2;
}
Result<int> quarter(int x) {
    TRY(auto once, in_context(half(x), "halving once"));
    TRY(auto twice, in_context(half(once), "halving twice"));
    return twice;
}
}  // namespace

TEST(Result, TryPassesErrorsWithTheirContext) {
    EXPECT_EQ(quarter(8).value(), 2);
    auto bad = quarter(6);
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().text(), "halving twice: expected an even number, found 3");
}

TEST(Errors, NamesAreKebabCase) {
    EXPECT_EQ(errc_name(Errc::file_unreadable), "file-unreadable");
    EXPECT_EQ(errc_name(Errc::rolled_back), "rolled-back");
}

TEST(Hex, RoundTripAndRefusals) {
    EXPECT_EQ(from_hex(" 00FFa1\n").value(), (Bytes{0, 0xff, 0xa1}));
    EXPECT_FALSE(from_hex("0"));
    EXPECT_FALSE(from_hex("zz"));
    EXPECT_EQ(to_hex(Bytes{0, 0xff}), "00ff");
}

TEST(Slice, CannotOverflow) {
    const Bytes data(8);
    EXPECT_TRUE(slice(data, 8, 0));
    EXPECT_FALSE(slice(data, 1, 8));
    EXPECT_FALSE(slice(data, ~0ULL, 2));
    EXPECT_FALSE(slice(data, 2, ~0ULL));
}

TEST(Sha256, KnownAnswer) {
    EXPECT_EQ(to_hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    Sha256 hash;
    hash.update(as_bytes("a"));
    (void)hash.digest();
    hash.update(as_bytes("bc"));
    EXPECT_EQ(hash.digest(), sha256(as_bytes("abc")));
}

TEST(Secret, MovesAndClonesOnPurpose) {
    Secret<Bytes> a(Bytes{1, 2, 3});
    auto b = a.clone();
    auto c = std::move(a);
    EXPECT_TRUE(a.empty());
    EXPECT_EQ(c.reveal(), b.reveal());
}
