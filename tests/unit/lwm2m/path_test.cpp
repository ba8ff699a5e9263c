#include "lwm2m/path.hpp"

#include <gtest/gtest.h>

#include "lwm2m/firmware.hpp"

namespace fota::lwm2m {
namespace {

TEST(Path, TextAndParseAreInverse) {
    for (const auto* text : {"/5", "/5/0", "/26245/0/10", "/3/0/7/1", "/65534/65534/65534/65534"}) {
        const auto path = Path::parse(text);
        ASSERT_TRUE(path) << text;
        EXPECT_EQ(path->text(), text);
    }
    EXPECT_EQ(firmware::state.text(), "/5/0/3");
}

TEST(Path, RefusesWhatIsNoPath) {
    for (const auto* text : {"", "/", "5/0", "/5/", "//5", "/5/0/3/0/1", "/65535", "/70000", "/-1", "/5/x", "/5 ", "/+5"})
        EXPECT_FALSE(Path::parse(text)) << text;
}

TEST(Path, CoversWhatLiesBelowIt) {
    const auto covers = [](const char* above, const char* below) {
        return Path::parse(above)->covers(*Path::parse(below));
    };
    for (const auto* below : {"/3", "/3/0", "/3/0/7", "/3/0/7/1"}) EXPECT_TRUE(covers("/3", below)) << below;
    EXPECT_TRUE(covers("/3/0/7/1", "/3/0/7/1"));
    EXPECT_FALSE(covers("/3/0/7/1", "/3/0/7/2"));
    EXPECT_FALSE(covers("/3/0/7", "/3/0"));
    EXPECT_FALSE(covers("/3/0", "/3/1"));
    EXPECT_FALSE(covers("/3", "/33"));
}

TEST(Firmware, StatesAndResultsHaveNames) {
    EXPECT_EQ(state_text(2), "2 (downloaded)");
    EXPECT_EQ(state_text(7), "7");
    EXPECT_EQ(result_text(5), "5 (integrity check failed)");
    EXPECT_EQ(result_text(11), "11 (deferred)");
    EXPECT_EQ(result_text(-1), "-1");
    EXPECT_EQ(result_text(99), "99");
}

}  // namespace
}  // namespace fota::lwm2m
