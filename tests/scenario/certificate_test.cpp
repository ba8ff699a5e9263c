// Devices with certificates from registration to the new version, over real sockets and DTLS: our server on one side,
// libcoap's client in the virtual device on the other.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "adapters/libcoap_client.hpp"
#include "adapters/system_clock.hpp"
#include "adapters/udp_endpoint.hpp"
#include "server/lwm2m_server.hpp"
#include "tests/support/memory_store.hpp"
#include "tests/support/test_images.hpp"
#include "unit/adapters/test_certificates.hpp"
#include "update/preflight.hpp"
#include "update/update.hpp"
#include "virtdev/device.hpp"

namespace fota::test {
namespace {

using namespace std::chrono_literals;
namespace cert = adapters::test;

constexpr const char* endpoint = "urn:imei:351358811331351";

struct Certificates : testing::Test {
    boost::asio::io_context io;
    adapters::SystemClock clock{io.get_executor()};
    cert::Issued factory = cert::issue({.common_name = "factory", .authority = true});
    cert::Issued operator_ca = cert::issue({.common_name = "operator", .authority = true});
    cert::Issued gateway = cert::issue({.common_name = "gateway", .names = "IP:127.0.0.1"}, &operator_ca);
    cert::Issued own = cert::issue({.common_name = endpoint}, &factory);
    std::string suites;
    virtdev::QuirkSet quirks{virtdev::Quirk::no_external_flash_object};

