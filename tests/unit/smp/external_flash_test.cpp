#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "smp/commands.hpp"

namespace fota::smp {
namespace {

TEST(ExternalFlash, IsAskedInItsOwnGroup) {
    const auto command = external_flash();
    EXPECT_EQ(command.op, Op::read);
    EXPECT_EQ(command.group, 26245);
}

TEST(ExternalFlash, TellsWhatItHas) {
    const auto both = parse_external_flash(
        {{"jedec", binary(Bytes{0xc2, 0x28, 0x17})}, {"sfdp", binary(Bytes{0xe5, 0x20})}, {"size", 8'388'608}});
    ASSERT_TRUE(both) << both.error().text();
    EXPECT_EQ(both->jedec_id, (Bytes{0xc2, 0x28, 0x17}));
    EXPECT_EQ(both->bfp, (Bytes{0xe5, 0x20}));
    const auto id_only = parse_external_flash({{"jedec", binary(Bytes{0xef, 0x40, 0x16})}});
    ASSERT_TRUE(id_only) << id_only.error().text();
    EXPECT_TRUE(id_only->bfp.empty());
}

TEST(ExternalFlash, AnAnswerWithNeitherIsRefused) {
    for (const auto& answer : {Json::object(), Json{{"size", 1}}, Json{{"jedec", "c22817"}}, Json::array()}) {
        const auto parsed = parse_external_flash(answer);
        ASSERT_FALSE(parsed) << answer.dump();
        EXPECT_EQ(parsed.error().code(), Errc::message_malformed);
        EXPECT_THAT(parsed.error().text(), testing::HasSubstr("a JEDEC id or an SFDP table"));
    }
}

}  // namespace
}  // namespace fota::smp
