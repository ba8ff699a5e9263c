// Object 33629: application and modem through their own instances, each proven by what runs.
#include <fmt/format.h>

#include "tests/scenario/world.hpp"

using namespace fota;
using namespace fota::test;
using update::Outcome;
using virtdev::Quirk;

namespace {

std::string text(const update::Report& report) {
    return fmt::format("{} {}", update::outcome_name(report.outcome), report.error ? report.error->text() : "");
}

Bytes delta() {
    Bytes out(20'000, 0x11);
    out[4] = 0x6d, out[5] = 0x65, out[6] = 0x44, out[7] = 0x75;
    return out;
}

}  // namespace

TEST(AdvancedObject, TheApplicationGoesThroughItsInstance) {
    for (const auto method : {update::Method::push, update::Method::pull}) {
        World world({.quirks = {Quirk::advanced_object}});
        world.policy.method = method;
        const auto report = world.push();
        EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
        EXPECT_EQ(report.running_version, "2.0.0-0");
    }
}

TEST(AdvancedObject, AsksForTheObjectThatWasNamed) {
    World world({.quirks = {Quirk::advanced_object}});
    world.policy.object = 5;
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::refused) << text(report);
    EXPECT_EQ(report.error->code(), Errc::device_refused);
}

TEST(Modem, IsProvenByItsVersion) {
    World world({.quirks = {Quirk::advanced_object}});
    world.use_modem_package(delta(), "mfw_nrf9160_1.3.7");
    const auto report = world.push();
    EXPECT_EQ(report.outcome, Outcome::updated) << text(report);
    EXPECT_EQ(report.from_version, "mfw_nrf9160_1.3.6");
    EXPECT_EQ(report.running_version, "mfw_nrf9160_1.3.7");
    EXPECT_EQ(world.board->running()->header.version.major, 1);  // the application is the old one
    world.kill_push();
    EXPECT_EQ(world.push().outcome, Outcome::already_installed);
}

TEST(Modem, ResultOneWithTheOldVersionIsNoSuccess) {
    World world({.quirks = {Quirk::advanced_object, Quirk::modem_unchanged}});
    world.use_modem_package(delta(), "mfw_nrf9160_1.3.7");
    const auto report = world.push();
    EXPECT_NE(report.outcome, Outcome::updated) << text(report);
    EXPECT_EQ(report.running_version, "mfw_nrf9160_1.3.6");
}
