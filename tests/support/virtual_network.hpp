// UDP and DTLS in virtual time: a CoapEndpoint over the real message layer and a seeded link that loses, delays,
// repeats and reorders datagrams. Strict: an endpoint that is destroyed with exchanges in flight fails the test.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <map>
#include <memory>
#include <random>
#include <utility>
#include <vector>

#include "coap/message_layer.hpp"
#include "ports/coap_endpoint.hpp"
#include "tests/support/virtual_clock.hpp"

namespace fota::test {

class VirtualEndpoint;

/// How one direction of the air behaves.
struct LinkModel {
    double loss = 0;       ///< 0..1, each direction
    double duplicate = 0;  ///< 0..1
    double reorder = 0;    ///< 0..1: held back for another one-way delay
    Milliseconds delay{100};
    Milliseconds jitter{0};
};

/// Everything that is in the air. Addresses are plain names ("server", "10.0.0.7:4000").
class VirtualNetwork {
  public:
    VirtualNetwork(boost::asio::io_context& io, VirtualClock& clock, std::uint64_t seed)
        : io(io), clock(clock), random(seed) {}

    LinkModel model;
    /// No datagram arrives in these spans.
    std::vector<std::pair<Instant, Instant>> blackouts;
    std::uint64_t sent = 0;
    std::uint64_t sent_bytes = 0;
    std::uint64_t lost = 0;
    /// Sees every datagram that is sent, also those that are lost.
    std::function<void(const std::string& from, const std::string& to, BytesView datagram)> tap;
    /// Sees every datagram before the link does; false drops it.
    std::function<bool(const std::string& from, const std::string& to, BytesView datagram)> filter;

    /// Arrives at once, however the link is.
    inline void forge(const std::string& from, const std::string& to, BytesView datagram);
    inline void send(const std::string& from, const std::string& to, std::uint64_t session_nonce, BytesView datagram);

    boost::asio::io_context& io;
    VirtualClock& clock;
    std::mt19937_64 random;
    std::map<std::string, VirtualEndpoint*> nodes;
    std::uint64_t next_nonce = 1;

    double chance() { return std::uniform_real_distribution<double>(0, 1)(random); }
};

class VirtualEndpoint final : public ports::CoapEndpoint, private coap::MessageLayer::Sink {
  public:
    /// `keys`: identity -> key, for a server over DTLS; an empty map means clear text.
    VirtualEndpoint(VirtualNetwork& network, std::string address, std::map<std::string, Bytes> keys = {},
                    coap::MessageLayer::Limits limits = {})
        : network_(network),
          address_(std::move(address)),
          keys_(std::move(keys)),
          layer_(*this, network.random(), limits) {
        network_.nodes[address_] = this;
    }
    ~VirtualEndpoint() override {
        network_.nodes.erase(address_);
        if (timer_armed_) network_.clock.cancel(timer_);
        EXPECT_EQ(layer_.exchanges(), 0u) << address_ << " was destroyed with exchanges in flight";
    }
    VirtualEndpoint(const VirtualEndpoint&) = delete;

    boost::asio::awaitable<Result<coap::Reply>> exchange(ports::Peer peer, coap::Message message,
                                                         coap::Retry retry) override {
        if (!sessions_.contains(peer.session)) co_return fail(Errc::peer_gone, "the session to the device ended");
        auto pending = std::make_shared<Pending>(network_.io);
        const auto id = layer_.start(network_.clock.now(), peer.session, std::move(message), retry);
        if (!early_.contains(id)) {
            pending_[id] = pending;
            arm();
            co_await pending->event.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
            pending_.erase(id);
        } else {
            pending->reply = std::move(early_.at(id));
            early_.erase(id);
        }
        if (!pending->reply) {
            layer_.cancel(id);
            arm();
            co_return fail(Errc::cancelled, "the exchange was cancelled");
        }
        co_return std::move(*pending->reply);
    }
    void on_request(RequestHandler handler) override { on_request_ = std::move(handler); }
    void on_notify(NotifyHandler handler) override { on_notify_ = std::move(handler); }
    void on_gone(GoneHandler handler) override { on_gone_ = std::move(handler); }

