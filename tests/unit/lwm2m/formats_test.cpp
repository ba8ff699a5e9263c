#include "lwm2m/formats.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "lwm2m/base64.hpp"
#include "lwm2m/firmware.hpp"
#include "lwm2m/registry.hpp"
#include "tests/support/hex.hpp"

namespace fota::lwm2m {
namespace {

using testing::HasSubstr;

constexpr std::uint32_t text = 0, opaque = 42, cbor = 60, senml_json = 110, senml_cbor = 112, tlv = 11542, json = 11543;

Path at(const char* path) {
    return *Path::parse(path);
}

Bytes bytes(std::string_view characters) {
    return to_bytes(as_bytes(characters));
}

Result<std::vector<Entry>> read_json(std::string_view payload, const char* path = "/3") {
    return decode(at(path), senml_json, as_bytes(payload));
}

Result<std::vector<Entry>> read_cbor(const char* hex, const char* path = "/3") {
    return decode(at(path), senml_cbor, test::hex(hex));
}

std::string error_of(const Result<std::vector<Entry>>& result) {
    return result ? "no error" : result.error().text();
}

// ---- types

TEST(Types, TextBecomesWhatTheRegistrySays) {
    const auto typed = [](const char* characters, Type type) {
        return as_type(Untyped{true, bytes(characters)}, type);
    };
    EXPECT_EQ(typed("-42", Type::integer), Value(std::int64_t{-42}));
    EXPECT_EQ(typed("18446744073709551615", Type::unsigned_integer), Value(std::numeric_limits<std::uint64_t>::max()));
    EXPECT_EQ(typed("-6.25", Type::floating), Value(-6.25));
    EXPECT_EQ(typed("1", Type::boolean), Value(true));
    EXPECT_EQ(typed("false", Type::boolean), Value(false));
    EXPECT_EQ(typed("wigA", Type::opaque), Value(Bytes{0xc2, 0x28, 0x00}));
    EXPECT_EQ(typed("10:3", Type::object_link), Value(ObjectReference{10, 3}));
    EXPECT_EQ(typed("1367491215", Type::time), Value(std::int64_t{1367491215}));
    EXPECT_EQ(typed("x", Type::string), Value(std::string("x")));
    EXPECT_FALSE(typed("2", Type::boolean));
    EXPECT_FALSE(typed("1x", Type::integer));
    EXPECT_FALSE(typed("", Type::floating));
    EXPECT_FALSE(typed("70000:1", Type::object_link));
    EXPECT_FALSE(typed("-1", Type::unsigned_integer));
}

TEST(Types, TlvBytesBecomeWhatTheRegistrySays) {
    const auto typed = [](Bytes raw, Type type) { return as_type(Untyped{false, std::move(raw)}, type); };
    EXPECT_EQ(typed({0xff, 0xfe}, Type::integer), Value(std::int64_t{-2}));
    EXPECT_EQ(typed({0xff, 0xfe}, Type::unsigned_integer), Value(std::uint64_t{65534}));
    EXPECT_EQ(typed({0x3f, 0x80, 0, 0}, Type::floating), Value(1.0));
    EXPECT_EQ(typed({0xc0, 0x19, 0, 0, 0, 0, 0, 0}, Type::floating), Value(-6.25));
    EXPECT_EQ(typed({0x01}, Type::boolean), Value(true));
    EXPECT_EQ(typed({0x00, 0x0a, 0xff, 0xff}, Type::object_link), Value(ObjectReference{10, 65535}));
    EXPECT_FALSE(typed({1, 2, 3}, Type::integer));
    EXPECT_FALSE(typed({1, 2}, Type::floating));
    EXPECT_FALSE(typed({2}, Type::boolean));
    EXPECT_FALSE(typed({1, 2}, Type::object_link));
}

TEST(Types, NumbersConvertOnlyWithoutLoss) {
    EXPECT_EQ(as_type(2.0, Type::integer), Value(std::int64_t{2}));
    EXPECT_FALSE(as_type(2.5, Type::integer));
    EXPECT_FALSE(as_type(9.3e18, Type::integer));
    EXPECT_FALSE(as_type(std::nan(""), Type::integer));
    EXPECT_FALSE(as_type(std::numeric_limits<std::uint64_t>::max(), Type::integer));
    EXPECT_FALSE(as_type(std::int64_t{-1}, Type::unsigned_integer));
    EXPECT_EQ(as_type(std::int64_t{3}, Type::floating), Value(3.0));
    EXPECT_FALSE(as_type(std::string("3"), Type::integer));
    const auto failed = as_type(std::string("a\x1b[31m"), Type::integer);
    ASSERT_FALSE(failed);
    EXPECT_EQ(failed.error().message(), "expected a value of type integer, found \"a\\x1b[31m\"");
}

TEST(Types, WhatAPersonTypes) {
    EXPECT_EQ(parse_value("c22817", Type::opaque), Value(Bytes{0xc2, 0x28, 0x17}));
    EXPECT_EQ(parse_value("true", Type::boolean), Value(true));
    EXPECT_EQ(parse_value("86400", Type::integer), Value(std::int64_t{86400}));
    for (const auto& [typed, type] : {std::pair("xyz", Type::opaque), {"yes", Type::boolean}, {"1.5", Type::integer}}) {
        const auto refused = parse_value(typed, type);
        ASSERT_FALSE(refused) << typed;
        EXPECT_EQ(refused.error().code(), Errc::usage);
        EXPECT_THAT(refused.error().message(), HasSubstr(typed));
    }
}

TEST(Base64, BothAlphabetsWithAndWithoutPadding) {
    std::mt19937 random(3);
    for (std::size_t size = 0; size < 70; ++size) {
        Bytes value(size);
        for (auto& byte : value) byte = static_cast<std::uint8_t>(random());
        for (const auto alphabet : {Alphabet::standard, Alphabet::url})
            EXPECT_EQ(from_base64(to_base64(value, alphabet)), value) << size;
    }
    EXPECT_EQ(to_base64(Bytes{0xfb, 0xff}, Alphabet::standard), "+/8=");
    EXPECT_EQ(to_base64(Bytes{0xfb, 0xff}, Alphabet::url), "-_8");
    for (const auto* wrong : {"A", "AB=C", "AB!D", "A===", "AB", "=", "AAAA="})
        EXPECT_FALSE(from_base64(wrong)) << wrong;
}

// ---- text, opaque, CBOR

TEST(SingleFormats, AreForOneResourceOnly) {
    for (const auto format : {text, opaque, cbor}) {
        EXPECT_FALSE(decode(at("/3/0"), format, Bytes{1})) << format;
        EXPECT_TRUE(decode(at("/3/0/0"), format, Bytes{1})) << format;
    }
}

TEST(Cbor, OneItemIsTheValue) {
    const auto value = [](const char* hex) {
        const auto entries = decode(at("/3/0/0"), cbor, test::hex(hex));
        return entries ? Result<Value>(entries->front().value) : Failure(entries.error());
    };
    EXPECT_EQ(value("1b7fffffffffffffff"), Value(std::numeric_limits<std::int64_t>::max()));
    EXPECT_EQ(value("1bffffffffffffffff"), Value(std::numeric_limits<std::uint64_t>::max()));
    EXPECT_EQ(value("3903e7"), Value(std::int64_t{-1000}));
    EXPECT_EQ(value("3bffffffffffffffff"), Value(-18446744073709551616.0));
    EXPECT_EQ(value("f93e00"), Value(1.5));
    EXPECT_EQ(value("fa3fc00000"), Value(1.5));
    EXPECT_EQ(value("c48221196ab3"), Value(273.15));
    EXPECT_EQ(value("c11a514b67b0"), Value(std::int64_t{1363896240}));
    EXPECT_EQ(value("f5"), Value(true));
    EXPECT_EQ(value("43c22817"), Value(Bytes{0xc2, 0x28, 0x17}));
    for (const auto* wrong : {"", "18", "f6", "80", "a0", "0000", "5f41004100ff", "c1", "c16161", "c482016161", "ff",
                              "1c", "7f", "5bffffffffffffffff", "c4821b7fffffffffffffff01"})
        EXPECT_FALSE(value(wrong)) << wrong;
}

// ---- TLV

TEST(Tlv, TheExamplesOfTheSpecification) {
    // OMA LwM2M Core 1.1, section 7.4.3.2: a part of Read /3/0.
    const auto device = decode(at("/3/0"), tlv,
                               test::hex("c800144f70656e204d6f62696c6520416c6c69616e6365"
                                         "8606410001410105"
                                         "88070842000ed842011388"
                                         "c10964"));
    ASSERT_TRUE(device) << device.error().text();
    ASSERT_EQ(device->size(), 6u);
    EXPECT_EQ((*device)[0].path.text(), "/3/0/0");
    EXPECT_EQ(as_type((*device)[0].value, Type::string), Value(std::string("Open Mobile Alliance")));
    EXPECT_EQ((*device)[2].path.text(), "/3/0/6/1");
    EXPECT_EQ(as_type((*device)[2].value, Type::integer), Value(std::int64_t{5}));
    EXPECT_EQ((*device)[4].path.text(), "/3/0/7/1");
    EXPECT_EQ(as_type((*device)[4].value, Type::integer), Value(std::int64_t{5000}));
    EXPECT_EQ((*device)[5].path.text(), "/3/0/9");
}

TEST(Tlv, AnEntryHasAsManyBytesAsItSays) {
    EXPECT_TRUE(decode(at("/3/0"), tlv, test::hex("880704420000d8")));
    EXPECT_FALSE(decode(at("/3/0"), tlv, test::hex("880705420000d8")));
    EXPECT_FALSE(decode(at("/3/0"), tlv, test::hex("880708420000d8")));
}

TEST(Tlv, InstancesOfAnObject) {
    // Section 7.4.3.3: two instances of Access Control.
    const auto entries = decode(at("/2"), tlv, test::hex("080009c10001c10102c10300080109c10001c10103c10300"));
    ASSERT_TRUE(entries) << entries.error().text();
    ASSERT_EQ(entries->size(), 6u);
    EXPECT_EQ((*entries)[3].path.text(), "/2/1/0");
    // A single instance without its wrapper is instance 0.
    const auto bare = decode(at("/3"), tlv, test::hex("c10964"));
    ASSERT_TRUE(bare);
    EXPECT_EQ(bare->front().path.text(), "/3/0/9");
    // A resource instance asked for by itself.
    const auto one = decode(at("/3/0/7/1"), tlv, test::hex("42011388"));
    ASSERT_TRUE(one) << one.error().text();
    EXPECT_EQ(one->front().path.text(), "/3/0/7/1");
}

TEST(Tlv, NestsOnlyAsTheSpecificationSays) {
    EXPECT_THAT(error_of(decode(at("/3/0"), tlv, test::hex("8603c4030000"))), HasSubstr("whole"));
    EXPECT_THAT(error_of(decode(at("/3/0"), tlv,
                                test::hex("8603"
                                          "8404410007aa"))),
                HasSubstr("multiple resource"));
    EXPECT_THAT(error_of(decode(at("/3"), tlv,
                                test::hex("0500"
                                          "0301c10901"))),
                HasSubstr("object instance"));
    EXPECT_THAT(error_of(decode(at("/3/0"), tlv, test::hex("410007"))), HasSubstr("resource instance"));
    EXPECT_THAT(error_of(decode(at("/3/0"), tlv, test::hex("c10900c1"))), HasSubstr("less"));
    EXPECT_THAT(error_of(decode(at("/3/0/1"), tlv, test::hex("c10900"))), HasSubstr("found others"));
    Bytes many;
    for (std::size_t i = 0; i <= most_entries; ++i) append(many, Bytes{0xc0, 0x01});
    EXPECT_THAT(error_of(decode(at("/3/0"), tlv, many)), HasSubstr("1024"));
}

// ---- SenML

TEST(SenmlJson, TheExampleOfTheSpecification) {
    // OMA LwM2M Core 1.1, section 7.4.4: Read /3/0.
    const auto entries = read_json(R"([{"bn":"/3/0/","n":"0","vs":"Open Mobile Alliance"},{"n":"6/0","v":1},
        {"n":"7/1","v":5000},{"n":"13","v":1367491215},{"n":"16","vs":"U"}])",
                                   "/3/0");
    ASSERT_TRUE(entries) << entries.error().text();
    ASSERT_EQ(entries->size(), 5u);
    EXPECT_EQ((*entries)[0], (Entry{at("/3/0/0"), std::string("Open Mobile Alliance")}));
    EXPECT_EQ((*entries)[2], (Entry{at("/3/0/7/1"), std::int64_t{5000}}));
}