    std::unique_ptr<adapters::UdpEndpoint> listening;
    std::unique_ptr<server::LwM2mServer> server;
    std::unique_ptr<virtdev::Board> board;
    std::unique_ptr<adapters::LibcoapClient> network;
    std::unique_ptr<adapters::LibcoapClient> fetch_network;
    std::unique_ptr<virtdev::Device> device;
    MemoryStore store;
    std::string trouble;  ///< the newest that the device had
    Bytes new_image = signed_image("2.0.0", 3'000, 2);

    void serve() {
        adapters::UdpEndpoint::Options options;
        options.listen = "127.0.0.1:0";
        options.psk = [](std::string_view) -> const Secret<Bytes>* { return nullptr; };
        options.certificate = std::make_shared<adapters::ServerCertificate>(adapters::ServerCertificate{
            cert::certificate_pem(gateway), Secret<Bytes>(cert::key_pem(gateway)), cert::certificate_pem(factory)});
        auto opened = adapters::UdpEndpoint::open(io.get_executor(), std::move(options));
        ASSERT_TRUE(opened) << opened.error().text();
        listening = std::move(*opened);
        server::ServerConfig config;
        config.profile = *server::link_profile("lan");
        server = std::make_unique<server::LwM2mServer>(io, *listening, clock, std::move(config));
    }
    /// `server_name`: what the device expects; empty: the address it connects to.
    void start_device(const cert::Issued& trusted, const std::string& server_name = {}) {
        board = std::make_unique<virtdev::Board>(virtdev::BootConfig{}, virtdev::hash_only());
        ASSERT_TRUE(board->flash_image(signed_image("1.0.0", 3'000, 1)));
        adapters::LibcoapClient::Options options;
        options.certificate_suites = suites;
        network = std::make_unique<adapters::LibcoapClient>(io.get_executor(), options);
        fetch_network = std::make_unique<adapters::LibcoapClient>(io.get_executor(), options);
        virtdev::DeviceConfig config;
        config.endpoint = endpoint;
        config.server = listening->local_address();
        config.credentials.certificate = std::make_shared<ports::ClientCertificate>(
            ports::ClientCertificate{cert::certificate_pem(own), Secret<Bytes>(cert::key_pem(own)),
                                     cert::certificate_pem(trusted), server_name});
        config.quirks = quirks;
        config.fetch = fetch_network.get();
        config.retry_pause = 50ms;
        config.reboot_after = 50ms;
        config.boot_time = 20ms;
        virtdev::DeviceEvents events;
        events.trouble = [this](const Error& error) { trouble = error.text(); };
        device = std::make_unique<virtdev::Device>(*board, *network, clock, std::move(config), std::move(events));
        boost::asio::co_spawn(io, device->run(), boost::asio::detached);
    }
    template <class Done>
    bool run_until(Done done) {
        const auto end = std::chrono::steady_clock::now() + 40s;
        while (!done() && std::chrono::steady_clock::now() < end) io.run_one_for(100ms);
        return done();
    }
    update::Report push(update::Method method) {
        const std::vector keys{test_signer().public_key()};
        const auto target = update::check_image(new_image, keys, std::nullopt).value().target;
        update::Policy policy;
        policy.method = method;
        struct : update::Observer {
        } watch;
        std::optional<update::Report> report;
        boost::asio::co_spawn(io, update::run(server->device(endpoint), target, policy, store, clock, watch),
                              [&](std::exception_ptr failure, update::Report end) {
                                  if (failure) std::rethrow_exception(failure);
                                  report = std::move(end);
                              });
        EXPECT_TRUE(run_until([&] { return report.has_value(); })) << trouble;
        EXPECT_TRUE(report) << "no result";
        return report.value_or(update::Report{});
    }
    ~Certificates() override {
        if (device) device->stop();
        io.restart();
        io.run_for(200ms);
    }
};

class PublishedSuites : public Certificates, public testing::WithParamInterface<const char*> {};

/// What modems of the nRF91 family publish (GCM and CBC) and what Zephyr's mbed TLS offers (CCM_8, CCM, GCM).
INSTANTIATE_TEST_SUITE_P(X509, PublishedSuites,
                         testing::Values("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES128-SHA256",
                                         "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-AES128-CCM8",
                                         "ECDHE-ECDSA-AES128-CCM"));

TEST_P(PublishedSuites, an_update_is_proven) {
    suites = GetParam();
    serve();
    start_device(operator_ca);
    const auto report = push(update::Method::push);
    EXPECT_EQ(report.outcome, update::Outcome::updated) << (report.error ? report.error->text() : "") << trouble;
    EXPECT_EQ(report.running_version, "2.0.0+0");
    EXPECT_GE(listening->statistics().handshakes, 2u) << "the new image has a session of its own";
}

TEST_F(Certificates, a_package_is_fetched_with_the_same_certificate) {
    serve();
    start_device(operator_ca);
    const auto report = push(update::Method::pull);
    EXPECT_EQ(report.outcome, update::Outcome::updated) << (report.error ? report.error->text() : "") << trouble;
    EXPECT_EQ(report.bytes_sent, new_image.size());
}

TEST_F(Certificates, a_name_is_checked_where_one_is_expected) {
    gateway = cert::issue({.common_name = "gateway", .names = "DNS:gateway.example"}, &operator_ca);
    serve();
    start_device(operator_ca, "gateway.example");
    EXPECT_TRUE(run_until([&] { return server->held().registrations == 1; })) << trouble;
}

TEST_F(Certificates, a_server_of_another_authority_gets_no_word) {
    serve();
    start_device(factory);
    EXPECT_TRUE(run_until([&] { return !trouble.empty(); }));
    EXPECT_TRUE(trouble.contains("to prove by its certificate who it is")) << trouble;
    EXPECT_TRUE(trouble.contains("unknown CA")) << trouble;
    EXPECT_EQ(listening->statistics().handshakes, 0u);
}

TEST_F(Certificates, a_certificate_for_another_host_is_no_proof) {
    // Issued by the right authority: any of its other certificates would do, were the name not asked for.
    gateway = cert::issue({.common_name = "device-7"}, &operator_ca);
    serve();
    start_device(operator_ca);
    EXPECT_TRUE(run_until([&] { return !trouble.empty(); }));
    EXPECT_TRUE(trouble.contains("to prove by its certificate who it is")) << trouble;
    EXPECT_EQ(listening->statistics().handshakes, 0u);
}

TEST_F(Certificates, another_devices_certificate_does_not_register_this_endpoint) {
    own = cert::issue({.common_name = "urn:imei:350457790000000"}, &factory);
    serve();
    start_device(operator_ca);
    EXPECT_TRUE(run_until([&] { return !server->refusal(endpoint).empty(); })) << trouble;
    EXPECT_EQ(server->refusal(endpoint), "its certificate names urn:imei:350457790000000");
    EXPECT_EQ(server->held().registrations, 0u);
}

TEST_F(Certificates, a_certificate_of_nobody_is_refused_and_the_device_is_told_why) {
    own = cert::issue({.common_name = endpoint}, &operator_ca);
    serve();
    start_device(operator_ca);
    EXPECT_TRUE(run_until([&] { return trouble.contains("to accept the certificate"); })) << trouble;
    EXPECT_EQ(listening->statistics().refused.begin()->first, "certificate not trusted");
}

TEST_F(Certificates, what_is_no_certificate_is_told_apart) {
    serve();
    adapters::LibcoapClient client(io.get_executor());
    const auto attempt = [&](ports::ClientCertificate certificate) {
        ports::Credentials credentials;
        credentials.certificate = std::make_shared<ports::ClientCertificate>(std::move(certificate));
        std::optional<Result<ports::Peer>> end;
        boost::asio::co_spawn(io, client.connect(listening->local_address(), std::move(credentials)),
                              [&](std::exception_ptr, Result<ports::Peer> result) { end = std::move(result); });
        EXPECT_TRUE(run_until([&] { return end.has_value(); }));
        EXPECT_EQ(end->error().code(), Errc::credentials_unusable) << end->error().text();
        return end->error().text();
    };
    const auto chain = cert::certificate_pem(own);
    const auto ca = cert::certificate_pem(operator_ca);
    EXPECT_TRUE(attempt({{1, 2}, Secret<Bytes>(cert::key_pem(own)), ca, ""}).contains("device's certificate in PEM"));
    EXPECT_TRUE(attempt({chain, Secret<Bytes>(Bytes{}), ca, ""}).contains("device's private key"));
    EXPECT_TRUE(attempt({chain, Secret<Bytes>(cert::key_pem(gateway)), ca, ""}).contains("another one's"));
    EXPECT_TRUE(attempt({chain, Secret<Bytes>(cert::key_pem(own)), {}, ""}).contains("server's issuers"));
    EXPECT_EQ(listening->statistics().handshakes, 0u);
}

}  // namespace
}  // namespace fota::test
