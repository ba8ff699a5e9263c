// Resumed sessions: whose they are, and when they are no longer resumed.
#include <gmock/gmock.h>

#include "ports/peer_identity.hpp"
#include "unit/adapters/certificate_server.hpp"

namespace fota::adapters::test {
namespace {

struct DtlsResumption : CertificateServer {
    DtlsTestClient client(const char* suite = "PSK-AES128-CCM8") {
        return {loop, server->local_address(), {by_key.identity, by_key.key.clone()}, suite};
    }
    DtlsTestClient::Session first_session() {
        auto first = client();
        EXPECT_TRUE(loop.run(first.handshake()));
        EXPECT_FALSE(first.resumed());
        return first.session();
    }
};

TEST_F(DtlsResumption, keeps_the_identity) {
    const auto session = first_session();
    for (int i = 0; i < 3; ++i) {
        auto again = client();
        again.resume(session);
        ASSERT_TRUE(loop.run(again.handshake()));
        EXPECT_TRUE(again.resumed());
        last.reset();
        EXPECT_EQ(loop.run(again.get("/3/0")), "0.01 /3/0");
        ASSERT_TRUE(last);
        EXPECT_EQ(last->identity, "device-1");
    }
}

TEST_F(DtlsResumption, keeps_the_endpoint_of_a_certificate) {
    const auto issued = issue({.common_name = "device-7"}, &authority);
    DtlsTestClient::Session session;
    for (const bool again : {false, true}) {
        DtlsTestClient one(loop, server->local_address(), {}, "ECDHE-ECDSA-AES128-GCM-SHA256");
        one.use_certificate(issued.certificate.get(), issued.key.get());
        if (again) one.resume(session);
        ASSERT_TRUE(loop.run(one.handshake()));
        EXPECT_EQ(one.resumed(), again);
        last.reset();
        EXPECT_EQ(loop.run(one.get("/3/0")), "0.01 /3/0");
        ASSERT_TRUE(last);
        EXPECT_EQ(last->identity, ports::certificate_identity("device-7"));
        session = one.session();
    }
}

TEST_F(DtlsResumption, ends_with_the_key) {
    const auto session = first_session();
    keys.keys.insert_or_assign("device-1", random_key());
    auto stale = client();
    stale.resume(session);
    EXPECT_FALSE(loop.run(stale.handshake())) << "the old key was let in";
    EXPECT_EQ(server->statistics().refused.at("wrong key"), 1u);
    by_key = keys.add("device-1");
    auto fresh = client();
    fresh.resume(session);
    ASSERT_TRUE(loop.run(fresh.handshake()));
    EXPECT_FALSE(fresh.resumed());
}

TEST_F(DtlsResumption, ends_with_the_identity) {
    const auto session = first_session();
    keys.keys.erase("device-1");
    auto removed = client();
    removed.resume(session);
    EXPECT_FALSE(loop.run(removed.handshake()));
    EXPECT_EQ(server->statistics().refused.at("unknown identity"), 1u);
}

TEST_F(DtlsResumption, a_restarted_server_costs_one_full_handshake) {
    auto session = first_session();
    server.reset();
    server = open(authority);
    for (const bool resumed : {false, true}) {
        auto again = client();
        again.resume(session);
        ASSERT_TRUE(loop.run(again.handshake()));
        EXPECT_EQ(again.resumed(), resumed);
        EXPECT_EQ(loop.run(again.get("/3/0")), "0.01 /3/0");
        session = again.session();
    }
}

}  // namespace
}  // namespace fota::adapters::test
