// What is asked, as bytes, and what answers mean: both forms of errors, maps of both kinds, and what is no answer.
#include "smp/commands.hpp"

#include <gtest/gtest.h>

#include <map>

#include "smp/framing.hpp"
#include "smp/refusal.hpp"

namespace fota::smp {
namespace {

std::string hex(const Command& command, Version version = Version::v2) {
    return to_hex(encode(command, 1, version).value());
}

TEST(Commands, StandInTheirGroupsWithTheirNumbers) {
    // op and version, flags, length, group, sequence, command, body.
    EXPECT_EQ(hex(echo("hi")),
              "0a00"
              "0006"
              "0000"
              "0100"
              "a1616462"
              "6869");
    EXPECT_EQ(hex(reset()),
              "0a00"
              "0001"
              "0000"
              "0105"
              "a0");
    EXPECT_EQ(hex(reset(true)),
              "0a00"
              "000c"
              "0000"
              "0105"
              "a1"
              "69626f6f745f6d6f6465"
              "01");
    EXPECT_EQ(hex(parameters()),
              "0800"
              "0001"
              "0000"
              "0106"
              "a0");
    EXPECT_EQ(hex(parameters(), Version::v1),
              "0000"
              "0001"
              "0000"
              "0106"
              "a0");
    EXPECT_EQ(hex(image_list()),
              "0800"
              "0001"
              "0001"
              "0100"
              "a0");
    EXPECT_EQ(hex(erase_slot(1)),
              "0a00"
              "0007"
              "0001"
              "0105"
              "a164736c6f7401");
    EXPECT_EQ(hex(slot_info()),
              "0800"
              "0001"
              "0001"
              "0106"
              "a0");
    EXPECT_EQ(hex(statistics_groups()),
              "0800"
              "0001"
              "0002"
              "0101"
              "a0");
    EXPECT_EQ(hex(statistics("a")),
              "0800"
              "0008"
              "0002"
              "0100"
              "a1"
              "646e616d65"
              "6161");
    EXPECT_EQ(hex(setting("a")),
              "0800"
              "0008"
              "0003"
              "0100"
              "a1"
              "646e616d65"
              "6161");
    EXPECT_EQ(hex(file_status("a")),
              "0800"
              "0008"
              "0008"
              "0101"
              "a1"
              "646e616d65"
              "6161");
    EXPECT_EQ(hex(shell({"a", "b"})),
              "0a00"
              "000b"
              "0009"
              "0100"
              "a1"
              "6461726776"
              "8261616162");
    EXPECT_EQ(hex(groups()),
              "0800"
              "0001"
              "000a"
              "0101"
              "a0");
    EXPECT_EQ(hex(erase_storage()),
              "0a00"
              "0001"
              "003f"
              "0100"
              "a0");
    const auto test = set_image_state(Bytes{1, 2}, false);
    EXPECT_EQ(test.body, (Json{{"hash", binary(Bytes{1, 2})}, {"confirm", false}}));
    EXPECT_FALSE(set_image_state({}, true).body.contains("hash"));
}

TEST(Commands, AnEchoOnTheLineIsTheRecordedOne) {
    // A frame seen on the wire of a Zephyr server: echo, version 2, sequence 1.
    EXPECT_EQ(as_text(encode_console(encode(echo("hi"), 1).value()).value()),
              "\x06\x09"
              "ABAKAAAGAAABAKFhZGJoaaWv\n");
    // A reset in version 1, and what a Thingy:91's MCUboot answered.
    ConsoleReader reader;
    reader.feed(
        as_bytes("\x06\x09"
                 "ABADAAAGAAAABb9icmMA/xXW\n"));
    const auto packet = reader.next();
    ASSERT_TRUE(packet);
    const auto answer = decode(*packet).value();
    EXPECT_EQ(answer.op, Op::write_response);
    EXPECT_EQ(answer.command, 5);
    EXPECT_EQ(from_cbor(answer.body).value(), (Json{{"rc", 0}}));
}

TEST(Answers, ParametersBoundTheMessage) {
    const auto params = parse_parameters({{"buf_size", 384}, {"buf_count", 4}}).value();
    EXPECT_EQ(params.longest_message(), 380u);
    EXPECT_EQ(params.buffer_count, 4u);
    EXPECT_EQ(parse_parameters({{"buf_size", 1024}}).value().buffer_count, 1u);
    for (const auto& bad :
         {Json::object(), Json{{"buf_size", 8}}, Json{{"buf_size", 1 << 20}}, Json{{"buf_size", "x"}}})
        EXPECT_FALSE(parse_parameters(bad)) << bad.dump();
}

TEST(Answers, TheImageThatRunsIsTheActiveOneOrInRecoveryTheFirstSlots) {
    const auto with = parse_image_list({{"images",
                                         {{{"slot", 0}, {"version", "1.0.0"}, {"bootable", true}},
                                          {{"slot", 1}, {"version", "2.0.0"}, {"bootable", true}, {"active", true}}}}})
                          .value();
    EXPECT_EQ(running_slot(with)->version, "2.0.0");
    const auto without = parse_image_list({{"images", {{{"slot", 0}, {"version", "1.0.0"}}}}}).value();
    EXPECT_EQ(running_slot(without)->version, "1.0.0");
    const auto none = parse_image_list({{"images", Json::array()}}).value();
    EXPECT_EQ(running_slot(none), nullptr);
    EXPECT_FALSE(parse_image_list({{"rc", 0}}));
    auto many = Json::array();
    for (int i = 0; i < 1'000; ++i) many.push_back({{"slot", i}});
    EXPECT_EQ(parse_image_list({{"images", many}}).value().size(), 64u);
}

TEST(Answers, OfTheOtherGroups) {
    EXPECT_EQ(parse_groups({{"groups", {0u, 1u, 63u, 70'000u, "x"}}}).value(), (std::vector<std::uint16_t>{0, 1, 63}));
    EXPECT_EQ(parse_statistics_groups({{"stat_list", {"a", 1, "b"}}}).value(), (std::vector<std::string>{"a", "b"}));
    const auto shell = parse_shell({{"o", "hello\n"}, {"ret", -8}}).value();
    EXPECT_EQ(shell.output, "hello\n");
    EXPECT_EQ(shell.returned, -8);
    const auto sizes =
        parse_slot_info(
            {{"images", {{{"image", 0}, {"slots", {{{"slot", 1}, {"size", 4096}, {"upload_image_id", 2}}}}}}}})
            .value();
    ASSERT_EQ(sizes.size(), 1u);
    EXPECT_EQ(sizes[0].upload_image, 2u);
    for (const auto& bad : {Json::object(), Json{{"groups", 1}, {"stat_list", 1}, {"o", 1}, {"images", 1}}}) {
        EXPECT_FALSE(parse_groups(bad));
        EXPECT_FALSE(parse_statistics_groups(bad));
        EXPECT_FALSE(parse_shell(bad));
        EXPECT_FALSE(parse_slot_info(bad));
    }
    EXPECT_EQ(bootloader_mode_name(3), "swap-move");
    EXPECT_EQ(bootloader_mode_name(12), "mode 12");
}

TEST(Refusals, BothFormsCountWhateverVersionWasAsked) {
    EXPECT_FALSE(refusal_of(Json::object()));
    EXPECT_FALSE(refusal_of({{"rc", 0}}));
    EXPECT_FALSE(refusal_of({{"rc", 0}, {"off", 5}}));
    const auto v1 = refusal_of({{"rc", 1}, {"rsn", "magic mismatch"}}).value();
    EXPECT_FALSE(v1.group);
    EXPECT_EQ(describe(v1), "it failed without saying why (SMP error 1), \"magic mismatch\"");
    const auto v2 = refusal_of({{"err", {{"group", 1}, {"rc", 23}}}}).value();
    EXPECT_EQ(describe(v2), "not an MCUboot image: its magic is wrong (image error 23)");
    EXPECT_TRUE(refusal_of({{"rc", 8}})->unsupported());
    EXPECT_FALSE(refusal_of({{"err", {{"group", 1}, {"rc", 8}}}})->unsupported()) << "image error 8 is another thing";
    EXPECT_TRUE(refusal_of({{"rc", "odd"}})) << "what is no number is no success";
    EXPECT_TRUE(refusal_of({{"err", {{"group", 1}}}}));
}

TEST(Refusals, EveryNumberOfEveryGroupIsToldInWords) {
    const std::map<std::uint16_t, std::uint64_t> last{
        {group::os, 6},     {group::image, 34}, {group::statistics, 5},  {group::settings, 8},
        {group::files, 16}, {group::shell, 3},  {group::enumeration, 4}, {group::zephyr_basic, 4}};
    for (const auto& [number, most] : last) {
        for (std::uint64_t code = 1; code <= most; ++code) {
            const auto text = describe({number, code, ""});
            EXPECT_NE(text.find('('), std::string::npos) << text;
        }
        EXPECT_EQ(describe({number, most + 1, ""}).find('('), std::string::npos) << "a number nobody defined";
    }
    for (std::uint64_t code = 1; code <= 13; ++code) EXPECT_NE(describe({{}, code, ""}).find('('), std::string::npos);
    EXPECT_EQ(describe({{}, 256, ""}), "SMP error 256");
}

TEST(Refusals, AsErrorsTheyCarryTheirNumbers) {
    const auto error = to_error({group::image, 30, ""}, "take the image");
    EXPECT_EQ(error.code(), Errc::device_refused);
    EXPECT_EQ(error.detail("rc"), "30");
    EXPECT_EQ(error.detail("group"), "image");
    EXPECT_NE(error.message().find("expected the device to take the image"), std::string::npos);
    EXPECT_TRUE(is_unsupported(to_error({{}, 8, ""}, "echo")));
    EXPECT_FALSE(is_unsupported(error));
}

TEST(SmpCbor, MapsOfBothKindsAreTheSame) {
    const Json expected{{"off", 5}, {"rc", 0}};
    EXPECT_EQ(from_cbor(from_hex("a2636f666605627263"
                                 "00")
                            .value())
                  .value(),
              expected);
    EXPECT_EQ(from_cbor(from_hex("bf636f666605627263"
                                 "00ff")
                            .value())
                  .value(),
              expected);
    EXPECT_EQ(from_cbor(from_hex("a0").value()).value(), Json::object());
}

TEST(SmpCbor, WhatIsNoMapIsRefused) {
    for (const auto* text :
         {"", "00", "80", "a1", "a16161", "bf", "bf6161", "ff", "a0a0", "a10000", "5f", "7bffffffffffffffff",
          "bbffffffffffffffff", "a1616182828282828282828282828282828282828282828200"}) {
        const auto bytes = from_hex(text).value();
        const auto parsed = from_cbor(bytes);
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code(), Errc::message_malformed);
    }
}

TEST(SmpCbor, MembersAreTakenByTheirType) {
    const Json map{{"n", 5}, {"minus", -5}, {"t", "x"}, {"b", binary(Bytes{1})}, {"yes", true}};
    EXPECT_EQ(number(map, "n"), 5u);
    EXPECT_FALSE(number(map, "minus"));
    EXPECT_FALSE(number(map, "t"));
    EXPECT_EQ(text(map, "t"), "x");
    EXPECT_FALSE(text(map, "b"));
    EXPECT_EQ(bytes(map, "b"), Bytes{1});
    EXPECT_FALSE(bytes(map, "t"));
    EXPECT_TRUE(flag(map, "yes"));
    EXPECT_FALSE(flag(map, "n"));
    EXPECT_FALSE(flag(map, "none"));
}

}  // namespace
}  // namespace fota::smp
