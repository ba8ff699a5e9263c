#include <gtest/gtest.h>

#include "cli/modem_batch.hpp"

using namespace fota;
using namespace fota::cli;

namespace {

Errc code_of(std::string_view text) {
    const auto rows = parse_csv(text);
    return rows ? Errc::internal : rows.error().code();
}

}  // namespace

TEST(Csv, ReadsWhatSpreadsheetsWrite) {
    const auto rows = parse_csv("\xef\xbb\xbfport,label\r\n/dev/a,\"x, \"\"y\"\"\"\r\n\r\n/dev/b,\r\n");
    ASSERT_TRUE(rows) << rows.error().text();
    ASSERT_EQ(rows->size(), 2U);
    EXPECT_EQ(rows->at(0).at("port"), "/dev/a");
    EXPECT_EQ(rows->at(0).at("label"), "x, \"y\"");
    EXPECT_EQ(rows->at(1).at("label"), "");
}

TEST(Csv, ALineBreakMayStandInQuotes) {
    const auto rows = parse_csv("port,label\n/dev/a,\"two\nlines\"\n/dev/b,x");
    ASSERT_TRUE(rows) << rows.error().text();
    ASSERT_EQ(rows->size(), 2U);
    EXPECT_EQ(rows->at(0).at("label"), "two\nlines");
    EXPECT_EQ(rows->at(1).at("port"), "/dev/b");
}

TEST(Csv, RefusesWhatDoesNotFitItsHeader) {
    EXPECT_EQ(code_of("a,b\n1\n"), Errc::config_invalid);
    EXPECT_EQ(code_of("a,b\n1,2,3\n"), Errc::config_invalid);
    EXPECT_EQ(code_of("a,a\n1,2\n"), Errc::config_invalid);
    EXPECT_EQ(code_of("a\n\"open\n"), Errc::config_invalid);
    const auto rows = parse_csv("a,b\n1,2\n3\n");
    ASSERT_FALSE(rows);
    EXPECT_NE(rows.error().text().find("line 3: expected 2 fields"), std::string::npos) << rows.error().text();
    EXPECT_TRUE(parse_csv("a,b\n")->empty());
}
