// A server that takes one device by key and others by certificates of its authority, and echoes what they ask.
#pragma once

#include "unit/adapters/dtls_test_client.hpp"
#include "unit/adapters/loop.hpp"
#include "unit/adapters/test_certificates.hpp"

namespace fota::adapters::test {

struct CertificateServer : testing::Test {
    Loop loop;
    Keys keys;
    ports::Credentials by_key = keys.add("device-1");
    Issued authority = issue({.common_name = "devices", .authority = true});
    Issued own = issue({.common_name = "server.example"});
    std::unique_ptr<UdpEndpoint> server = open(authority);
    std::optional<ports::Peer> last;

    std::unique_ptr<UdpEndpoint> open(const Issued& issuer) {
        UdpEndpoint::Options options;
        options.listen = "127.0.0.1:0";
        options.psk = keys.lookup();
        options.certificate = std::make_shared<ServerCertificate>(
            ServerCertificate{certificate_pem(own), Secret<Bytes>(key_pem(own)), certificate_pem(issuer)});
        auto opened = UdpEndpoint::open(loop.io.get_executor(), std::move(options));
        if (!opened) throw std::runtime_error(opened.error().text());
        (*opened)->on_request([this](const ports::Peer& peer, const coap::Message& request) {
            last = peer;
            return echo(request);
        });
        return std::move(*opened);
    }
};

}  // namespace fota::adapters::test
