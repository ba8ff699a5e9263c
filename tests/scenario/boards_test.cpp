// An update on each kind of board: MCUboot's swap modes, what it prevents, the flash parts.
#include <fmt/format.h>

#include "tests/scenario/world.hpp"

using namespace fota;
using namespace fota::test;
using update::Outcome;

namespace {

virtdev::BoardSetup board(std::vector<std::string> quirks) {
    auto setup = virtdev::take_board_quirks(quirks);
    EXPECT_TRUE(setup) << setup.error().text();
    EXPECT_TRUE(quirks.empty());
    return std::move(*setup);
}

std::string text(const update::Report& report) {
    return fmt::format("{} {}", update::outcome_name(report.outcome), report.error ? report.error->text() : "");
}

}  // namespace

TEST(Boards, AnUpdateIsProvenOnEach) {
    for (const auto& info : virtdev::all_board_quirks()) {
        SCOPED_TRACE(info.name);
        // Images without a security counter are none that such a board boots.
        if (info.name == "boot-hardware-counter") continue;
        World world({.image_bytes = 20'000, .board = board({std::string(info.name)})});
        const auto report = world.push();
        EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
        EXPECT_TRUE(report.proven_by_hash);
        EXPECT_TRUE(world.board->external().violations().empty()) << world.board->external().violations()[0];
        EXPECT_TRUE(world.board->internal().violations().empty()) << world.board->internal().violations()[0];
    }
}

TEST(Boards, ADowngradeThatTheBootloaderRefusesIsNamed) {
    for (const auto* mode : {"boot-offset", "boot-scratch", "boot-overwrite"}) {
        SCOPED_TRACE(mode);
        World world({.image_bytes = 20'000, .old_version = "3.0.0", .board = board({mode, "boot-no-downgrade"})});
        world.policy.downgrade_reason = "field return";
        const auto report = world.push();
        EXPECT_EQ(report.outcome, Outcome::rolled_back) << text(report);
        ASSERT_TRUE(report.error);
        EXPECT_NE(report.error->text().find("expected 2.0.0 to run, found 3.0.0"), std::string::npos) << text(report);
        EXPECT_NE(report.error->text().find("its bootloader seems to refuse a lower version or security counter "
                                            "(downgrade prevention)"),
                  std::string::npos)
            << text(report);
    }
}

TEST(Boards, AnyOtherRollbackSaysNothingOfDowngrades) {
    World world({.quirks = {virtdev::Quirk::executes_without_update}, .image_bytes = 20'000});
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::rolled_back) << text(report);
    EXPECT_EQ(report.error->text().find("downgrade"), std::string::npos) << text(report);
}

TEST(Boards, QuirksOfBoardsAreTakenAndUnknownOnesRefused) {
    std::vector<std::string> names{"boot-scratch", "defer", "flash-w25q32jv"};
    const auto setup = virtdev::take_board_quirks(names);
    ASSERT_TRUE(setup);
    EXPECT_EQ(setup->boot.mode, virtdev::SwapMode::scratch);
    EXPECT_EQ(setup->external.size, 4u << 20);
    EXPECT_EQ(names, std::vector<std::string>{"defer"});
    names = {"boot-sideways"};
    const auto none = virtdev::take_board_quirks(names);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().text().find("expected a quirk that --quirk list names, found \"boot-sideways\""), 0u);
}
