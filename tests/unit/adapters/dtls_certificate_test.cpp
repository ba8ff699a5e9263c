// Devices with certificates: suites, which endpoint a certificate speaks for, and every way to be refused.
#include <gmock/gmock.h>

#include "ports/peer_identity.hpp"
#include "unit/adapters/certificate_server.hpp"

namespace fota::adapters::test {
namespace {

constexpr const char* gcm = "ECDHE-ECDSA-AES128-GCM-SHA256";

struct DtlsCertificate : CertificateServer {
    Issued stranger = issue({.common_name = "devices", .authority = true});

    /// "" when established, else the reason by which the server counts the refusal.
    std::string attempt(const Issued* device, const char* suite = gcm) {
        const auto before = server->statistics().refused;
        DtlsTestClient client(loop, server->local_address(), {}, suite);
        if (device != nullptr) client.use_certificate(device->certificate.get(), device->key.get());
        const bool established = loop.run(client.handshake());
        if (established && loop.run(client.get("/3/0")) == "0.01 /3/0") return "";
        for (const auto& [reason, count] : server->statistics().refused) {
            const auto found = before.find(reason);
            if (count > (found == before.end() ? 0 : found->second)) return reason;
        }
        return "(not counted)";
    }
};

class DtlsCertificateSuite : public DtlsCertificate, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Published, DtlsCertificateSuite,
                         testing::Values("ECDHE-ECDSA-AES128-CCM8", "ECDHE-ECDSA-AES128-CCM", gcm,
                                         "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES128-SHA"));

TEST_P(DtlsCertificateSuite, is_accepted_and_survives_short_forged_records) {
    const auto device = issue({.common_name = "device-7"}, &authority);
    DtlsTestClient client(loop, server->local_address(), {}, GetParam());
    client.use_certificate(device.certificate.get(), device.key.get());
    ASSERT_TRUE(loop.run(client.handshake()));
    EXPECT_EQ(client.suite(), GetParam());
    EXPECT_EQ(loop.run(client.get("/3/0")), "0.01 /3/0");
    EXPECT_EQ(last->identity, ports::certificate_identity("device-7"));
    for (std::uint8_t type = 20; type <= 23; ++type) {
        for (std::uint8_t length = 0; length < 100; ++length) {
            Bytes record{type, 0xfe, 0xfd, 0, 1, 0, 0, 0, 1, type, length, 0, length};
            record.insert(record.end(), length, length);
            client.send_raw(record);
        }
        // After each type, so that no more arrives than a socket holds.
        EXPECT_EQ(loop.run(client.get("/3/1")), "0.01 /3/1")
            << "a forged record of type " << int{type} << " ended the session";
    }
    EXPECT_EQ(server->statistics().handshakes, 1u);
}

TEST_F(DtlsCertificate, keys_go_on_beside_certificates) {
    DtlsTestClient client(loop, server->local_address(), {by_key.identity, by_key.key.clone()}, "PSK-AES128-CCM8");
    ASSERT_TRUE(loop.run(client.handshake()));
    EXPECT_EQ(loop.run(client.get("/3/0")), "0.01 /3/0");
    EXPECT_EQ(last->identity, "device-1");
}

TEST_F(DtlsCertificate, refusals_are_counted_and_named) {
    const auto device = issue({.common_name = "device-7"}, &authority);
    EXPECT_EQ(attempt(&device), "");
    EXPECT_EQ(attempt(nullptr), "no certificate");
    const auto foreign = issue({.common_name = "device-7"}, &stranger);
    EXPECT_EQ(attempt(&foreign), "certificate not trusted");
    EXPECT_EQ(server->statistics().refused_identities.at(ports::certificate_identity("device-7")),
              "certificate not trusted");
    const auto alone = issue({.common_name = "device-7"});
    EXPECT_EQ(attempt(&alone), "certificate not trusted");
    const auto old = issue({.common_name = "device-7", .days = -1}, &authority);
    EXPECT_EQ(attempt(&old), "certificate expired");
    const auto nameless = issue({.common_name = ""}, &authority);
    EXPECT_EQ(attempt(&nameless), "certificate without exactly one endpoint name");
    EXPECT_EQ(attempt(&device, "ECDHE-ECDSA-AES256-GCM-SHA384"), "no common cipher");
    EXPECT_EQ(server->statistics().handshakes, 1u);
    EXPECT_EQ(server->sessions(), 1u);
}

TEST_F(DtlsCertificate, the_issuer_that_was_named_is_enough_and_its_siblings_are_not) {
    const auto factory = issue({.common_name = "factory", .authority = true}, &authority);
    const auto sibling = issue({.common_name = "sibling", .authority = true}, &authority);
    server = open(factory);
    const auto ours = issue({.common_name = "device-7"}, &factory);
    EXPECT_EQ(attempt(&ours), "");
    const auto other = issue({.common_name = "device-7"}, &sibling);
    EXPECT_EQ(attempt(&other), "certificate not trusted");
}

TEST_F(DtlsCertificate, without_a_certificate_of_its_own_the_server_knows_only_keys) {
    server = open_server(loop, &keys);
    const auto device = issue({.common_name = "device-7"}, &authority);
    EXPECT_EQ(attempt(&device), "no common cipher");
}

TEST_F(DtlsCertificate, speaks_for_exactly_one_endpoint) {
    const auto endpoint = [&](const Wanted& wanted) {
        return endpoint_of(issue(wanted, &authority).certificate.get()).value_or("(none)");
    };
    EXPECT_EQ(endpoint({.common_name = "a"}), "a");
    EXPECT_EQ(endpoint({.common_name = "a", .names = "URI:urn:imei:350457790000001"}), "urn:imei:350457790000001");
    EXPECT_EQ(endpoint({.names = "DNS:a.example"}), "a.example");
    EXPECT_EQ(endpoint({.common_name = "a", .names = "IP:10.0.0.1"}), "a");
    EXPECT_EQ(endpoint({.common_name = "a", .names = "DNS:a,DNS:b"}), "(none)");
    EXPECT_EQ(endpoint({.common_name = "a", .names = "DNS:a,URI:urn:b"}), "(none)");
    EXPECT_EQ(endpoint({.common_name = "a", .names = "DNS:a", .more_names = "DNS:b"}), "(none)");
    EXPECT_EQ(endpoint({.common_name = std::string("device-1\0.evil", 14)}), "(none)");
    EXPECT_EQ(endpoint({}), "(none)");
}

TEST_F(DtlsCertificate, unusable_server_certificates_are_told_apart) {
    const auto refusal = [&](Bytes chain, Bytes key, Bytes client_ca) {
        UdpEndpoint::Options options;
        options.listen = "127.0.0.1:0";
        options.certificate = std::make_shared<ServerCertificate>(
            ServerCertificate{std::move(chain), Secret<Bytes>(std::move(key)), std::move(client_ca)});
        const auto opened = UdpEndpoint::open(loop.io.get_executor(), std::move(options));
        return opened ? std::string("accepted") : opened.error().message();
    };
    const auto chain = certificate_pem(own);
    const auto key = key_pem(own);
    const auto issuers = certificate_pem(authority);
    EXPECT_EQ(refusal(chain, key, issuers), "accepted");
    EXPECT_THAT(refusal({1, 2}, key, issuers), testing::HasSubstr("server's certificate in PEM"));
    EXPECT_THAT(refusal(chain, {}, issuers), testing::HasSubstr("private key in PEM"));
    EXPECT_THAT(refusal(chain, key_pem(authority), issuers), testing::HasSubstr("another one's"));
    EXPECT_THAT(refusal(chain, key, {}), testing::HasSubstr("devices' issuers"));
}

}  // namespace
}  // namespace fota::adapters::test
