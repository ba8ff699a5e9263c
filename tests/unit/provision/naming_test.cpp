#include "provision/naming.hpp"

#include <gtest/gtest.h>

using namespace fota;
using namespace fota::provision;

namespace {

const std::map<std::string, std::string> values{{"imei", "351358811331351"}, {"label", "a b"}};

Errc code_of(std::string_view text) {
    const auto out = expand(text, values);
    return out ? Errc::internal : out.error().code();
}

}  // namespace

TEST(Naming, FillsInWhatIsKnown) {
    EXPECT_EQ(*expand("urn:imei:{imei}", values), "urn:imei:351358811331351");
    EXPECT_EQ(*expand("{imei}-{imei}", values), "351358811331351-351358811331351");
    EXPECT_EQ(*expand("fixed", values), "fixed");
    EXPECT_EQ(*expand("a}b", values), "a}b");
}

TEST(Naming, RefusesWhatMakesNoName) {
    EXPECT_EQ(code_of(""), Errc::usage);
    EXPECT_EQ(code_of("{imei"), Errc::usage);
    EXPECT_EQ(code_of("{}"), Errc::usage);
    EXPECT_EQ(code_of("{iccid}"), Errc::usage);
    EXPECT_EQ(code_of("{label}"), Errc::usage);  // a blank in a value
    EXPECT_EQ(code_of("x\"y"), Errc::usage);
    EXPECT_EQ(code_of("x\ny"), Errc::usage);
    EXPECT_EQ(code_of("\xc3\xbc"), Errc::usage);
    EXPECT_NE(expand("{iccid}", values).error().text().find("{imei}"), std::string::npos);
}

TEST(Naming, KnowsWhatATemplateAsksFor) {
    EXPECT_TRUE(asks_for("x-{iccid}", "iccid"));
    EXPECT_FALSE(asks_for("x-iccid", "iccid"));
    EXPECT_FALSE(asks_for("{iccid2}", "iccid"));
}