TEST(SenmlJson, BaseFieldsHoldUntilTheNext) {
    const auto entries = read_json(R"([{"bn":"/3/0/","bt":1000,"bv":10,"bu":"V","n":"7/0","v":1,"t":5},
        {"n":"7/1","v":2.5},{"bn":"/3/1/7/","bv":-1,"n":"0","v":0},{"n":"1","vb":true},{"bt":0,"n":"2","vs":"x"}])");
    ASSERT_TRUE(entries) << entries.error().text();
    EXPECT_EQ(*entries, (std::vector<Entry>{{at("/3/0/7/0"), std::int64_t{11}, 1005.0},
                                            {at("/3/0/7/1"), 12.5, 1000.0},
                                            {at("/3/1/7/0"), std::int64_t{-1}, 1000.0},
                                            {at("/3/1/7/1"), true, 1000.0},
                                            {at("/3/1/7/2"), std::string("x"), std::nullopt}}));
    // Beyond 64 bits the sum goes on as a float instead of wrapping round.
    const auto large = read_json(R"([{"bn":"/3/0/9","bv":9223372036854775807,"v":1}])");
    ASSERT_TRUE(large);
    EXPECT_EQ(large->front().value, Value(9223372036854775808.0));
}

TEST(SenmlJson, EveryTypeOfValue) {
    const auto entries = read_json(R"([{"bn":"/3/0/","n":"0","vd":"-_8"},{"n":"1","vlo":"10:3"},{"n":"2","v":-0.5},
        {"n":"3","v":18446744073709551615},{"n":"4","vs":""}])");
    ASSERT_TRUE(entries) << entries.error().text();
    EXPECT_EQ((*entries)[0].value, Value(Bytes{0xfb, 0xff}));
    EXPECT_EQ((*entries)[1].value, Value(ObjectReference{10, 3}));
    EXPECT_EQ((*entries)[2].value, Value(-0.5));
    EXPECT_EQ((*entries)[3].value, Value(std::numeric_limits<std::uint64_t>::max()));
    EXPECT_EQ((*entries)[4].value, Value(std::string()));
}