    /// The handshake is modelled as two round trips that always succeed or are refused; it is not exposed to loss.
    boost::asio::awaitable<Result<ports::Peer>> connect(std::string address, ports::Credentials credentials) override {
        co_await network_.clock.sleep_until(network_.clock.now() + 4 * network_.model.delay);
        const auto it = network_.nodes.find(address);
        if (it == network_.nodes.end())
            co_return fail(Errc::timed_out, "expected an answer from " + address + ", found none");
        auto& server = *it->second;
        const auto nonce = network_.next_nonce++;
        if (!server.accept(address_, nonce, credentials))
            co_return fail(Errc::authentication_failed, "the handshake with " + address + " was refused");
        co_return add_session({{}, address, "", !credentials.identity.empty()}, nonce);
    }
    void vouch_for(const ports::Peer& peer) override { layer_.vouch_for(peer.session); }
    bool vouched_for(const ports::Peer& peer) const override { return layer_.vouched_for(peer.session); }
    void abandon(ports::SessionId session) override {
        layer_.abandon(session);
        arm();
    }
    void drop(const ports::Peer& peer) override { remove(peer.session, false); }
    std::size_t exchanges() const noexcept { return layer_.exchanges(); }
    /// A datagram as it is, in an own session: what a peer with good credentials may send.
    void send_raw(const ports::Peer& peer, BytesView datagram) { transmit(peer.session, datagram); }
    const ports::EndpointStatistics& statistics() const override { return statistics_; }
    std::string local_address() const override { return address_; }

    /// What a NAT does that forgot a mapping: from now on everything leaves and arrives under another address.
    void move_to(std::string address) {
        network_.nodes.erase(address_);
        address_ = std::move(address);
        network_.nodes[address_] = this;
    }

    /// Dies without a word, as a device that loses power: nothing leaves it any more.
    void drop_all() {
        while (!sessions_.empty()) remove(sessions_.begin()->first, false);
    }

    void receive(const std::string& from, std::uint64_t nonce, BytesView datagram) {
        ++statistics_.datagrams;
        if (const auto it = by_nonce_.find({from, nonce}); it != by_nonce_.end()) {
            layer_.receive(network_.clock.now(), it->second, datagram);
            arm();
            return;
        }
        if (!keys_.empty()) return;  // records of a session we do not know
        const auto peer = add_session({{}, from, "", false}, nonce);
        layer_.receive(network_.clock.now(), peer.session, datagram);
        arm();
    }

    /// A datagram with a forged source. DTLS drops what it cannot authenticate; in clear it belongs to whatever the
    /// source has here.
    void receive_forged(const std::string& from, BytesView datagram) {
        if (!keys_.empty()) return;
        auto it = by_nonce_.upper_bound({from, UINT64_MAX});
        const bool known = it != by_nonce_.begin() && std::prev(it)->first.first == from;
        receive(from, known ? std::prev(it)->first.second : 0, datagram);
    }

  private:
    struct Pending {
        explicit Pending(boost::asio::io_context& io) : event(io, boost::asio::steady_timer::time_point::max()) {}
        boost::asio::steady_timer event;
        std::optional<Result<coap::Reply>> reply;
    };
    struct Session {
        ports::Peer peer;
        std::uint64_t nonce;
    };

    bool accept(const std::string& from, std::uint64_t nonce, const ports::Credentials& credentials) {
        if (keys_.empty() != credentials.identity.empty()) return false;
        if (!keys_.empty()) {
            const auto it = keys_.find(credentials.identity);
            if (it == keys_.end() || it->second != credentials.key.reveal()) {
                ++statistics_.refused[it == keys_.end() ? "unknown identity" : "wrong key"];
                statistics_.refused_identities[credentials.identity] =
                    it == keys_.end() ? "unknown identity" : "wrong key";
                return false;
            }
        }
        ++statistics_.handshakes;
        // A new session from the same address replaces the old one, as RFC 6347 section 4.2.8 allows once it is proven.
        if (const auto it = by_nonce_.lower_bound({from, 0}); it != by_nonce_.end() && it->first.first == from)
            remove(it->second, true);
        add_session({{}, from, credentials.identity, !credentials.identity.empty()}, nonce);
        return true;
    }
    ports::Peer add_session(ports::Peer peer, std::uint64_t nonce) {
        peer.session = ports::SessionId{next_session_++};
        sessions_[peer.session] = {peer, nonce};
        by_nonce_[{peer.address, nonce}] = peer.session;
        return peer;
    }
    void remove(ports::SessionId id, bool tell) {
        const auto it = sessions_.find(id);
        if (it == sessions_.end()) return;
        const auto peer = it->second.peer;
        by_nonce_.erase({peer.address, it->second.nonce});
        sessions_.erase(it);
        layer_.forget(id);
        arm();
        if (tell && on_gone_) on_gone_(peer);
    }

