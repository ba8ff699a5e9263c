#include "update/journal.hpp"

#include <gtest/gtest.h>

#include "support/memory_store.hpp"

namespace fota::update {
namespace {

struct JournalTest : testing::Test {
    fota::test::MemoryStore store;

    static Target target(std::uint8_t image) {
        Target out;
        out.hash = Bytes(32, image);
        return out;
    }
    static std::string hex(std::uint8_t image) { return to_hex(Bytes(32, image)); }
    /// An attempt that has sent `block` blocks of this image.
    std::string sent(std::uint8_t image, std::uint32_t block) {
        Journal journal(store, "device-1");
        const auto id = journal.begin(target(image), "1.0.0").value();
        EXPECT_TRUE(journal.transfer(id, {Bytes(8, image), 0, 512, block}));
        return id;
    }
    /// What an update to this image finds unfinished of another one: its token's byte and its block.
    std::string unfinished_for(std::uint8_t image) {
        Journal journal(store, "device-1");
        EXPECT_TRUE(journal.open_attempt(hex(image)));
        const auto& left = journal.unfinished();
        return left ? std::to_string(left->token.at(0)) + "/" + std::to_string(left->block) : "none";
    }
};

TEST_F(JournalTest, KnowsWhatIsUnfinishedOfAnotherImage) {
    EXPECT_EQ(unfinished_for(1), "none");
    sent(1, 7);
    EXPECT_EQ(unfinished_for(1), "none") << "its own is the open attempt";
    EXPECT_EQ(unfinished_for(2), "1/7");
    EXPECT_EQ(unfinished_for(2), "1/7") << "also once it is closed as superseded";
    const auto second = sent(2, 3);
    EXPECT_EQ(unfinished_for(2), "none");
    EXPECT_EQ(unfinished_for(3), "2/3") << "the newest";
    sent(3, 1);
    ASSERT_TRUE(Journal(store, "device-1").close(second, Outcome::failed));
    EXPECT_EQ(unfinished_for(1), "3/1");
}

TEST_F(JournalTest, AWholePackageIsNotUnfinished) {
    const auto id = sent(1, 7);
    ASSERT_TRUE(Journal(store, "device-1").downloaded(id));
    EXPECT_EQ(unfinished_for(2), "none");
}

TEST_F(JournalTest, AnAttemptThatSentNothingHidesNothing) {
    sent(1, 7);
    Journal journal(store, "device-1");
    ASSERT_TRUE(journal.open_attempt(hex(2)));
    ASSERT_TRUE(journal.begin(target(2), "1.0.0"));
    EXPECT_EQ(unfinished_for(3), "1/7");
}

}  // namespace
}  // namespace fota::update
