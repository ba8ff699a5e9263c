// The bootstrap server against a factory-fresh client: in virtual time with loss and every quirk, and over loopback
// with real DTLS.
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>

#include "adapters/libcoap_client.hpp"
#include "adapters/system_clock.hpp"
#include "adapters/udp_endpoint.hpp"
#include "provision/bootstrap.hpp"
#include "tests/support/hex.hpp"
#include "tests/support/virtual_network.hpp"
#include "virtdev/bootstrap_client.hpp"

namespace fota::provision {
namespace {

using namespace std::chrono_literals;
using virtdev::BootstrapQuirk;

const std::string endpoint = "urn:imei:351358811331351";
const Bytes bootstrap_key = test::hex("8c1f0a7b6d5e4c3b2a19080706f5e4d3");
const Bytes server_key = test::hex("5f0e1d2c3b4a69788796a5b4c3d2e1f7");

lwm2m::ServerAccount account() {
    return {"coaps://lwm2m.example:5684", "server-" + endpoint, Secret<Bytes>(server_key), 101, 3600s, "U"};
}

std::string text_of(const Bytes& bytes) {
    return std::string(as_text(bytes));
}

void expect_account(const virtdev::BootstrapOutcome& outcome, std::uint16_t security_instance) {
    ASSERT_TRUE(outcome.finished);
    ASSERT_EQ(outcome.security.size(), 2u) << "its bootstrap account and the new one";
    const auto& security = outcome.security.at(security_instance);
    EXPECT_EQ(text_of(security.at(0)), "coaps://lwm2m.example:5684");
    EXPECT_EQ(security.at(1), Bytes{0});
    EXPECT_EQ(security.at(2), Bytes{0});
    EXPECT_EQ(text_of(security.at(3)), "server-" + endpoint);
    EXPECT_EQ(security.at(5), server_key);
    EXPECT_EQ(security.at(10), Bytes{101});
    ASSERT_EQ(outcome.server.size(), 1u);
    const auto& server = outcome.server.at(0);
    EXPECT_EQ(server.at(0), Bytes{101});
    EXPECT_EQ(server.at(1), (Bytes{0x0e, 0x10}));
    EXPECT_EQ(text_of(server.at(7)), "U");
}

struct World {
    explicit World(std::vector<BootstrapQuirk> quirks = {}, double loss = 0, std::uint64_t seed = 1)
        : network(io, clock, seed) {
        network.model.loss = loss;
        BootstrapConfig config;
        config.identities = {{"bootstrap-1", endpoint}};
        config.account = [this](const std::string& name) -> Result<lwm2m::ServerAccount> {
            asked.push_back(name);
            return account();
        };
        server = std::make_unique<BootstrapServer>(io, server_end, clock, std::move(config));
        server->on_event([this](const BootstrapEvent& event) {
            if (event.kind == BootstrapEvent::Kind::step)
                steps.push_back(event.step);
            else
                events.push_back(event);
        });
        virtdev::BootstrapClientConfig device;
        device.endpoint = endpoint;
        device.server = "server";
        device.credentials = {"bootstrap-1", Secret<Bytes>(bootstrap_key)};
        device.quirks = std::move(quirks);
        client_config = std::move(device);
    }

    Result<> run() {
        client = std::make_unique<virtdev::BootstrapClient>(client_end, clock, std::move(client_config));
        std::optional<Result<>> result;
        boost::asio::co_spawn(io, client->run(), [&](std::exception_ptr failure, Result<> done) {
            if (failure) std::rethrow_exception(failure);
            result = std::move(done);
        });
        EXPECT_TRUE(clock.run_until([&] { return result.has_value() && server->active() == 0; }));
        return result ? std::move(*result) : Result<>(fail(Errc::internal, "the client did not end"));
    }
    const BootstrapEvent& last() const { return events.back(); }