    void transmit(coap::SessionId session, BytesView datagram) override {
        const auto it = sessions_.find(session);
        if (it != sessions_.end()) network_.send(address_, it->second.peer.address, it->second.nonce, datagram);
    }
    void completed(coap::ExchangeId id, Result<coap::Reply> reply) override {
        if (const auto it = pending_.find(id); it != pending_.end()) {
            it->second->reply = std::move(reply);
            it->second->event.cancel();
        } else {
            early_.emplace(id, std::move(reply));
        }
    }
    coap::Answer request(coap::SessionId session, const coap::Message& request) override {
        if (!on_request_) return {coap::Answer::Kind::silence, {}};
        const auto peer = sessions_.at(session).peer;
        return on_request_(peer, request);
    }
    bool notification(coap::SessionId session, const coap::Message& message) override {
        return on_notify_ && on_notify_(sessions_.at(session).peer, message);
    }

    void arm() {
        if (timer_armed_) network_.clock.cancel(timer_);
        timer_armed_ = false;
        if (const auto deadline = layer_.next_deadline()) {
            timer_armed_ = true;
            timer_ = network_.clock.at(*deadline, [this] {
                timer_armed_ = false;
                layer_.tick(network_.clock.now());
                arm();
            });
        }
    }

    VirtualNetwork& network_;
    std::string address_;
    std::map<std::string, Bytes> keys_;
    coap::MessageLayer layer_;
    RequestHandler on_request_;
    NotifyHandler on_notify_;
    GoneHandler on_gone_;
    ports::EndpointStatistics statistics_;
    std::map<ports::SessionId, Session> sessions_;
    std::map<std::pair<std::string, std::uint64_t>, ports::SessionId> by_nonce_;
    std::map<coap::ExchangeId, std::shared_ptr<Pending>> pending_;
    std::map<coap::ExchangeId, Result<coap::Reply>> early_;
    std::uint64_t next_session_ = 1;
    VirtualClock::Events::iterator timer_;
    bool timer_armed_ = false;
};

inline void VirtualNetwork::forge(const std::string& from, const std::string& to, BytesView datagram) {
    if (tap) tap(from, to, datagram);
    if (const auto it = nodes.find(to); it != nodes.end()) it->second->receive_forged(from, datagram);
}

inline void VirtualNetwork::send(const std::string& from, const std::string& to, std::uint64_t session_nonce,
                                 BytesView datagram) {
    ++sent;
    sent_bytes += datagram.size();
    if (tap) tap(from, to, datagram);
    if (filter && !filter(from, to, datagram)) {
        ++lost;
        return;
    }
    const int copies = 1 + (chance() < model.duplicate);
    for (int copy = 0; copy < copies; ++copy) {
        if (chance() < model.loss) {
            ++lost;
            continue;
        }
        auto arrival = clock.now() + model.delay;
        if (model.jitter.count() > 0)
            arrival +=
                Milliseconds(static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(model.jitter.count())));
        if (chance() < model.reorder) arrival += model.delay;
        bool dark = false;
        for (const auto& [begin, end] : blackouts) dark = dark || (arrival >= begin && arrival < end);
        if (dark) {
            ++lost;
            continue;
        }
        clock.at(arrival, [this, from, to, session_nonce, bytes = to_bytes(datagram)] {
            if (const auto it = nodes.find(to); it != nodes.end()) it->second->receive(from, session_nonce, bytes);
        });
    }
}

}  // namespace fota::test
