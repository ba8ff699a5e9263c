// The server's endpoint against libcoap: both directions, in clear and over DTLS.
#include <gmock/gmock.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>

#include "adapters/libcoap_client.hpp"
#include "unit/adapters/loop.hpp"

namespace fota::adapters::test {
namespace {

using coap::Answer;
using coap::Code;
using coap::Message;
using coap::Retry;
using testing::HasSubstr;

constexpr Retry patient{Milliseconds(1000), 3, Milliseconds(10'000)};

class CoapEndpoints : public testing::TestWithParam<bool> {
  protected:
    void SetUp() override {
        credentials = GetParam() ? keys.add("device-1") : ports::Credentials{};
        server = open_server(loop, GetParam() ? &keys : nullptr);
        server->on_request([this](const ports::Peer& peer, const Message& request) {
            from_device = peer;
            server->vouch_for(peer);  // as of a device that has named its registration
            return echo(request);
        });
    }
    ports::Credentials own() const { return {credentials.identity, credentials.key.clone()}; }
    ports::Peer connect() { return loop.run(client.connect(server->local_address(), own())).value(); }
    /// Connects and says hello, so that the server knows the device.
    ports::Peer greet() {
        const auto peer = connect();
        EXPECT_TRUE(loop.run(client.exchange(peer, coap::make_request(Code::post, "/rd"), patient)).has_value());
        return peer;
    }

    Loop loop;
    Keys keys;
    ports::Credentials credentials;
    std::unique_ptr<UdpEndpoint> server;
    LibcoapClient client{loop.io.get_executor()};
    std::optional<ports::Peer> from_device;
};

INSTANTIATE_TEST_SUITE_P(Transport, CoapEndpoints, testing::Bool(),
                         [](const auto& info) { return info.param ? "dtls" : "plain"; });

TEST_P(CoapEndpoints, device_to_server) {
    const auto peer = connect();
    auto request = coap::make_request(Code::post, "/rd");
    request.add(coap::OptionNumber::uri_query, "ep=device-1");
    request.payload = Bytes(1024, 7);
    const auto reply = loop.run(client.exchange(peer, request, patient));
    ASSERT_TRUE(reply.has_value()) << reply.error().text();
    EXPECT_EQ(as_text(reply->message.payload), "0.02 /rd");
    EXPECT_EQ(reply->resends, 0);
    ASSERT_TRUE(from_device);
    EXPECT_EQ(from_device->secure, GetParam());
    EXPECT_EQ(from_device->identity, GetParam() ? "device-1" : "");
    EXPECT_EQ(from_device->address, client.local_address());
    EXPECT_EQ(server->sessions(), 1u);
}

TEST_P(CoapEndpoints, server_to_device_with_every_method_and_block1) {
    std::vector<Message> seen;
    client.on_request([&](const ports::Peer&, const Message& request) {
        seen.push_back(request);
        return echo(request);
    });
    greet();
    for (const auto method : {Code::get, Code::put, Code::post, Code::del, Code::fetch, Code::ipatch}) {
        auto request = coap::make_request(method, "/5/0/0");
        request.set_block(coap::OptionNumber::block1, {3, true, 6});
        request.add_uint(coap::OptionNumber::size1, 400'000);
        request.payload = Bytes(method == Code::put ? 1024 : 0, 0xa5);
        const auto reply = loop.run(server->exchange(*from_device, request, patient));
        ASSERT_TRUE(reply.has_value()) << reply.error().text();
        EXPECT_EQ(as_text(reply->message.payload), coap::code_text(method) + " /5/0/0");
        ASSERT_FALSE(seen.empty());
        EXPECT_EQ(seen.back().block1(), (coap::Block{3, true, 6}));
        EXPECT_EQ(seen.back().uint_option(coap::OptionNumber::size1), 400'000u);
        EXPECT_EQ(seen.back().payload, request.payload);
    }
}

TEST_P(CoapEndpoints, separate_response) {
    std::optional<Message> asked;
    client.on_request([&](const ports::Peer&, const Message& request) {
        asked = request;
        return Answer{Answer::Kind::empty_ack, {}};
    });
    const auto peer = greet();
    std::optional<Result<coap::Reply>> acknowledged;
    boost::asio::co_spawn(
        loop.io,
        [&]() -> awaitable<void> {
            while (!asked) co_await boost::asio::post(loop.io, boost::asio::use_awaitable);
            Message response;
            response.code = Code::changed;
            response.token = asked->token;
            acknowledged = co_await client.exchange(peer, response, patient);
        },
        boost::asio::detached);
    const auto reply = loop.run(server->exchange(*from_device, coap::make_request(Code::put, "/5/0/0"), patient));
    ASSERT_TRUE(reply.has_value()) << reply.error().text();
    EXPECT_EQ(reply->message.code, Code::changed);
    loop.run([&]() -> awaitable<bool> {
        while (!acknowledged) co_await boost::asio::post(loop.io, boost::asio::use_awaitable);
        co_return true;
    }());
    EXPECT_TRUE(acknowledged->has_value());
}

TEST_P(CoapEndpoints, notification_is_acknowledged_or_reset) {
    const auto peer = greet();
    bool wanted = true;
    std::string seen;
    server->on_notify([&](const ports::Peer&, const Message& message) {
        seen = as_text(message.payload);
        return wanted;
    });
    Message notification;
    notification.code = Code::content;
    notification.token = coap::Token(as_bytes("observe"));
    notification.add_uint(coap::OptionNumber::observe, 12);
    notification.payload = to_bytes(as_bytes("2"));
    EXPECT_TRUE(loop.run(client.exchange(peer, notification, patient)).has_value());
    EXPECT_EQ(seen, "2");
    wanted = false;
    const auto refused = loop.run(client.exchange(peer, notification, patient));
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code(), Errc::device_refused);
}

TEST_P(CoapEndpoints, silence_is_repeated_until_answered) {
    int asked = 0;
    client.on_request([&](const ports::Peer&, const Message& request) {
        return ++asked == 1 ? Answer{Answer::Kind::silence, {}} : echo(request);
    });
    greet();
    const auto reply = loop.run(
        server->exchange(*from_device, coap::make_request(Code::get, "/3/0/3"), Retry{Milliseconds(100), 4, {}}));
    ASSERT_TRUE(reply.has_value()) << reply.error().text();
    EXPECT_EQ(asked, 2);
    EXPECT_EQ(reply->resends, 1);
    EXPECT_GE(reply->elapsed, Milliseconds(100));
}

TEST_P(CoapEndpoints, timed_out_names_the_transmissions) {
    client.on_request([](const ports::Peer&, const Message&) { return Answer{Answer::Kind::silence, {}}; });
    greet();
    const auto reply = loop.run(
        server->exchange(*from_device, coap::make_request(Code::get, "/3/0/3"), Retry{Milliseconds(20), 2, {}}));
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(reply.error().code(), Errc::timed_out);
    EXPECT_THAT(reply.error().message(), HasSubstr("3 transmissions"));
}

TEST_P(CoapEndpoints, exchange_is_cancelled) {
    int asked = 0;
    boost::asio::cancellation_signal cancel;
    client.on_request([&](const ports::Peer&, const Message&) {
        if (++asked == 1) boost::asio::post(loop.io, [&] { cancel.emit(boost::asio::cancellation_type::terminal); });
        return Answer{Answer::Kind::silence, {}};
    });
    greet();
    std::optional<Result<coap::Reply>> ended;
    boost::asio::co_spawn(
        loop.io,
        server->exchange(*from_device, coap::make_request(Code::get, "/3/0/3"), Retry{Milliseconds(50), 9, {}}),
        boost::asio::bind_cancellation_slot(cancel.slot(), [&](std::exception_ptr, Result<coap::Reply> reply) {
            ended = std::move(reply);
            loop.io.stop();
        }));
    loop.io.restart();
    loop.io.run_for(std::chrono::seconds(20));
    ASSERT_TRUE(ended && !ended->has_value());
    EXPECT_EQ(ended->error().code(), Errc::cancelled);
    // Withdrawn from the message layer as well: nothing is repeated while another exchange runs its whole course.
    const auto probe =
        loop.run(server->exchange(*from_device, coap::make_request(Code::get, "/1"), Retry{Milliseconds(60), 1, {}}));
    EXPECT_FALSE(probe.has_value());
    EXPECT_EQ(asked, 3) << "one cancelled request, and the probe's two transmissions";
}

TEST_P(CoapEndpoints, drop_ends_exchanges_and_tells) {
    client.on_request([&](const ports::Peer&, const Message&) {
        boost::asio::post(loop.io, [&] { server->drop(*from_device); });
        return Answer{Answer::Kind::silence, {}};
    });
    greet();
    std::vector<std::uint64_t> gone;
    server->on_gone([&](const ports::Peer& peer) { gone.push_back(peer.session.value); });
    const auto reply = loop.run(server->exchange(*from_device, coap::make_request(Code::get, "/3/0/3"), patient));
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(reply.error().code(), Errc::peer_gone);
    EXPECT_THAT(gone, testing::ElementsAre(from_device->session.value));
    const auto later = loop.run(server->exchange(*from_device, coap::make_request(Code::get, "/3/0/3"), patient));
    EXPECT_EQ(later.error().code(), Errc::peer_gone);
}

TEST_P(CoapEndpoints, an_abandoned_session_ends_its_requests_and_stays) {
    bool silent = true;
    client.on_request([&](const ports::Peer&, const Message& request) {
        if (!silent) return echo(request);
        boost::asio::post(loop.io, [&] { server->abandon(from_device->session); });
        return Answer{Answer::Kind::silence, {}};
    });
    greet();
    bool gone = false;
    server->on_gone([&](const ports::Peer&) { gone = true; });
    const auto reply = loop.run(server->exchange(*from_device, coap::make_request(Code::get, "/3/0/3"), patient));
    ASSERT_FALSE(reply.has_value());
    EXPECT_EQ(reply.error().code(), Errc::peer_gone);
    EXPECT_FALSE(gone);
    silent = false;
    EXPECT_TRUE(loop.run(server->exchange(*from_device, coap::make_request(Code::get, "/3/0/3"), patient)).has_value());
}

/// What waits is let go by the answer or by the end of the endpoint, also when both come to nothing for it.
TEST(UdpEndpoint, that_goes_lets_a_cancelled_exchange_go_too) {
    Loop loop;
    auto endpoint = open_server(loop, nullptr);
    const auto peer = loop.run(endpoint->connect("127.0.0.1:9", {})).value();
    boost::asio::cancellation_signal stop;
    std::optional<Errc> ended;
    boost::asio::co_spawn(
        loop.io, endpoint->exchange(peer, coap::make_request(Code::get, "/1"), patient),
        boost::asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr, Result<coap::Reply> reply) {
            ended = reply ? Errc::internal : reply.error().code();
        }));
    loop.io.restart();  // connect() has run it to its end
    loop.io.poll();
    ASSERT_FALSE(ended);
    stop.emit(boost::asio::cancellation_type::terminal);
    endpoint.reset();
    loop.io.poll();
    EXPECT_EQ(ended, Errc::peer_gone);
}

TEST(LibcoapClient, answers_a_repeated_request_from_memory) {
    for (const bool deduplicate : {true, false}) {
        Loop loop;
        boost::asio::ip::udp::socket server(loop.io, {boost::asio::ip::make_address("127.0.0.1"), 0});
        LibcoapClient client(loop.io.get_executor(), {.deduplicate = deduplicate});
        int asked = 0;
        client.on_request([&](const ports::Peer&, const Message& request) {
            ++asked;
            return echo(request);
        });
        ASSERT_TRUE(loop.run(client.connect(to_text(server.local_endpoint()), {})).has_value());
        auto request = coap::make_request(Code::get, "/3/0/3");
        request.id = 77;
        const auto datagram = coap::encode(request).value();
        const auto device = parse_listen_address(client.local_address()).value();
        std::vector<Bytes> answers;
        for (int i = 0; i < 2; ++i) {
            server.send_to(boost::asio::buffer(datagram), device);
            answers.emplace_back(100);
            const auto size = loop.run([&]() -> awaitable<std::size_t> {
                co_return co_await server.async_receive(boost::asio::buffer(answers.back()),
                                                        boost::asio::use_awaitable);
            }());
            answers.back().resize(size);
        }
        EXPECT_EQ(answers[0], answers[1]);
        EXPECT_EQ(asked, deduplicate ? 1 : 2);
    }
}

TEST(UdpEndpoint, connects_in_clear_as_a_client_too) {
    Loop loop;
    const auto server = open_server(loop, nullptr);
    const auto client = open_server(loop, nullptr);
    const auto peer = loop.run(client->connect(server->local_address(), {}));
    ASSERT_TRUE(peer.has_value());
    const auto reply = loop.run(client->exchange(*peer, coap::make_request(Code::get, "/x"), patient));
    ASSERT_TRUE(reply.has_value());
    EXPECT_EQ(as_text(reply->message.payload), "0.01 /x");
}

TEST(UdpEndpoint, says_which_address_is_taken) {
    Loop loop;
    const auto first = open_server(loop, nullptr);
    UdpEndpoint::Options options;
    options.listen = first->local_address();
    const auto second = UdpEndpoint::open(loop.io.get_executor(), options);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code(), Errc::address_in_use);
    EXPECT_EQ(second.error().detail("address"), options.listen);
    EXPECT_THAT(second.error().message(), HasSubstr(options.listen));
}

TEST(UdpEndpoint, refuses_addresses_that_are_none) {
    Loop loop;
    for (const auto* text : {"", "5684", "1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "1.2.3.4:x", "::1:5684",
                             "no.such.host:1", "203.0.113.9:5684"}) {
        UdpEndpoint::Options options;
        options.listen = text;
        const auto endpoint = UdpEndpoint::open(loop.io.get_executor(), options);
        ASSERT_FALSE(endpoint.has_value()) << text;
        EXPECT_EQ(endpoint.error().code(), Errc::address_unusable) << text;
    }
}

TEST(UdpEndpoint, dual_stack_listener_takes_ipv4) {
    Loop loop;
    UdpEndpoint::Options options;
    options.listen = "[::]:0";
    auto opened = UdpEndpoint::open(loop.io.get_executor(), options);
    if (!opened) GTEST_SKIP() << "no IPv6 on this machine";
    std::string from;
    (*opened)->on_request([&](const ports::Peer& peer, const Message& request) {
        from = peer.address;
        return echo(request);
    });
    LibcoapClient client(loop.io.get_executor());
    const auto listening = (*opened)->local_address();
    const auto peer = loop.run(client.connect("127.0.0.1" + listening.substr(listening.rfind(':')), {}));
    ASSERT_TRUE(peer.has_value());
    ASSERT_TRUE(loop.run(client.exchange(*peer, coap::make_request(Code::get, "/"), patient)).has_value());
    EXPECT_EQ(from, client.local_address());
}

TEST(UdpEndpoint, plain_sessions_are_bounded) {
    Loop loop;
    UdpEndpoint::Options options;
    options.listen = "127.0.0.1:0";
    options.plain_sessions = 4;
    auto server = UdpEndpoint::open(loop.io.get_executor(), options).value();
    std::vector<std::string> gone;
    server->on_gone([&](const ports::Peer& peer) { gone.push_back(peer.address); });
    server->on_request([](const ports::Peer&, const Message& request) { return echo(request); });
    LibcoapClient client(loop.io.get_executor());
    std::string first;
    for (int i = 0; i < 6; ++i) {
        const auto peer = loop.run(client.connect(server->local_address(), {})).value();
        if (i == 0) first = client.local_address();
        ASSERT_TRUE(loop.run(client.exchange(peer, coap::make_request(Code::get, "/"), patient)).has_value());
    }
    EXPECT_EQ(server->sessions(), 4u);
    ASSERT_EQ(gone.size(), 2u);
    EXPECT_EQ(gone[0], first) << "the longest silent goes first";
}

TEST(UdpEndpoint, strangers_in_clear_do_not_push_out_who_answered) {
    Loop loop;
    UdpEndpoint::Options options;
    options.listen = "127.0.0.1:0";
    options.plain_sessions = 4;
    auto server = UdpEndpoint::open(loop.io.get_executor(), options).value();
    std::vector<std::string> gone;
    std::optional<ports::Peer> device;
    server->on_gone([&](const ports::Peer& peer) { gone.push_back(peer.address); });
    server->on_request([&](const ports::Peer& peer, const Message& request) {
        if (!device) device = peer;
        return echo(request);
    });
    LibcoapClient client(loop.io.get_executor());
    client.on_request([](const ports::Peer&, const Message& request) { return echo(request); });
    auto to_server = loop.run(client.connect(server->local_address(), {})).value();
    ASSERT_TRUE(loop.run(client.exchange(to_server, coap::make_request(Code::post, "/rd"), patient)).has_value());
    ASSERT_TRUE(loop.run(server->exchange(*device, coap::make_request(Code::get, "/"), patient)).has_value());
    LibcoapClient strangers(loop.io.get_executor());
    for (int i = 0; i < 10; ++i) {
        const auto peer = loop.run(strangers.connect(server->local_address(), {})).value();
        ASSERT_TRUE(loop.run(strangers.exchange(peer, coap::make_request(Code::get, "/"), patient)).has_value());
    }
    EXPECT_EQ(server->sessions(), 4u);
    EXPECT_EQ(gone.size(), 7u);
    EXPECT_EQ(std::ranges::count(gone, device->address), 0);
    EXPECT_TRUE(loop.run(server->exchange(*device, coap::make_request(Code::get, "/"), patient)).has_value());
}

}  // namespace
}  // namespace fota::adapters::test
