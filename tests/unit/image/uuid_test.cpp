#include "image/uuid.hpp"

#include <gtest/gtest.h>

#include "base/bytes.hpp"

namespace fota::image {
namespace {

// Expected values: Python's uuid.uuid5().
TEST(Uuid, NamesAndDigits) {
    const auto vendor = vendor_uuid("nordicsemi.com").value();
    EXPECT_EQ(to_hex(vendor), "7617daa571fd5a858f94e28d735ce9f4");
    EXPECT_EQ(to_hex(class_uuid("nrf9160dk", &vendor).value()), "69760dd10d6552f3b0603e711feb82fa");
    EXPECT_EQ(to_hex(vendor_uuid("12345678-1234-5678-9abc-DEF012345678").value()), "12345678123456789abcdef012345678");
    EXPECT_EQ(to_hex(class_uuid("12345678123456789abcdef012345678", nullptr).value()),
              "12345678123456789abcdef012345678");
}

TEST(Uuid, Refusals) {
    EXPECT_EQ(class_uuid("nrf9160dk", nullptr).error().code(), Errc::usage);
    EXPECT_EQ(vendor_uuid("").error().code(), Errc::usage);
    EXPECT_EQ(vendor_uuid("a\nb").error().code(), Errc::usage);
    // Hyphens elsewhere make it a name.
    EXPECT_NE(to_hex(vendor_uuid("1234567-81234-5678-9abc-def012345678").value()), "12345678123456789abcdef012345678");
}

}  // namespace
}  // namespace fota::image
