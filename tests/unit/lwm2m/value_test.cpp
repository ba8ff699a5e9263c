#include "lwm2m/value.hpp"

#include <gtest/gtest.h>

#include <random>

#include "lwm2m/firmware.hpp"

namespace fota::lwm2m {
namespace {

constexpr std::uint32_t tlv = 11542;

Result<std::int64_t> integer(Bytes payload, std::optional<std::uint32_t> format = tlv) {
    return integer_value(firmware::state, format, payload);
}

TEST(Value, TextAndOpaqueAreTakenAsTheyAre) {
    EXPECT_EQ(resource_value(device::model, 0, as_bytes("nrf9160dk")), to_bytes(as_bytes("nrf9160dk")));
    EXPECT_EQ(resource_value(device::model, std::nullopt, as_bytes("x")), to_bytes(as_bytes("x")));
    EXPECT_EQ(resource_value(external_flash::jedec_id, 42, Bytes{0xc2, 0x28, 0x17}), (Bytes{0xc2, 0x28, 0x17}));
}

TEST(Value, TlvOfTheResourceAlone) {
    EXPECT_EQ(integer({0xc1, 0x03, 0x02}), 2);
    EXPECT_EQ(integer({0xc2, 0x03, 0x01, 0x00}), 256);
    EXPECT_EQ(integer({0xc1, 0x03, 0xff}), -1);
    EXPECT_EQ(integer({0xc4, 0x03, 0x80, 0, 0, 0}), -2147483648LL);
    EXPECT_EQ(resource_value(firmware::state, 1542, Bytes{0xc1, 0x03, 0x02}), (Bytes{0x02}));
}

TEST(Value, TlvInsideItsObjectInstance) {
    // Instance 0 with resources 3 = 2 and 5 = 1.
    EXPECT_EQ(integer({0x06, 0x00, 0xc1, 0x05, 0x01, 0xc1, 0x03, 0x02}), 2);
    // Another instance says nothing about ours.
    EXPECT_FALSE(integer({0x03, 0x01, 0xc1, 0x03, 0x02}));
}

TEST(Value, OneInstanceOfAMultipleResourceIsAValue) {
    EXPECT_EQ(integer({0x83, 0x03, 0x41, 0x00, 0x07}), 7);
    EXPECT_FALSE(integer({0x86, 0x03, 0x41, 0x00, 0x07, 0x41, 0x01, 0x08}));
}

TEST(Value, TlvWrittenIsTlvRead) {
    for (const std::size_t size : {0u, 7u, 8u, 255u, 256u, 65535u, 65536u})
        for (const std::uint16_t id : {std::uint16_t{3}, std::uint16_t{300}}) {
            const Bytes value(size, 0x5a);
            EXPECT_EQ(resource_value(resource(5, 0, id), tlv, tlv_resource(id, value)), value) << size << " " << id;
        }
    EXPECT_EQ(tlv_resource(3, Bytes{2}), (Bytes{0xc1, 0x03, 0x02}));
}

TEST(Value, CutOrForeignTlvIsRefused) {
    const auto whole = tlv_resource(3, Bytes(300, 1));
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_FALSE(resource_value(firmware::state, tlv, BytesView(whole).first(size))) << size;
    EXPECT_FALSE(integer({0xc3, 0x03, 1, 2, 3}));
    EXPECT_FALSE(integer({0xc1, 0x04, 0x02}));
}

TEST(Value, IntegersInText) {
    EXPECT_EQ(integer(to_bytes(as_bytes("2")), 0), 2);
    EXPECT_EQ(integer(to_bytes(as_bytes("-12")), std::nullopt), -12);
    for (const auto* text : {"", "2x", " 2", "99999999999999999999"})
        EXPECT_FALSE(integer(to_bytes(as_bytes(text)), 0)) << text;
}

TEST(Value, TypedFormatsGiveTheSameValues) {
    EXPECT_EQ(integer(to_bytes(as_bytes(R"([{"bn":"/5/0/3","v":2}])")), 110), 2);
    EXPECT_EQ(integer({0x81, 0xa2, 0x21, 0x66, '/', '5', '/', '0', '/', '3', 0x02, 0x02}, 112), 2);
    EXPECT_EQ(integer({0x02}, 60), 2);
    EXPECT_EQ(resource_value(device::model, 60, Bytes{0x62, 'o', 'k'}), to_bytes(as_bytes("ok")));
    EXPECT_EQ(resource_value(external_flash::size, 60, Bytes{0x19, 0x01, 0x00}), to_bytes(as_bytes("256")));
}

TEST(Value, OtherFormatsAreNamed) {
    const auto value = resource_value(firmware::state, 50, Bytes{1});
    ASSERT_FALSE(value);
    EXPECT_EQ(
        value.error().message(),
        "value of /5/0/3: expected Content-Format 0 (text), 42 (opaque), 60 (CBOR), 110 or 112 (SenML), 11542 (TLV) "
        "or 11543 (JSON), found 50");
}

TEST(Value, AnyBytesEndInAValueOrAnError) {
    constexpr unsigned seed = 11;
    std::mt19937 random(seed);
    for (int round = 0; round < 20'000; ++round) {
        Bytes bytes(random() % 16);
        for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
        (void)integer(bytes);
    }
}

}  // namespace
}  // namespace fota::lwm2m
