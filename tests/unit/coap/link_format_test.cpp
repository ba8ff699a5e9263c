#include "coap/link_format.hpp"

#include <gtest/gtest.h>

#include <random>

namespace fota::coap {
namespace {

using Attributes = std::map<std::string, std::string>;

std::string message_of(std::string_view text) {
    const auto links = parse_links(text);
    return links ? "accepted" : links.error().message();
}

TEST(LinkFormat, ReadsWhatZephyrSends) {
    const auto links = parse_links("</>;ct=112,</3>;ver=1.0,</3/0>,</5/0>");
    ASSERT_TRUE(links);
    ASSERT_EQ(links->size(), 4u);
    EXPECT_EQ((*links)[0].target, "/");
    EXPECT_EQ((*links)[0].attributes, (Attributes{{"ct", "112"}}));
    EXPECT_EQ((*links)[1].attributes, (Attributes{{"ver", "1.0"}}));
    EXPECT_EQ((*links)[3].target, "/5/0");
}

TEST(LinkFormat, UnquotesValuesWithSeparatorsAndEscapes) {
    const auto links = parse_links(R"(</lwm2m>;rt="oma.lwm2m";title="a,b;c\"d\\";obs,</1/0>)");
    ASSERT_TRUE(links);
    ASSERT_EQ(links->size(), 2u);
    EXPECT_EQ((*links)[0].attributes, (Attributes{{"rt", "oma.lwm2m"}, {"title", "a,b;c\"d\\"}, {"obs", ""}}));
}

TEST(LinkFormat, ToleratesWhiteSpaceAndAFinalComma) {
    const auto links = parse_links(" </1/0> ; ver = 1.1 ,\r\n </3/0> , ");
    ASSERT_TRUE(links);
    ASSERT_EQ(links->size(), 2u);
    EXPECT_EQ((*links)[0].attributes, (Attributes{{"ver", "1.1"}}));
}

TEST(LinkFormat, EmptyTextIsAnEmptyList) {
    ASSERT_TRUE(parse_links(""));
    EXPECT_TRUE(parse_links("")->empty());
}

TEST(LinkFormat, TheFirstOfARepeatedAttributeCounts) {
    EXPECT_EQ(parse_links("</3>;ver=1.1;ver=2.0")->front().attributes.at("ver"), "1.1");
}

TEST(LinkFormat, NamesTheOffsetOfWhatDoesNotFit) {
    EXPECT_EQ(message_of("</3/0>x"), "link list: expected ',' or the end at offset 6, found 'x'");
    EXPECT_EQ(message_of("/3/0"), "link list: expected '<' at offset 0, found '/'");
    EXPECT_EQ(message_of("</3/0"), "link list: expected '>' at offset 5, found the end");
    EXPECT_EQ(message_of("</3>;=1"), "link list: expected an attribute name at offset 5, found '='");
    EXPECT_EQ(message_of("</3>;rt=\"x"), "link list: expected '\"' at offset 10, found the end");
    EXPECT_EQ(message_of(std::string_view("\x01", 1)), "link list: expected '<' at offset 0, found byte 0x01");
}

TEST(LinkFormat, CountsAreBounded) {
    std::string many;
    for (int i = 0; i < 257; ++i) many += "</1>,";
    EXPECT_EQ(message_of(many), "link list: expected at most 256 links, found more");
    std::string attributes = "</1>";
    for (int i = 0; i < 17; ++i) attributes += ";a";
    EXPECT_EQ(message_of(attributes), "link list: expected at most 16 attributes of a link, found more");
}

TEST(LinkFormat, AnyBytesEndInAListOrAnError) {
    constexpr unsigned seed = 7;
    std::mt19937 random(seed);
    constexpr std::string_view alphabet = "<>,;=\"\\ /a1";
    for (int round = 0; round < 20'000; ++round) {
        std::string text(random() % 24, ' ');
        for (auto& c : text) c = alphabet[random() % alphabet.size()];
        (void)parse_links(text, {.links = 4, .attributes_per_link = 2});
    }
}

}  // namespace
}  // namespace fota::coap
