#include "base/text.hpp"

#include <gtest/gtest.h>

using namespace fota;
using namespace std::chrono_literals;

TEST(Printable, EscapesWhatActsOnATerminal) {
    EXPECT_EQ(printable("urn:imei:1"), "urn:imei:1");
    EXPECT_EQ(printable("a\x1b[2Jb"), "a\\x1b[2Jb");
    EXPECT_EQ(printable("a\nb"), "a\\x0ab");
    EXPECT_EQ(printable("\xc2\x9b"), "\\xc2\\x9b");           // C1 control sequence introducer
    EXPECT_EQ(printable("\xe2\x80\xae"), "\\xe2\\x80\\xae");  // right-to-left override
    EXPECT_EQ(printable("é"), "é");
    EXPECT_EQ(printable("\xff"), "\\xff");
    EXPECT_EQ(printable("\xe0\x80\x80"), "\\xe0\\x80\\x80");  // overlong
    EXPECT_EQ(printable("a\\x"), "a\\\\x");
    EXPECT_EQ(printable("aaaa", 2), "aa…");
}

TEST(ParseSize, TakesDecimalHexAndSuffixes) {
    EXPECT_EQ(parse_size("4096").value(), 4096u);
    EXPECT_EQ(parse_size("0xe8000").value(), 0xe8000u);
    EXPECT_EQ(parse_size("928K").value(), 928u * 1024);
    EXPECT_EQ(parse_size("8M").value(), 8u << 20);
    for (auto bad : {"", "K", "0x", "-1", "12q", "1 2", "99999999999999999999", "18446744073709551615K"}) {
        auto result = parse_size(bad);
        ASSERT_FALSE(result) << bad;
        EXPECT_EQ(result.error().code(), Errc::usage);
    }
}

TEST(ParseDuration, TakesUnits) {
    EXPECT_EQ(parse_duration("90").value(), 90s);
    EXPECT_EQ(parse_duration("90s").value(), 90s);
    EXPECT_EQ(parse_duration("250ms").value(), 250ms);
    EXPECT_EQ(parse_duration("1.5h").value(), 90min);
    EXPECT_EQ(parse_duration("2d").value(), 48h);
    for (auto bad : {"", "s", "-1s", "1w", "nan", "inf", "1e30", "999999999999d"})
        EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(Human, SizesAndDurations) {
    EXPECT_EQ(with_thousands(364747), "364,747");
    EXPECT_EQ(with_thousands(7), "7");
    EXPECT_EQ(human_size(356 * 1024), "356 KiB");
    EXPECT_EQ(human_size(1946), "1.9 KiB");
    EXPECT_EQ(human_size(8u << 20), "8 MiB");
    EXPECT_EQ(human_duration(252s), "4 min 12 s");
    EXPECT_EQ(human_duration(41s), "41 s");
}

TEST(Nearest, HelpsWithMisspellings) {
    const std::vector<std::string> names{"push", "layout", "image", "key"};
    EXPECT_EQ(nearest("psuh", names), "push");
    EXPECT_EQ(nearest("layuot", names), "layout");
    EXPECT_EQ(nearest("zzzzzz", names), "");
}
