#include "base/unpredictable.hpp"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/cloned_generator.hpp"

using namespace fota;

TEST(Unpredictable, TheSameSeedGivesTheSameSequenceAndNoOtherDoes) {
    Unpredictable one(7);
    Unpredictable same(7);
    Unpredictable other(8);
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1'000; ++i) {
        const auto value = one();
        EXPECT_EQ(value, same());
        EXPECT_NE(value, other());
        EXPECT_TRUE(seen.insert(value).second);
    }
}

TEST(Unpredictable, WhoHasSeenManyDoesNotKnowTheNext) {
    Unpredictable unknown(7);
    test::ClonedGenerator clone;
    while (!clone.complete()) clone.observe(unknown());
    EXPECT_NE(clone.next(), unknown());
    // The attack itself works: this is what it does to a generator of <random>.
    std::mt19937_64 plain(7);
    test::ClonedGenerator of_plain;
    while (!of_plain.complete()) of_plain.observe(plain());
    EXPECT_EQ(of_plain.next(), plain());
}
