// Who may speak for a device, by certificate; and in clear, who is given its package.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "ports/peer_identity.hpp"
#include "server/lwm2m_server.hpp"
#include "support/virtual_network.hpp"

namespace fota::test {
namespace {

using namespace std::chrono_literals;
using coap::Code;

constexpr const char* server_address = "198.51.100.1:5684";

/// A server, and peers that say what they like.
struct Identity : testing::Test {
    boost::asio::io_context io{1};
    VirtualClock clock{io};
    VirtualNetwork network{io, clock, 7};
    const Bytes key = Bytes(16, 7);
    std::unique_ptr<VirtualEndpoint> endpoint;
    std::unique_ptr<server::LwM2mServer> server;
    std::map<std::string, std::unique_ptr<VirtualEndpoint>> peers;  ///< by address
    std::map<std::string, ports::Peer> sessions;                    ///< of them with the server
    coap::Message last;

    ~Identity() override {
        server.reset();
        endpoint.reset();
    }
    void open(std::map<std::string, Bytes> keys, std::map<std::string, std::string> identities) {
        endpoint = std::make_unique<VirtualEndpoint>(network, server_address, std::move(keys));
        server::ServerConfig config;
        config.profile = *server::link_profile("lan");
        config.identities = std::move(identities);
        server = std::make_unique<server::LwM2mServer>(io, *endpoint, clock, std::move(config));
    }
    Code ask(const std::string& from, const std::string& identity, coap::Message request) {
        auto& peer = peers[from];
        if (!peer) peer = std::make_unique<VirtualEndpoint>(network, from);
        std::optional<Code> code;
        boost::asio::co_spawn(
            io,
            [&]() -> boost::asio::awaitable<void> {
                if (!sessions.contains(from)) {
                    ports::Credentials credentials{identity, Secret<Bytes>(identity.empty() ? Bytes() : key)};
                    auto connected = co_await peer->connect(server_address, std::move(credentials));
                    sessions.emplace(from, connected.value());
                }
                auto reply = co_await peer->exchange(sessions.at(from), std::move(request), coap::Retry{});
                if (reply) last = reply->message;
                code = reply ? reply->message.code : Code::empty;
            },
            boost::asio::detached);
        clock.run_until([&] { return code.has_value(); }, 200s);
        return code.value_or(Code::empty);
    }
    static coap::Message registration(const std::string& name) {
        auto message = coap::make_request(Code::post, "/rd");
        message.add(coap::OptionNumber::uri_query, "ep=" + name);
        message.add(coap::OptionNumber::uri_query, "lt=600");
        message.add(coap::OptionNumber::uri_query, "lwm2m=1.1");
        message.set_format(coap::Format::link);
        message.payload = to_bytes(as_bytes("</1/0>,</3/0>,</5/0>"));
        return message;
    }
    std::string location() const {
        std::string out;
        for (const auto& part : last.texts(coap::OptionNumber::location_path)) out += "/" + std::string(part);
        return out;
    }
};

TEST_F(Identity, a_certificate_speaks_for_the_endpoint_it_names_and_for_no_other) {
    const auto one = ports::certificate_identity("device-1");
    const auto two = ports::certificate_identity("device-2");
    open({{one, key}, {two, key}, {"identity-3", key}}, {{"identity-3", "device-3"}});
    ASSERT_EQ(ask("10.0.0.1:1", one, registration("device-1")), Code::created);
    const auto registered = location();
    EXPECT_EQ(ask("10.0.0.2:1", two, registration("device-1")), Code::forbidden);
    EXPECT_EQ(server->refusal("device-1"), "its certificate names device-2");
    EXPECT_EQ(ask("10.0.0.2:1", two, registration("device-3")), Code::forbidden) << "device-3 has a key";
    EXPECT_EQ(ask("10.0.0.2:1", two, coap::make_request(Code::post, registered)), Code::forbidden);
    EXPECT_EQ(ask("10.0.0.2:1", two, coap::make_request(Code::del, registered)), Code::forbidden);
    EXPECT_EQ(ask("10.0.0.3:1", "identity-3", coap::make_request(Code::post, registered)), Code::forbidden);
    EXPECT_EQ(ask("10.0.0.3:1", "identity-3", registration("device-3")), Code::created);
    EXPECT_EQ(ask("10.0.0.1:1", one, coap::make_request(Code::post, registered)), Code::changed);
    EXPECT_EQ(ask("10.0.0.1:1", one, coap::make_request(Code::del, registered)), Code::deleted);
}

TEST_F(Identity, whoever_waits_for_a_device_learns_that_it_came_under_another_name) {
    open({{"identity-3", key}}, {{"identity-3", "device-3"}});
    EXPECT_EQ(ask("10.0.0.3:1", "identity-3", registration("device-4")), Code::forbidden);
    EXPECT_EQ(server->refusal("device-4"), "its identity belongs to device-3");
    EXPECT_EQ(server->refusal("device-3"), "it registered under another name, device-4");
    EXPECT_EQ(ask("10.0.0.3:1", "identity-3", registration("device-3")), Code::created);
    EXPECT_EQ(server->refusal("device-3"), "");
}

TEST_F(Identity, credentials_stand_for_an_endpoint_that_is_left_out) {
    const auto one = ports::certificate_identity("device-1");
    open({{one, key}, {"identity-3", key}, {"nobody", key}}, {{"identity-3", "device-3"}});
    const auto nameless = [](const char* version) {
        auto message = registration("");
        message.remove(coap::OptionNumber::uri_query);
        message.add(coap::OptionNumber::uri_query, version);
        return message;
    };
    EXPECT_EQ(ask("10.0.0.1:1", one, nameless("lwm2m=1.1")), Code::created);
    EXPECT_NE(server->device("device-1").registration(), nullptr);
    EXPECT_EQ(ask("10.0.0.3:1", "identity-3", nameless("lwm2m=1.2")), Code::created);
    EXPECT_NE(server->device("device-3").registration(), nullptr);
    EXPECT_EQ(ask("10.0.0.3:1", "identity-3", nameless("lwm2m=1.0")), Code::bad_request) << "1.0 asks for the name";
    EXPECT_EQ(ask("10.0.0.4:1", "nobody", nameless("lwm2m=1.1")), Code::bad_request) << "its identity names nobody";
}

TEST_F(Identity, only_the_devices_own_certificate_fetches_its_package) {
    const auto one = ports::certificate_identity("device-1");
    const auto two = ports::certificate_identity("device-2");
    open({{one, key}, {two, key}}, {});
    const Bytes image(4'096, 0x3c);
    ASSERT_EQ(ask("10.0.0.1:1", one, registration("device-1")), Code::created);
    const auto offer = server->device("device-1").offer({image, "", Bytes(16, 0xab)});
    ASSERT_TRUE(offer.has_value());
    const auto path = "/fw/" + std::string("abababababababababababababababab");
    EXPECT_EQ(ask("10.0.0.2:1", two, coap::make_request(Code::get, path)), Code::not_found);
    EXPECT_EQ(ask("10.0.0.1:1", one, coap::make_request(Code::get, path)), Code::content);
}

TEST_F(Identity, in_clear_a_package_goes_to_the_host_of_its_device_alone) {
    open({}, {});
    const Bytes image(4'096, 0x3c);
    const auto path = "/fw/" + std::string("abababababababababababababababab");
    ASSERT_EQ(ask("10.0.0.1:1000", "", registration("device-1")), Code::created);
    const auto offer = server->device("device-1").offer({image, "", Bytes(16, 0xab)});
    ASSERT_TRUE(offer.has_value());
    std::uint64_t to_stranger = 0;
    std::uint64_t from_stranger = 0;
    network.filter = [&](const std::string& from, const std::string& to, BytesView datagram) {
        if (from == "10.9.9.9:1") from_stranger += datagram.size();
        if (to == "10.9.9.9:1") to_stranger += datagram.size();
        return true;
    };
    EXPECT_EQ(ask("10.9.9.9:1", "", coap::make_request(Code::get, path)), Code::not_found);
    EXPECT_GT(from_stranger, 0u);
    EXPECT_LE(to_stranger, 3 * from_stranger);
    EXPECT_EQ(ask("10.0.0.1:2000", "", coap::make_request(Code::get, path)), Code::content) << "a port of its own";
    EXPECT_EQ(ask("10.9.9.9:1", "", coap::make_request(Code::get, path)), Code::not_found);
}

TEST_F(Identity, in_clear_after_a_restart_the_device_goes_on_fetching_before_it_registers) {
    open({}, {});
    const Bytes image(4'096, 0x3c);
    const auto path = "/fw/" + std::string("abababababababababababababababab");
    const auto offer = server->device("device-1").offer({image, "", Bytes(16, 0xab)});
    ASSERT_TRUE(offer.has_value());
    EXPECT_EQ(ask("10.0.0.1:2000", "", coap::make_request(Code::get, path)), Code::content);
    EXPECT_EQ(ask("10.9.9.9:1", "", coap::make_request(Code::get, path)), Code::not_found);
}

}  // namespace
}  // namespace fota::test
