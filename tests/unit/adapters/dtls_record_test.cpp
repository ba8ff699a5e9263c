// What each cipher suite adds to a message on the wire, measured on real sessions: what the prediction of a bill and
// the test of that prediction take for granted.
#include <gtest/gtest.h>

#include "unit/adapters/dtls_test_client.hpp"

namespace fota::adapters::test {
namespace {

constexpr std::size_t record_header = 13;  // RFC 6347 section 4.1
constexpr std::size_t explicit_nonce = 8;  // RFC 5288, RFC 6655

struct Suite {
    const char* name;
    std::size_t added;
};

}  // namespace

TEST(DtlsRecord, EachSuiteAddsWhatItsRfcSays) {
    for (const auto& [name, added] : {Suite{"PSK-AES128-CCM8", record_header + explicit_nonce + 8},
                                      Suite{"PSK-AES128-CCM", record_header + explicit_nonce + 16},
                                      Suite{"PSK-AES128-GCM-SHA256", record_header + explicit_nonce + 16}}) {
        SCOPED_TRACE(name);
        Loop loop;
        Keys keys;
        auto credentials = keys.add("device-1");
        const auto server = open_server(loop, &keys);
        DtlsTestClient client(loop, server->local_address(), std::move(credentials), name);
        ASSERT_TRUE(loop.run(client.handshake()));
        EXPECT_EQ(client.suite(), name);
        const auto before = client.bytes_written();
        const auto message = coap::encode(coap::make_request(coap::Code::get, "/x")).value().size();
        (void)loop.run(client.get("/x"));
        EXPECT_EQ(client.bytes_written() - before, message + added);
    }
}

}  // namespace fota::adapters::test
