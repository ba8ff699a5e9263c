// Handshake floods: whose handshakes they displace. Without sockets; the clock is a number.
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <memory>

#include "adapters/dtls_server.hpp"

namespace fota::adapters::test {
namespace {

Address at(const std::string& address, int port) {
    return {boost::asio::ip::make_address(address), static_cast<unsigned short>(port)};
}

TEST(HalfOpenHandshakes, a_source_with_its_share_displaces_its_own_oldest) {
    HalfOpen half_open(10, 2);
    half_open.add(Instant(Milliseconds(1)), at("10.0.0.1", 1));
    half_open.add(Instant(Milliseconds(2)), at("10.0.0.2", 1));
    EXPECT_FALSE(half_open.displaced_by(at("10.0.0.2", 2)));
    half_open.add(Instant(Milliseconds(3)), at("10.0.0.2", 2));
    const auto victim = half_open.displaced_by(at("10.0.0.2", 3));
    ASSERT_TRUE(victim);
    EXPECT_EQ(victim->address, at("10.0.0.2", 1));
    EXPECT_TRUE(victim->of_its_source);
    EXPECT_FALSE(half_open.displaced_by(at("10.0.0.1", 2)));
    half_open.remove(Instant(Milliseconds(2)), at("10.0.0.2", 1));
    EXPECT_FALSE(half_open.displaced_by(at("10.0.0.2", 3)));
}

TEST(HalfOpenHandshakes, when_all_are_taken_the_largest_source_gives_way) {
    HalfOpen half_open(4, 3);
    half_open.add(Instant(Milliseconds(1)), at("10.0.0.1", 1));
    for (int port = 1; port <= 3; ++port) half_open.add(Instant(Milliseconds(1 + port)), at("10.0.0.2", port));
    const auto victim = half_open.displaced_by(at("10.0.0.3", 1));
    ASSERT_TRUE(victim);
    EXPECT_EQ(victim->address, at("10.0.0.2", 1));
    EXPECT_FALSE(victim->of_its_source);
}

TEST(HalfOpenHandshakes, a_source_is_64_bits_of_ipv6_and_mapped_ipv4_is_ipv4) {
    HalfOpen half_open(10, 1);
    half_open.add(Instant(Milliseconds(1)), at("2001:db8::1", 1));
    EXPECT_TRUE(half_open.displaced_by(at("2001:db8::ffff", 1)));
    EXPECT_FALSE(half_open.displaced_by(at("2001:db8:0:1::1", 1)));
    half_open.add(Instant(Milliseconds(2)), at("::ffff:10.0.0.1", 1));
    EXPECT_TRUE(half_open.displaced_by(at("10.0.0.1", 9)));
    EXPECT_FALSE(half_open.displaced_by(at("::ffff:10.0.0.2", 1)));
}

/// A client on memory alone.
class MemoryClient {
  public:
    explicit MemoryClient(Address address, std::string identity = "device-1")
        : address(std::move(address)), identity_(std::move(identity)) {
        context_.reset(SSL_CTX_new(DTLS_client_method()));
        SSL_CTX_set_cipher_list(context_.get(), "PSK-AES128-CCM8:@SECLEVEL=0");
        SSL_CTX_set_psk_client_callback(
            context_.get(),
            [](SSL* ssl, const char*, char* identity, unsigned room, unsigned char* key, unsigned) -> unsigned {
                const auto& name = *static_cast<const std::string*>(SSL_get_app_data(ssl));
                if (name.size() + 1 > room) return 0;
                std::memcpy(identity, name.c_str(), name.size() + 1);
                std::fill_n(key, 16, std::uint8_t{7});
                return 16;
            });
        ssl_.reset(SSL_new(context_.get()));
        SSL_set_app_data(ssl_.get(), &identity_);
        SSL_set_bio(ssl_.get(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        SSL_set_connect_state(ssl_.get());
        DTLS_set_link_mtu(ssl_.get(), 1'280);
        // Its clock is the real one: on a slow machine it would send again.
        DTLS_set_timer_cb(ssl_.get(), [](SSL*, unsigned) { return 60'000'000u; });
    }
    void arrived(BytesView datagram) {
        BIO_write(SSL_get_rbio(ssl_.get()), datagram.data(), static_cast<int>(datagram.size()));
    }
    /// What it sends next; empty when it waits.
    Bytes step() {
        SSL_do_handshake(ssl_.get());
        Bytes out(4'096);
        const int size = BIO_read(SSL_get_wbio(ssl_.get()), out.data(), static_cast<int>(out.size()));
        out.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
        return out;
    }
    bool established() const { return SSL_is_init_finished(ssl_.get()) == 1; }

    const Address address;

  private:
    std::string identity_;
    struct Free {
        void operator()(SSL* ssl) const { SSL_free(ssl); }
        void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
    };
    std::unique_ptr<SSL_CTX, Free> context_;
    std::unique_ptr<SSL, Free> ssl_;
};

struct DtlsFlood : testing::Test, DtlsServer::Sink {
    Secret<Bytes> key{Bytes(16, 7)};
    std::map<Address, MemoryClient*> clients;
    std::map<std::string, int, std::less<>> reasons;
    int sessions = 0;
    std::vector<std::uint64_t> ended;
    std::size_t bytes_out = 0;
    std::size_t bytes_in = 0;
    Instant now{std::chrono::hours(1)};
    DtlsServer::Limits limits{.handshakes = 40, .handshakes_per_source = 8};
    DtlsServer server{*this, [this](std::string_view) { return &key; }, limits};

    void send_datagram(const Address& to, BytesView datagram) override {
        bytes_out += datagram.size();
        if (const auto found = clients.find(to); found != clients.end()) found->second->arrived(datagram);
    }
    void established(SessionId, const Address&, const std::string&) override { ++sessions; }
    void received(SessionId, BytesView) override {}
    void closed(SessionId session) override {
        --sessions;
        ended.push_back(session.value);
    }
    void refused(std::string_view reason, std::string_view) override { ++reasons[std::string(reason)]; }

    /// The next flight of the client reaches the server.
    void step(MemoryClient& client) {
        clients[client.address] = &client;
        now += Milliseconds(1);
        const auto flight = client.step();
        bytes_in += flight.size();
        if (!flight.empty()) server.receive(now, client.address, flight);
    }
    /// As far as a hello with a good cookie.
    void begin(MemoryClient& client) {
        step(client);
        step(client);
    }
};

TEST_F(DtlsFlood, from_one_address_displaces_itself_alone) {
    MemoryClient device(at("10.0.0.7", 5'684));
    begin(device);
    std::vector<std::unique_ptr<MemoryClient>> attackers;
    for (int port = 1; port <= 200; ++port) {
        attackers.push_back(std::make_unique<MemoryClient>(at("10.6.6.6", port)));
        begin(*attackers.back());
        EXPECT_LE(server.handshakes(), 9u);
    }
    EXPECT_EQ(reasons["too many handshakes from one address"], 192);
    EXPECT_EQ(reasons["too many handshakes"], 0);
    for (int i = 0; i < 4 && !device.established(); ++i) step(device);
    EXPECT_TRUE(device.established());
    EXPECT_EQ(sessions, 1);
    EXPECT_EQ(server.sessions(), 1u);
}

TEST_F(DtlsFlood, from_many_addresses_is_bounded_and_ends_with_its_time) {
    std::vector<std::unique_ptr<MemoryClient>> attackers;
    for (int i = 0; i < 100; ++i) {
        attackers.push_back(std::make_unique<MemoryClient>(at("10.6.6." + std::to_string(i + 1), 1)));
        begin(*attackers.back());
        EXPECT_LE(server.handshakes(), limits.handshakes);
    }
    EXPECT_EQ(reasons["too many handshakes"], 60);
    now += limits.handshake_time + Milliseconds(1);
    server.tick(now);
    EXPECT_EQ(server.handshakes(), 0u);
    EXPECT_EQ(reasons["handshake timed out"], 40);
    MemoryClient device(at("10.0.0.7", 5'684));
    for (int i = 0; i < 4 && !device.established(); ++i) step(device);
    EXPECT_TRUE(device.established());
}

TEST_F(DtlsFlood, of_sessions_of_one_device_displaces_its_own) {
    MemoryClient other(at("10.0.0.7", 5'684), "device-2");
    for (int i = 0; i < 4; ++i) step(other);
    ASSERT_TRUE(other.established());
    for (int port = 1; port <= 100; ++port) {
        MemoryClient one(at("10.6.6.6", port));
        for (int i = 0; i < 4; ++i) step(one);
        ASSERT_TRUE(one.established());
        clients.erase(one.address);
    }
    EXPECT_EQ(server.sessions(), 1 + limits.sessions_per_identity);
    ASSERT_EQ(ended.size(), 100 - limits.sessions_per_identity);
    EXPECT_EQ(ended.front(), 2u) << "session 1 is the other device's";
    EXPECT_TRUE(std::ranges::is_sorted(ended));
}

TEST_F(DtlsFlood, of_handshakes_that_dribble_ends_with_their_time_however_often_they_speak) {
    std::vector<std::unique_ptr<MemoryClient>> slow;
    std::vector<Bytes> hello(limits.handshakes);
    for (std::size_t i = 0; i < limits.handshakes; ++i) {
        slow.push_back(std::make_unique<MemoryClient>(at("10.6.6." + std::to_string(i + 1), 1)));
        step(*slow[i]);
        hello[i] = slow[i]->step();  // with its cookie
        clients.erase(slow[i]->address);
        server.receive(now, slow[i]->address, hello[i]);
    }
    EXPECT_EQ(server.handshakes(), limits.handshakes);
    bytes_in = bytes_out = 0;
    // Each says its hello again every second, and a piece of the next flight that is never completed.
    const Bytes piece{22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 9, 0, 13, 16, 0, 0, 40, 0, 2, 0, 0, 0, 0, 0, 1, 'x'};
    for (auto second = Milliseconds(0); second < limits.handshake_time; second += Milliseconds(1'000)) {
        now += Milliseconds(1'000);
        for (std::size_t i = 0; i < limits.handshakes; ++i) {
            server.receive(now, slow[i]->address, hello[i]);
            server.receive(now, slow[i]->address, piece);
            bytes_in += hello[i].size() + piece.size();
        }
        server.tick(now);
        EXPECT_LE(server.handshakes(), limits.handshakes);
    }
    EXPECT_LE(bytes_out, 3 * bytes_in);
    now += Milliseconds(1'000);
    server.tick(now);
    EXPECT_EQ(server.handshakes(), 0u);
    EXPECT_EQ(server.sessions(), 0u);
    MemoryClient device(at("10.0.0.7", 5'684));
    for (int i = 0; i < 4 && !device.established(); ++i) step(device);
    EXPECT_TRUE(device.established());
}

TEST_F(DtlsFlood, without_cookies_leaves_nothing_and_draws_no_more_than_it_sends) {
    for (int port = 1; port <= 500; ++port) {
        MemoryClient spoofed(at("10.6.6.6", port));
        step(spoofed);
        clients.erase(spoofed.address);
    }
    EXPECT_EQ(server.handshakes(), 0u);
    EXPECT_GT(bytes_out, 0u);
    EXPECT_LE(bytes_out, bytes_in);
}

}  // namespace
}  // namespace fota::adapters::test
