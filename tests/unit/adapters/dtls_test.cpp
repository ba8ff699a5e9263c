// DTLS as the server sees it: suites, refusals, hostile datagrams, and devices which come back from where they were.
#include <gmock/gmock.h>

#include <algorithm>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <random>

#include "adapters/libcoap_client.hpp"
#include "unit/adapters/dtls_test_client.hpp"
#include "unit/adapters/loop.hpp"

namespace fota::adapters::test {
namespace {

using coap::Code;
using coap::Retry;
using testing::HasSubstr;

constexpr Retry patient{Milliseconds(1000), 3, Milliseconds(10'000)};
constexpr const char* gcm = "PSK-AES128-GCM-SHA256";

ports::Credentials copy(const ports::Credentials& credentials) {
    return {credentials.identity, credentials.key.clone()};
}

/// A socket that sends what it likes.
class Forger {
  public:
    Forger(Loop& loop, const std::string& server) : socket_(loop.io) {
        socket_.open(boost::asio::ip::udp::v4());
        socket_.connect(parse_listen_address(server).value());
        socket_.non_blocking(true);
    }
    void send(BytesView datagram) { socket_.send(boost::asio::buffer(datagram.data(), datagram.size())); }
    /// Bytes that came back so far.
    std::size_t drain() {
        std::size_t total = 0;
        std::array<std::uint8_t, 2048> buffer;
        boost::system::error_code error;
        for (;;) {
            const auto size = socket_.receive(boost::asio::buffer(buffer), 0, error);
            if (error) return total;
            total += size;
        }
    }

  private:
    boost::asio::ip::udp::socket socket_;
};

/// A ClientHello (RFC 6347 section 4.2.1) with an empty cookie, offering PSK-AES128-CCM8.
Bytes client_hello(std::uint8_t seed) {
    Bytes body{0xfe, 0xfd};
    body.insert(body.end(), 32, seed);  // random
    append(body, Bytes{0, 0, 0, 2, 0xc0, 0xa8, 1, 0});
    const auto size = static_cast<std::uint8_t>(body.size());
    Bytes out{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(size + 12)};
    append(out, Bytes{1, 0, 0, size, 0, 0, 0, 0, 0, 0, 0, size});
    append(out, body);
    return out;
}

/// Between a client and the server; loses one datagram.
class Relay {
  public:
    enum class Direction { to_server, to_client };
    Relay(Loop& loop, const std::string& server, Direction lossy, int lost)
        : front_(loop.io, {boost::asio::ip::make_address("127.0.0.1"), 0}), back_(loop.io), lossy_(lossy), lost_(lost) {
        back_.open(boost::asio::ip::udp::v4());
        back_.connect(parse_listen_address(server).value());
        boost::asio::co_spawn(loop.io, forward(Direction::to_server), boost::asio::detached);
        boost::asio::co_spawn(loop.io, forward(Direction::to_client), boost::asio::detached);
    }
    std::string address() const { return to_text(front_.local_endpoint()); }

  private:
    awaitable<void> forward(Direction direction) {
        const bool up = direction == Direction::to_server;
        std::array<std::uint8_t, 2048> buffer;
        for (int count = 0;; ++count) {
            const auto [error, size] = co_await (up ? front_ : back_)
                                           .async_receive_from(boost::asio::buffer(buffer), up ? client_ : ignored_,
                                                               boost::asio::as_tuple(boost::asio::use_awaitable));
            if (error) co_return;
            if (direction == lossy_ && count == lost_) continue;
            if (up) {
                back_.send(boost::asio::buffer(buffer, size));
            } else {
                front_.send_to(boost::asio::buffer(buffer, size), client_);
            }
        }
    }
    boost::asio::ip::udp::socket front_;
    boost::asio::ip::udp::socket back_;
    Address client_;
    Address ignored_;
    Direction lossy_;
    int lost_;
};

struct Dtls : testing::Test {
    Loop loop;
    Keys keys;
    ports::Credentials device = keys.add("device-1");
    std::unique_ptr<UdpEndpoint> server = open_server(loop, &keys);
    std::vector<std::uint64_t> gone;
    std::optional<ports::Peer> last;

    Dtls() { observe(); }
    void observe() {
        server->on_gone([this](const ports::Peer& peer) { gone.push_back(peer.session.value); });
        server->on_request([this](const ports::Peer& peer, const coap::Message& request) {
            last = peer;
            return echo(request);
        });
    }
    std::uint64_t refused(const std::string& reason) const {
        const auto& all = server->statistics().refused;
        const auto found = all.find(reason);
        return found == all.end() ? 0 : found->second;
    }
    /// Lets the server read what was sent before.
    void settle() {
        const auto before = refused("too long");
        Forger bell(loop, server->local_address());
        bell.send(Bytes(3000));
        loop.run([&]() -> awaitable<bool> {
            while (refused("too long") == before) co_await boost::asio::post(loop.io, boost::asio::use_awaitable);
            co_return true;
        }());
    }
};

class DtlsSuite : public Dtls, public testing::WithParamInterface<const char*> {};
INSTANTIATE_TEST_SUITE_P(Published, DtlsSuite,
                         testing::Values("PSK-AES128-CCM8", "PSK-AES128-CCM", gcm, "PSK-AES128-CBC-SHA256"));

TEST_P(DtlsSuite, is_accepted) {
    DtlsTestClient client(loop, server->local_address(), copy(device), GetParam());
    ASSERT_TRUE(loop.run(client.handshake()));
    EXPECT_EQ(client.suite(), GetParam());
    EXPECT_EQ(loop.run(client.get("/3/0")), "0.01 /3/0");
    EXPECT_EQ(last->identity, "device-1");
    EXPECT_EQ(server->statistics().handshakes, 1u);
}

TEST_F(Dtls, suites_of_other_kinds_are_refused_and_counted) {
    DtlsTestClient client(loop, server->local_address(), copy(device), "PSK-AES256-CBC-SHA384");
    EXPECT_FALSE(loop.run(client.handshake()));
    EXPECT_EQ(refused("no common cipher"), 1u);
}

TEST_F(Dtls, wrong_key_is_told_at_once) {
    LibcoapClient client(loop.io.get_executor());
    const auto begun = std::chrono::steady_clock::now();
    const auto peer = loop.run(client.connect(server->local_address(), {"device-1", random_key()}));
    ASSERT_FALSE(peer.has_value());
    EXPECT_EQ(peer.error().code(), Errc::authentication_failed);
    EXPECT_THAT(peer.error().message(), HasSubstr("bad record mac"));
    EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(2));
    EXPECT_EQ(refused("wrong key"), 1u);
    EXPECT_EQ(server->statistics().refused_identities.at("device-1"), "wrong key");
    EXPECT_EQ(server->sessions(), 0u);
}

TEST_F(Dtls, unknown_identity_is_told_at_once) {
    LibcoapClient client(loop.io.get_executor());
    const auto peer = loop.run(client.connect(server->local_address(), {"stranger", random_key()}));
    ASSERT_FALSE(peer.has_value());
    EXPECT_EQ(peer.error().code(), Errc::authentication_failed);
    EXPECT_EQ(refused("unknown identity"), 1u);
    EXPECT_EQ(server->statistics().refused_identities.at("stranger"), "unknown identity");
    ASSERT_TRUE(loop.run(client.connect(server->local_address(), copy(device))).has_value());
    EXPECT_EQ(server->statistics().handshakes, 1u);
}

TEST_F(Dtls, connecting_to_nobody_ends) {
    const auto address = server->local_address();
    server.reset();
    LibcoapClient client(loop.io.get_executor(), {.handshake_time = Milliseconds(300)});
    const auto peer = loop.run(client.connect(address, copy(device)));
    ASSERT_FALSE(peer.has_value());
    EXPECT_EQ(peer.error().code(), Errc::timed_out);
}

TEST_F(Dtls, device_returns_from_the_same_address_and_port) {
    unsigned short port = 0;
    {
        DtlsTestClient before(loop, server->local_address(), copy(device), gcm);
        ASSERT_TRUE(loop.run(before.handshake()));
        ASSERT_EQ(loop.run(before.get("/3/0")), "0.01 /3/0");
        port = before.port();
    }  // dies without a word
    const auto old = *last;
    auto lost = boost::asio::co_spawn(loop.io, server->exchange(old, coap::make_request(Code::get, "/3"), patient),
                                      boost::asio::use_future);
    const auto begun = std::chrono::steady_clock::now();
    DtlsTestClient after(loop, server->local_address(), copy(device), gcm, port);
    ASSERT_TRUE(loop.run(after.handshake()));
    EXPECT_EQ(loop.run(after.get("/3/0")), "0.01 /3/0");
    const auto elapsed = to_ms(std::chrono::steady_clock::now() - begun);
    RecordProperty("answered_after_ms", static_cast<int>(elapsed.count()));
    EXPECT_LT(elapsed, Milliseconds(2000));
    EXPECT_EQ(last->address, old.address);
    EXPECT_NE(last->session, old.session);
    EXPECT_THAT(gone, testing::ElementsAre(old.session.value));
    EXPECT_EQ(server->sessions(), 1u);
    loop.run([&]() -> awaitable<bool> {
        while (lost.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
            co_await boost::asio::post(loop.io, boost::asio::use_awaitable);
        co_return true;
    }());
    const auto ended = lost.get();
    ASSERT_FALSE(ended.has_value());
    EXPECT_EQ(ended.error().code(), Errc::peer_gone);
}

TEST_F(Dtls, libcoap_client_returns_from_its_fixed_port_after_a_power_cut) {
    LibcoapClient::Options options;
    options.local_port = [&] {
        boost::asio::ip::udp::socket free(loop.io, {boost::asio::ip::make_address("127.0.0.1"), 0});
        return free.local_endpoint().port();
    }();
    LibcoapClient client(loop.io.get_executor(), options);
    for (std::uint64_t i = 1; i <= 3; ++i) {
        const auto peer = loop.run(client.connect(server->local_address(), copy(device)));
        ASSERT_TRUE(peer.has_value()) << peer.error().text();
        ASSERT_TRUE(loop.run(client.exchange(*peer, coap::make_request(Code::post, "/rd"), patient)).has_value());
        EXPECT_EQ(gone.size(), i - 1) << "a power cut sends no close_notify";
        client.drop(*peer);
    }
    EXPECT_EQ(server->statistics().handshakes, 3u);
    EXPECT_EQ(server->sessions(), 1u);
}

TEST_F(Dtls, handshake_survives_the_loss_of_any_datagram) {
    struct Case {
        std::unique_ptr<Relay> relay;
        std::unique_ptr<DtlsTestClient> client;
        bool established = false;
    };
    std::vector<Case> cases;
    for (const auto direction : {Relay::Direction::to_server, Relay::Direction::to_client})
        for (int lost = 0; lost < 3; ++lost) {
            auto relay = std::make_unique<Relay>(loop, server->local_address(), direction, lost);
            auto client = std::make_unique<DtlsTestClient>(loop, relay->address(), copy(device), gcm);
            cases.push_back({std::move(relay), std::move(client)});
        }
    for (auto& one : cases)
        boost::asio::co_spawn(
            loop.io, [&one]() -> awaitable<void> { one.established = co_await one.client->handshake(); },
            boost::asio::detached);
    loop.run([&]() -> awaitable<bool> {
        while (!std::ranges::all_of(cases, &Case::established))
            co_await boost::asio::post(loop.io, boost::asio::use_awaitable);
        co_return true;
    }());
    EXPECT_EQ(server->statistics().handshakes, cases.size());
    EXPECT_EQ(server->sessions(), cases.size());
}

TEST_F(Dtls, close_notify_ends_the_session) {
    LibcoapClient client(loop.io.get_executor());
    const auto peer = loop.run(client.connect(server->local_address(), copy(device))).value();
    client.close(peer);
    settle();
    EXPECT_EQ(server->sessions(), 0u);
    EXPECT_EQ(gone.size(), 1u);
}

TEST_F(Dtls, server_that_closes_ends_the_clients_session) {
    LibcoapClient client(loop.io.get_executor());
    std::vector<std::uint64_t> ended;
    client.on_gone([&](const ports::Peer& peer) { ended.push_back(peer.session.value); });
    const auto peer = loop.run(client.connect(server->local_address(), copy(device))).value();
    client.drop(peer);
    EXPECT_THAT(ended, testing::ElementsAre(peer.session.value));
    const auto later = loop.run(client.exchange(peer, coap::make_request(Code::get, "/"), patient));
    EXPECT_EQ(later.error().code(), Errc::peer_gone);
}

// The forger shares the device's address and port, as one that spoofs its source address would.
TEST_P(DtlsSuite, session_survives_forged_datagrams) {
    DtlsTestClient client(loop, server->local_address(), copy(device), GetParam());
    ASSERT_TRUE(loop.run(client.handshake()));
    ASSERT_EQ(loop.run(client.get("/1")), "0.01 /1");
    const auto session = last->session;
    const std::vector<Bytes> forgeries{
        client_hello(1),                                             // without a cookie
        {21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 2, 40},       // a fatal alert in clear
        {21, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 1, 1, 0, 2, 1, 0},        // close_notify, not authentic, too short to be
        {23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 2, 2, 0, 4, 1, 2, 3, 4},  // data, the same
        {22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},              // an empty handshake record
        {20, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 1},           // ChangeCipherSpec
        {22, 0xfe, 0xfd, 0, 2, 0, 0, 0, 0, 0, 0, 0, 1, 1},           // of an epoch to come
    };
    for (std::size_t i = 0; i < forgeries.size(); ++i) {
        client.send_raw(forgeries[i]);
        settle();
        ASSERT_TRUE(gone.empty()) << "datagram " << i;
    }
    for (std::uint8_t type = 20; type <= 25; ++type)
        for (std::uint8_t length = 0; length < 130; ++length) {
            Bytes record{type, 0xfe, 0xfd, 0, 1, 0, 0, 0, 1, type, length, 0, length};
            record.insert(record.end(), length, length);
            client.send_raw(record);
            settle();
            ASSERT_TRUE(gone.empty()) << "content type " << int{type} << ", " << int{length} << " bytes";
        }
    EXPECT_EQ(loop.run(client.get("/2")), "0.01 /2");
    EXPECT_EQ(last->session, session);
    EXPECT_TRUE(gone.empty());
}

TEST_F(Dtls, an_unfinished_handshake_from_the_same_port_leaves_the_live_session_alone) {
    DtlsTestClient client(loop, server->local_address(), copy(device), gcm);
    ASSERT_TRUE(loop.run(client.handshake()));
    ASSERT_EQ(loop.run(client.get("/1")), "0.01 /1");
    const auto session = last->session;
    // With a good cookie and a wrong key: as much as one gets without the device's key.
    DtlsTestClient impostor(loop, server->local_address(), {"device-1", random_key()}, gcm, client.port());
    EXPECT_FALSE(loop.run(impostor.handshake()));
    EXPECT_EQ(refused("wrong key"), 1u);
    impostor.die();
    EXPECT_EQ(loop.run(client.get("/2")), "0.01 /2");
    EXPECT_EQ(last->session, session);
    EXPECT_TRUE(gone.empty());
}

TEST_F(Dtls, garbage_flood_costs_nothing_and_stops_nothing) {
    std::mt19937 random(20'261);
    RecordProperty("seed", 20'261);
    Forger forger(loop, server->local_address());
    DtlsTestClient client(loop, server->local_address(), copy(device), gcm);
    ASSERT_TRUE(loop.run(client.handshake()));
    std::size_t sent = 0;
    for (int round = 0; round < 40; ++round) {
        for (int i = 0; i < 50; ++i) {
            Bytes datagram(random() % 300);
            for (auto& byte : datagram) byte = static_cast<std::uint8_t>(random());
            if (datagram.size() > 13 && i % 2 == 0) {
                // Something that passes for a DTLS record.
                datagram[0] = static_cast<std::uint8_t>(20 + random() % 6);
                datagram[1] = 0xfe;
                datagram[2] = 0xfd;
                datagram[3] = 0;
                datagram[4] = static_cast<std::uint8_t>(random() % 2);
                datagram[11] = 0;
                datagram[12] = static_cast<std::uint8_t>(std::min<std::size_t>(datagram.size() - 13, 255));
                datagram[13] = static_cast<std::uint8_t>(random() % 3);
            }
            sent += datagram.size();
            forger.send(datagram);
        }
        settle();
    }
    EXPECT_EQ(loop.run(client.get("/3/0")), "0.01 /3/0");
    EXPECT_GT(server->statistics().datagrams, 1500u);
    EXPECT_EQ(server->sessions(), 1u);
    EXPECT_LE(forger.drain(), 3 * sent);
}

TEST_F(Dtls, hello_without_cookie_is_answered_with_less_and_leaves_no_state) {
    Forger forger(loop, server->local_address());
    const auto hello = client_hello(9);
    for (std::uint8_t i = 0; i < 100; ++i) forger.send(hello);
    settle();
    const auto answered = forger.drain();
    EXPECT_GT(answered, 0u) << "HelloVerifyRequest expected";
    EXPECT_LE(answered, 100 * hello.size());
    EXPECT_EQ(server->sessions(), 0u);
    EXPECT_TRUE(server->statistics().refused_identities.empty());
}

TEST_F(Dtls, plain_coap_is_counted_as_what_it_is) {
    Forger forger(loop, server->local_address());
    forger.send(coap::encode(coap::make_request(Code::post, "/rd")).value());
    settle();
    EXPECT_GE(refused("not DTLS"), 1u);
    EXPECT_EQ(forger.drain(), 0u);
    EXPECT_FALSE(last);
}

TEST_F(Dtls, sessions_are_bounded_and_the_longest_silent_goes) {
    server.reset();
    DtlsServer::Limits limits;
    limits.sessions = 3;
    server = open_server(loop, &keys, limits);
    observe();
    std::vector<std::unique_ptr<DtlsTestClient>> clients;
    for (int i = 0; i < 5; ++i) {
        clients.push_back(std::make_unique<DtlsTestClient>(loop, server->local_address(), copy(device), gcm));
        ASSERT_TRUE(loop.run(clients.back()->handshake()));
        ASSERT_EQ(loop.run(clients.back()->get("/1")), "0.01 /1");
        if (i == 2) {
            ASSERT_EQ(loop.run(clients[0]->get("/again")), "0.01 /again");
        }
    }
    EXPECT_EQ(server->sessions(), 3u);
    EXPECT_EQ(gone, (std::vector<std::uint64_t>{2, 3}));
    EXPECT_EQ(loop.run(clients[0]->get("/still")), "0.01 /still");
}

TEST_F(Dtls, handshakes_end_after_their_time) {
    server.reset();
    DtlsServer::Limits limits;
    limits.handshake_time = Milliseconds(50);
    server = open_server(loop, &keys, limits);
    DtlsTestClient client(loop, server->local_address(), copy(device), gcm);
    loop.run(client.begin_handshake());
    loop.run([&]() -> awaitable<bool> {
        while (refused("handshake timed out") == 0) co_await boost::asio::post(loop.io, boost::asio::use_awaitable);
        co_return true;
    }());
    EXPECT_EQ(refused("handshake timed out"), 1u);
}

}  // namespace
}  // namespace fota::adapters::test
