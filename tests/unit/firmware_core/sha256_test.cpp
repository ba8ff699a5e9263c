#include "core/sha256.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/sha256.hpp"
#include "strict_nor.hpp"

namespace fota {
namespace {

fota_hash started(fota_sha256& state) {
    const fota_hash hash{&state, fota_sha256_start, fota_sha256_update, fota_sha256_digest};
    EXPECT_EQ(hash.start(hash.context), 0);
    return hash;
}

Digest256 digest_of(const fota_hash& hash) {
    Digest256 out{};
    EXPECT_EQ(hash.digest(hash.context, out.data()), 0);
    return out;
}

TEST(Sha256OfTheCore, AgreesWithTheLibrarysForEveryLengthAroundItsBlocks) {
    const Bytes bytes = test::pattern(300, 7);
    fota_sha256 state{};
    for (std::size_t size = 0; size <= bytes.size(); size++) {
        const fota_hash hash = started(state);
        ASSERT_EQ(hash.update(hash.context, bytes.data(), size), 0);
        EXPECT_EQ(digest_of(hash), sha256({bytes.data(), size})) << size;
    }
}

TEST(Sha256OfTheCore, TakesItsBytesInAnyPortionsAndGoesOnAfterADigest) {
    const Bytes bytes = test::pattern(5000, 8);
    fota_sha256 state{};
    const fota_hash hash = started(state);
    std::size_t done = 0;
    for (std::size_t portion = 1; done < bytes.size(); portion = portion * 7 % 131 + 1) {
        const auto part = std::min(portion, bytes.size() - done);
        ASSERT_EQ(hash.update(hash.context, bytes.data() + done, part), 0);
        done += part;
        EXPECT_EQ(digest_of(hash), sha256({bytes.data(), done})) << done;
    }
    ASSERT_EQ(hash.start(hash.context), 0);
    EXPECT_EQ(digest_of(hash), sha256({})) << "started anew";
}

}  // namespace
}  // namespace fota
