// The BIO below DTLS connections.
#include "adapters/dtls_wire.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace fota::adapters {
namespace {

TEST(DtlsWire, IsControlledWithoutItsDataByWhatFreesItsOwner) {
    // The sanitizers see it when the data is looked at all the same.
    const std::unique_ptr<BIO, int (*)(BIO*)> bio(BIO_new(wire_method()), BIO_free);
    ASSERT_EQ(BIO_get_data(bio.get()), nullptr);
    EXPECT_EQ(BIO_ctrl(bio.get(), BIO_CTRL_FLUSH, 0, nullptr), 1);
    EXPECT_EQ(BIO_ctrl(bio.get(), BIO_CTRL_POP, 0, nullptr), 0);
    Wire wire;
    wire.mtu = 1'200;
    BIO_set_data(bio.get(), &wire);
    EXPECT_EQ(BIO_ctrl(bio.get(), BIO_CTRL_DGRAM_QUERY_MTU, 0, nullptr), 1'200);
    EXPECT_EQ(BIO_ctrl(bio.get(), BIO_CTRL_DGRAM_SET_PEEK_MODE, 1, nullptr), 1);
    EXPECT_TRUE(wire.peek);
}

}  // namespace
}  // namespace fota::adapters
