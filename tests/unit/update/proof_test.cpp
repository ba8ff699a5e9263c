#include <gtest/gtest.h>

#include "update/decide.hpp"

namespace fota::update {
namespace {

/// A device that tells nothing but this version.
DeviceFacts runs(const std::string& version) {
    DeviceFacts out;
    out.version = version;
    return out;
}

OpenAttempt told_to_update(const std::string& from) {
    OpenAttempt out;
    out.from_version = from;
    out.downloaded = true;
    out.executed = true;
    return out;
}

/// What an update to 3.0.0 does that is to be proven by this version.
Plan plan(const DeviceFacts& facts, const std::string& expected, const std::optional<OpenAttempt>& attempt) {
    Target target;
    target.version = image::Version::parse("3.0.0").value();
    target.hash = Bytes(32, 3);
    Policy policy;
    policy.expect_version = expected;
    return decide(facts, target, policy, attempt, true);
}

}  // namespace

TEST(ProofByVersion, CountsWhereAnotherRanBefore) {
    EXPECT_TRUE(std::holds_alternative<AwaitReturn>(plan(runs("2.0"), "2.0", told_to_update("1.0"))));
    EXPECT_TRUE(std::holds_alternative<AlreadyRuns>(plan(runs("2.0"), "2.0", std::nullopt)));
}

TEST(ProofByVersion, ProvesNothingWhereTheSameRanBefore) {
    // The first run expected 2.0, was interrupted after Execute, and the second one expects what has run all the time.
    const auto again = plan(runs("1.0"), "1.0", told_to_update("1.0"));
    const auto* refused = std::get_if<Refuse>(&again);
    ASSERT_NE(refused, nullptr);
    EXPECT_EQ(refused->error.code(), Errc::not_proven);
    EXPECT_TRUE(refused->error.text().contains("\"1.0\"")) << refused->error.text();
    auto by_itself = told_to_update("1.0");
    by_itself.executed = false;
    by_itself.transfer.emplace().automatic = true;
    EXPECT_TRUE(std::holds_alternative<Refuse>(plan(runs("1.0"), "1.0", by_itself)));
}

TEST(ProofByVersion, TheHashOutranksIt) {
    auto facts = runs("1.0");
    facts.running_hash = Bytes(32, 3);
    EXPECT_TRUE(std::holds_alternative<AwaitReturn>(plan(facts, "1.0", told_to_update("1.0"))));
}

TEST(ProofOfWhatIsUpdatedAlong, IsItsVersionHoweverItIsSpelled) {
    const LinkedInstance told{.instance = 1, .name = "modem", .from = "1.3.6", .to = "1.3.7"};
    EXPECT_TRUE(runs_along(told, "1.3.7"));
    EXPECT_FALSE(runs_along(told, "1.3.6"));
    EXPECT_FALSE(runs_along(told, "1.3.8")) << "comparable, and another one";
    EXPECT_FALSE(runs_along(told, "")) << "nothing told";
    const LinkedInstance otherwise{.instance = 1, .name = "modem", .from = "mfw_nrf9160_1.3.6", .to = "1.3.7"};
    EXPECT_TRUE(runs_along(otherwise, "mfw_nrf9160_1.3.7"));
    EXPECT_FALSE(runs_along(otherwise, "mfw_nrf9160_1.3.6"));
}

TEST(ProofOfWhatIsUpdatedAlong, NeedsSomethingToCompareWith) {
    const LinkedInstance untold{.instance = 1, .name = "modem", .from = "1.3.6", .to = ""};
    EXPECT_TRUE(runs_along(untold, "1.3.7"));
    EXPECT_FALSE(runs_along(untold, "1.3.6"));
    const LinkedInstance nothing{.instance = 1, .name = "", .from = "", .to = ""};
    EXPECT_FALSE(runs_along(nothing, "1.3.7"));
}

}  // namespace fota::update