TEST(SenmlJson, IgnoresWhatItMayAndRefusesWhatItMust) {
    EXPECT_TRUE(read_json(R"([{"bn":"/3/0/9","v":1,"u":"%","ut":3,"vendor":[1,{"x":null}],"other":null}])"));
    EXPECT_TRUE(read_json("[]"));
    for (const auto& [payload, part] : {
             std::pair(R"([{"bn":"/3/0/9","v":1,"new_":1}])", "must be understood"),
             {R"([{"bn":"/3/0/9","v":1,"bver":11}])", "version 10"},
             {R"([{"bn":"/3/0/9","v":1,"vs":"x"}])", "several"},
             {R"([{"bn":"/3/0/9","v":1,"v":2}])", "twice"},
             {R"([{"bn":"/3/0/9"}])", "none"},
             {R"([{"bn":"/3/0/9","s":5}])", "none"},
             {R"([{"n":"/3/0","v":1}])", "path of a resource"},
             {R"([{"n":"9","v":1}])", "path of a resource"},
             {R"([{"bn":"/3/0/9","v":"1"}])", "a number"},
             {R"([{"bn":"/3/0/9","vd":"?"}])", "opaque"},
             {R"([{"bn":"/3/0/9","vb":0}])", "true or false"},
             {R"([{"bn":5,"v":1}])", "text"},
             {R"({"bn":"/3/0/9","v":1})", "list of records"},
             {R"([[{"bn":"/3/0/9","v":1}]])", "list in their place"},
             {R"([1])", "value in their place"},
             {R"([null])", "value in their place"},
             {R"([{"bn":"/3/0/9","v":1}] x)", "JSON"},
             {R"([{"bn":"/3/0/9","v":1})", "JSON"},
             {"", "JSON"},
             {R"([{"bn":"/5/0/9","v":1}])", "found others"},
         })
        EXPECT_THAT(error_of(read_json(payload)), HasSubstr(part)) << payload;
}