    boost::asio::io_context io;
    test::VirtualClock clock{io};
    test::VirtualNetwork network;
    test::VirtualEndpoint server_end{network, "server", {{"bootstrap-1", bootstrap_key}, {"stranger", server_key}}};
    test::VirtualEndpoint client_end{network, "10.0.0.7:4000"};
    virtdev::BootstrapClientConfig client_config;
    std::unique_ptr<BootstrapServer> server;
    std::unique_ptr<virtdev::BootstrapClient> client;
    std::vector<std::string> asked;
    std::vector<std::string> steps;
    std::vector<BootstrapEvent> events;
};

TEST(Bootstrap, GivesAFreshDeviceItsAccount) {
    World world;
    const auto done = world.run();
    ASSERT_TRUE(done) << done.error().text();
    expect_account(world.client->outcome(), 1);
    EXPECT_EQ(world.last().kind, BootstrapEvent::Kind::finished);
    EXPECT_EQ(world.client->outcome().requests,
              (std::vector<std::string>{"GET /", "DELETE /", "PUT /0/1", "PUT /1/0", "GET /1/0", "POST /bs"}));
    EXPECT_EQ(world.asked, std::vector<std::string>{endpoint});
}

TEST(Bootstrap, ClientsDiffer) {
    World old({BootstrapQuirk::lwm2m_1_0});
    ASSERT_TRUE(old.run());
    expect_account(old.client->outcome(), 1);
    EXPECT_EQ(old.client->outcome().requests,
              (std::vector<std::string>{"GET /", "DELETE /", "PUT /0/1", "PUT /1/0", "POST /bs"}));

    World one_by_one({BootstrapQuirk::no_delete_all});
    ASSERT_TRUE(one_by_one.run());
    expect_account(one_by_one.client->outcome(), 1);

    World elsewhere({BootstrapQuirk::bootstrap_in_1});
    ASSERT_TRUE(elsewhere.run());
    expect_account(elsewhere.client->outcome(), 0);
}

TEST(Bootstrap, SurvivesLoss) {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(seed);
        World world({}, 0.2, seed);
        const auto done = world.run();
        if (!done) {
            EXPECT_EQ(done.error().code(), Errc::timed_out);
            continue;
        }
        expect_account(world.client->outcome(), 1);
    }
}

TEST(Bootstrap, FailuresSayWhatTheDeviceHasNow) {
    const auto standing = [](BootstrapQuirk quirk, Errc code) {
        World world({quirk});
        world.client_config.patience = 200s;
        EXPECT_FALSE(world.run());
        EXPECT_EQ(world.last().kind, BootstrapEvent::Kind::failed);
        EXPECT_EQ(world.last().error->code(), code) << world.last().error->text();
        return world.last().standing;
    };
    EXPECT_EQ(standing(BootstrapQuirk::refuses_security, Errc::device_refused), "the device has no server account");
    EXPECT_EQ(standing(BootstrapQuirk::refuses_finish, Errc::device_refused),
              "the device has its account and was not told that this is all");
    EXPECT_EQ(standing(BootstrapQuirk::forgets_server, Errc::not_proven),
              "the device has its account and was not told that this is all");
    EXPECT_EQ(standing(BootstrapQuirk::leaves_after_delete, Errc::timed_out), "the device has no server account");
}

TEST(Bootstrap, StrangersGetNothing) {
    World other_name;
    other_name.client_config.endpoint = "urn:imei:351358811331369";
    const auto refused = other_name.run();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), Errc::authentication_failed);
    EXPECT_TRUE(other_name.asked.empty()) << "no key is minted for whom it is not meant";
    EXPECT_EQ(other_name.last().kind, BootstrapEvent::Kind::refused);

    World stranger;
    stranger.client_config.credentials = {"stranger", Secret<Bytes>(server_key)};
    EXPECT_FALSE(stranger.run());
    EXPECT_TRUE(stranger.asked.empty());

    // In clear, on an endpoint without keys: never a key.
    boost::asio::io_context io;
    test::VirtualClock clock(io);
    test::VirtualNetwork network(io, clock, 1);
    test::VirtualEndpoint plain_server(network, "server");
    test::VirtualEndpoint plain_client(network, "10.0.0.7:4000");
    bool asked = false;
    BootstrapConfig config;
    config.identities = {{"", endpoint}};
    config.account = [&](const std::string&) -> Result<lwm2m::ServerAccount> {
        asked = true;
        return account();
    };
    BootstrapServer server(io, plain_server, clock, std::move(config));
    virtdev::BootstrapClientConfig device;
    device.endpoint = endpoint;
    device.server = "server";
    virtdev::BootstrapClient client(plain_client, clock, std::move(device));
    std::optional<Result<>> result;
    boost::asio::co_spawn(io, client.run(), [&](std::exception_ptr, Result<> done) { result = std::move(done); });
    ASSERT_TRUE(clock.run_until([&] { return result.has_value(); }));
    EXPECT_FALSE(*result);
    EXPECT_FALSE(asked);
}

TEST(Bootstrap, OverLoopbackWithRealDtls) {
    boost::asio::io_context io;
    adapters::SystemClock clock(io.get_executor());
    const Secret<Bytes> key(bootstrap_key);
    adapters::UdpEndpoint::Options options;
    options.listen = "127.0.0.1:0";
    options.psk = [&](std::string_view identity) { return identity == "bootstrap-1" ? &key : nullptr; };
    auto listening = adapters::UdpEndpoint::open(io.get_executor(), std::move(options));
    ASSERT_TRUE(listening) << listening.error().text();
    BootstrapConfig config;
    config.identities = {{"bootstrap-1", endpoint}};
    config.account = [](const std::string&) -> Result<lwm2m::ServerAccount> { return account(); };
    BootstrapServer server(io, **listening, clock, std::move(config));
    bool finished = false;
    server.on_event([&](const BootstrapEvent& event) { finished = event.kind == BootstrapEvent::Kind::finished; });

    adapters::LibcoapClient network(io.get_executor());
    virtdev::BootstrapClientConfig device;
    device.endpoint = endpoint;
    device.server = (*listening)->local_address();
    device.credentials = {"bootstrap-1", Secret<Bytes>(bootstrap_key)};
    virtdev::BootstrapClient client(network, clock, std::move(device));
    std::optional<Result<>> result;
    boost::asio::co_spawn(io, client.run(), [&](std::exception_ptr failure, Result<> done) {
        if (failure) std::rethrow_exception(failure);
        result = std::move(done);
        io.stop();
    });
    io.run_for(40s);
    ASSERT_TRUE(result);
    ASSERT_TRUE(*result) << result->error().text();
    expect_account(client.outcome(), 1);
    EXPECT_TRUE(finished);
}

TEST(BootstrapDiscover, IsReadInBothForms) {
    const auto list =
        lwm2m::parse_bootstrap_discover("</>;lwm2m=1.1,</0/0>,</0/1>;ssid=101;uri=\"coaps://a\",</1/0>;ssid=101");
    ASSERT_TRUE(list);
    ASSERT_EQ(list->size(), 3u);
    EXPECT_FALSE((*list)[0].short_id);
    EXPECT_EQ((*list)[1].short_id, 101);
    EXPECT_EQ((*list)[2].object, 1);
    EXPECT_EQ(lwm2m::parse_bootstrap_discover("lwm2m=\"1.0\",</0/2>,</1>")->size(), 1u);
    EXPECT_FALSE(lwm2m::parse_bootstrap_discover("0/0"));
}

}  // namespace
}  // namespace fota::provision