TEST(SenmlJson, DepthAndSizeAreBounded) {
    EXPECT_THAT(error_of(read_json(std::string(60'000, '['))), HasSubstr("list in their place"));
    EXPECT_THAT(error_of(read_json(R"([{"x":)" + std::string(60'000, '['))), HasSubstr("8 levels"));
    std::string many = "[";
    for (std::size_t i = 0; i <= most_entries; ++i)
        many += (i == 0 ? "" : ",") + std::string(R"({"n":"/3/0/9","v":1})");
    EXPECT_THAT(error_of(read_json(many + "]")), HasSubstr("1024 records"));
    EXPECT_THAT(error_of(read_json(std::string(longest_payload + 1, ' '))), HasSubstr("131072"));
    EXPECT_THAT(error_of(read_json(R"([{"bn":"/)" + std::string(100, '1') + R"(","v":1}])")), HasSubstr("64 bytes"));
}

TEST(SenmlCbor, WhatZephyrSends) {
    // Indefinite list and map, base name with the resource as name: [_ {_ -2: "/3/0/", 0: "9", 2: 95}]
    const auto packed = read_cbor("9fbf21652f332f302f00613902185fffff");
    ASSERT_TRUE(packed) << packed.error().text();
    EXPECT_EQ(packed->front(), (Entry{at("/3/0/9"), std::int64_t{95}}));
    const auto both = read_cbor("82a321652f332f302f006131036378797aa20061320842c228");
    ASSERT_TRUE(both) << both.error().text();
    EXPECT_EQ((*both)[0], (Entry{at("/3/0/1"), std::string("xyz")}));
    EXPECT_EQ((*both)[1], (Entry{at("/3/0/2"), Bytes{0xc2, 0x28}}));
}

TEST(SenmlCbor, BaseFieldsAndTextLabels) {
    // [{-2: "/3/0/", -3: 1000, -5: 10, 0: "9", 2: 1, 6: 5}, {0: "1", "vlo": "10:3", 1: "V", 99: [1, {2: 3}]}]
    const auto good = read_cbor(
        "82"
        "a621652f332f302f221903e8240a00613902010605"
        "a400613163766c6f6431303a3301615618638201a10203");
    ASSERT_TRUE(good) << good.error().text();
    EXPECT_EQ((*good)[0], (Entry{at("/3/0/9"), std::int64_t{11}, 1005.0}));
    EXPECT_EQ((*good)[1], (Entry{at("/3/0/1"), ObjectReference{10, 3}, 1000.0}));
}

TEST(SenmlCbor, RefusesWhatIsNoPack) {
    for (const auto& [hex, part] : {
             std::pair("", "whole"),
             {"a0", "list of records"},
             {"8101", "record as a map"},
             {"81a1f401", "integer or text as label"},
             {"81a3006139 0201", "whole"},
             {"81a121662f332f302f39", "none"},
             {"81a221662f332f302f3902f6", "value of \"v\""},
             {"81a221662f332f302f390280", "value of \"v\""},
             {"81a221662f332f302f39020100", "more behind"},
             {"81a321662f332f302f39020102 02", "twice"},
             {"81a221662f332f302f3962 615f01", "must be understood"},
             {"9fa221662f332f302f390201", "whole"},
             {"81a21863818181818181818181818181", "8 levels"},
             {"9bffffffffffffffff", "whole"},
             {"81bbffffffffffffffff", "whole"},
             {"81a121 7bffffffffffffffff", "whole"},
         }) {
        std::string packed(hex);
        std::erase(packed, ' ');
        EXPECT_THAT(error_of(read_cbor(packed.c_str())), HasSubstr(part)) << hex;
    }
}

// ---- LwM2M JSON

TEST(Lwm2mJson, TheExampleOfTheSpecification) {
    // OMA LwM2M 1.0, section 6.4.4.
    const auto entries = decode(at("/3/0"), json, as_bytes(R"({"bn":"/3/0/","e":[{"n":"0","sv":"Open Mobile Alliance"},
        {"n":"6/0","v":1},{"n":"9","v":100},{"n":"14","sv":"+02:00"},{"n":"15","bv":true},{"n":"16","ov":"10:3"}]})"));
    ASSERT_TRUE(entries) << entries.error().text();
    ASSERT_EQ(entries->size(), 6u);
    EXPECT_EQ(as_type((*entries)[0].value, Type::string), Value(std::string("Open Mobile Alliance")));
    EXPECT_EQ((*entries)[2], (Entry{at("/3/0/9"), std::uint64_t{100}}));
    EXPECT_EQ((*entries)[4].value, Value(true));
    EXPECT_EQ((*entries)[5].value, Value(ObjectReference{10, 3}));
}

TEST(Lwm2mJson, BaseNamesInEveryPlaceAndForm) {
    for (const auto* payload : {R"({"e":[{"n":"9","v":1}],"bn":"/3/0"})", R"({"e":[{"n":"/9","v":1}],"bn":"/3/0/"})",
                                R"({"bn":"/3/0/9","e":[{"v":1}]})", R"({"bn":"/3/0/9/","e":[{"n":"","v":1}]})",
                                R"({"bt":5,"e":[{"n":"9","v":1}]})"}) {
        const auto entries = decode(at("/3/0"), json, as_bytes(payload));
        ASSERT_TRUE(entries) << payload << entries.error().text();
        EXPECT_EQ(entries->front().path.text(), "/3/0/9") << payload;
    }
    for (const auto* wrong : {R"([])", R"({"e":{}})", R"({"e":[1]})", R"({"e":[[]]})", R"({"e":[{"n":"9"}]})", R"(5)",
                              R"({"e":[{"n":"9","v":1,"bv":true}]})", R"({"e":[{"n":"9","v":"1"}]})",
                              R"({"bn":1,"e":[]})", R"({"x":{"y":1}})"})
        EXPECT_FALSE(decode(at("/3/0"), json, as_bytes(wrong))) << wrong;
}

// ---- Discover

TEST(Links, OfADiscover) {
    const auto links =
        decode_links("/", as_bytes(R"(</>;rt="oma.lwm2m",</5>;ver=1.1,</5/0>;pmin=10,</5/0/3>,</5/0/8>;dim=2)"));
    ASSERT_TRUE(links) << links.error().text();
    ASSERT_EQ(links->size(), 4u);
    EXPECT_EQ((*links)[0].path.text(), "/5");
    EXPECT_EQ((*links)[0].attributes.at("ver"), "1.1");
    EXPECT_EQ((*links)[3].attributes.at("dim"), "2");
    const auto rooted = decode_links("/lwm2m/", as_bytes("</lwm2m/5/0>,</5/1>,</other>"));
    ASSERT_TRUE(rooted);
    ASSERT_EQ(rooted->size(), 1u);
    EXPECT_EQ(rooted->front().path.text(), "/5/0");
    EXPECT_FALSE(decode_links("/", as_bytes("</5")));
    EXPECT_FALSE(decode_links("/", Bytes(longest_payload + 1, ',')));
}

// ---- all

TEST(Formats, WhatIsWrittenIsRead) {
    constexpr unsigned seed = 20261125;
    std::mt19937_64 random(seed);
    const auto value = [&](int kind) -> Value {
        switch (kind) {
            case 0:
                return std::string(random() % 300, 'x');
            case 1:
                return static_cast<std::int64_t>(random()) >> (random() % 64);
            case 2:
                return random() >> (random() % 64) | 1ull << 63;
            case 3:
                return std::ldexp(static_cast<double>(static_cast<std::int64_t>(random())),
                                  static_cast<int>(random() % 40) - 60);
            case 4:
                return (random() & 1) != 0;
            case 5:
                return Bytes(random() % 300, 0xa5);
            default:
                return ObjectReference{static_cast<std::uint16_t>(random()), static_cast<std::uint16_t>(random())};
        }
    };
    constexpr std::array types{Type::string,  Type::integer, Type::unsigned_integer, Type::floating,
                               Type::boolean, Type::opaque,  Type::object_link};
    for (int round = 0; round < 2'000; ++round) {
        std::vector<Entry> entries;
        std::vector<Type> wanted;
        const auto object_level = round % 2 == 0;
        for (std::uint16_t instance = 0; instance < (object_level ? 3 : 1); ++instance)
            for (std::uint16_t id = 0; id < 4; ++id) {
                const auto kind = static_cast<int>(random() % 7);
                Path path = resource(3, instance, static_cast<std::uint16_t>(id * 200));
                if (random() % 3 == 0) path.resource_instance = static_cast<std::uint16_t>(random() % 400);
                entries.push_back({path, value(kind)});
                wanted.push_back(types[static_cast<std::size_t>(kind)]);
            }
        const auto path = object_level ? at("/3") : at("/3/0");
        for (const auto format : {Format::tlv, Format::senml_json, Format::senml_cbor}) {
            const auto payload = encode(format, path, entries);
            ASSERT_TRUE(payload) << payload.error().text();
            auto read = decode(path, static_cast<std::uint32_t>(format), *payload);
            ASSERT_TRUE(read) << "seed " << seed << " round " << round << ": " << read.error().text();
            ASSERT_EQ(read->size(), entries.size());
            for (std::size_t i = 0; i < entries.size(); ++i) {
                const auto typed = as_type((*read)[i].value, wanted[i]);
                ASSERT_TRUE(typed) << typed.error().text();
                EXPECT_EQ(*typed, entries[i].value)
                    << "round " << round << " " << format_name(static_cast<std::uint32_t>(format));
                EXPECT_EQ((*read)[i].path, entries[i].path);
            }
        }
        for (const auto format : {Format::text, Format::cbor}) {
            const auto one = resource(3, 0, 9);
            const Entry entry{one, entries[0].value};
            const auto payload = encode(format, one, {&entry, 1});
            ASSERT_TRUE(payload);
            const auto read = decode(one, static_cast<std::uint32_t>(format), *payload);
            ASSERT_TRUE(read) << read.error().text();
            EXPECT_EQ(as_type(read->front().value, wanted[0]), entries[0].value)
                << "seed " << seed << " round " << round;
        }
    }
}

TEST(Formats, WhatCannotBeWrittenIsRefused) {
    const Entry nine{at("/3/0/9"), std::int64_t{1}};
    const Entry raw{at("/3/0/9"), Untyped{}};
    EXPECT_FALSE(encode(Format::text, at("/3/0"), {&nine, 1}));
    EXPECT_FALSE(encode(Format::tlv, at("/5/0"), {&nine, 1}));
    EXPECT_FALSE(encode(Format::tlv, at("/3/0"), {&raw, 1}));
    EXPECT_FALSE(encode(Format::opaque, at("/3/0/9"), {&nine, 1}));
    EXPECT_FALSE(encode(Format::link, at("/3/0/9"), {&nine, 1}));
    EXPECT_EQ(encode(Format::tlv, at("/3/0/9"), {&nine, 1}), (Bytes{0xc1, 0x09, 0x01}));
    EXPECT_EQ(encode(Format::senml_json, at("/3/0/9"), {&nine, 1}), bytes(R"([{"bn":"/3/0/9","v":1}])"));
    EXPECT_EQ(encode(Format::senml_json, at("/3/0"), {&nine, 1}), bytes(R"([{"bn":"/3/0/","n":"9","v":1}])"));
}

TEST(Formats, AnyBytesEndInEntriesOrAnError) {
    constexpr unsigned seed = 12;
    std::mt19937 random(seed);
    for (int round = 0; round < 20'000; ++round) {
        Bytes payload(random() % 24);
        for (auto& byte : payload) byte = static_cast<std::uint8_t>(random());
        for (const auto format : {text, opaque, cbor, senml_json, senml_cbor, tlv, json})
            (void)decode(round % 2 == 0 ? at("/3") : at("/3/0/9"), format, payload);
    }
}

TEST(Registry, KnowsTheCommonObjects) {
    EXPECT_EQ(path_name(at("/3/0/3")), "Device / Firmware Version");
    EXPECT_EQ(path_name(at("/5")), "Firmware Update");
    EXPECT_EQ(path_name(at("/1/0/1")), "Server / Lifetime");
    EXPECT_EQ(path_name(at("/26245/0/7")), "External Flash / Running Image Hash");
    EXPECT_EQ(path_name(at("/3/0/999")), "");
    EXPECT_EQ(resource_type(firmware::package), Type::opaque);
    EXPECT_EQ(resource_type(at("/33629/1/16")), Type::object_link);
    EXPECT_EQ(find_resource(firmware::update)->operations, Operations::execute);
    EXPECT_TRUE(find_resource(firmware::protocols)->multiple);
    EXPECT_EQ(find_resource(at("/9999/0/1")), nullptr);
    for (const auto& object : known_objects())
        for (std::size_t i = 1; i < object.resources.size(); ++i)
            EXPECT_LT(object.resources[i - 1].id, object.resources[i].id) << object.name;
}

}  // namespace
}  // namespace fota::lwm2m
