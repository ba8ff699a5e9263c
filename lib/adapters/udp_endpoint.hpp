// CoapEndpoint in the server's role: one UDP socket, our own message layer, and OpenSSL's DTLS where keys are given.
//
// Not on libcoap's sessions, whose 4.3.1 does not answer a device that returns from the same address and port with a
// new handshake, refuses the CBC suite that nRF91 modems offer, and scans every session on every wake-up.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "adapters/dtls_server.hpp"
#include "adapters/net_address.hpp"
#include "adapters/resumption.hpp"
#include "ports/coap_endpoint.hpp"

namespace fota::adapters {

class UdpEndpoint final : public ports::CoapEndpoint, coap::MessageLayer::Sink, DtlsServer::Sink {
  public:
    struct Options {
        std::string listen;  ///< "0.0.0.0:5684"; "[::]:5684" takes IPv4 too; port 0 takes a free one
        PskLookup psk;       ///< empty: plain CoAP
        std::shared_ptr<const ServerCertificate> certificate;  ///< devices may come with certificates; implies DTLS
        DtlsServer::Limits dtls;
        /// Addresses remembered in clear. The longest silent is forgotten first, and before all others those that have
        /// not shown that they get what is sent to them: forged sources do not push out devices.
        std::size_t plain_sessions = 10'000;
        coap::MessageLayer::Limits messages;
    };

    /// Binds and starts to receive; set the handlers before the io_context runs. The executor's context must be run by
    /// one thread and outlive the endpoint. Errors: address_in_use, address_unusable, both with the detail "address";
    /// credentials_unusable for the certificate.
    static Result<std::unique_ptr<UdpEndpoint>> open(boost::asio::any_io_executor executor, Options options);
    ~UdpEndpoint() override;

    boost::asio::awaitable<Result<coap::Reply>> exchange(ports::Peer peer, coap::Message message,
                                                         coap::Retry retry) override;
    void on_request(RequestHandler handler) override { request_handler_ = std::move(handler); }
    void on_notify(NotifyHandler handler) override { notify_handler_ = std::move(handler); }
    void on_gone(GoneHandler handler) override { gone_handler_ = std::move(handler); }
    /// In clear only: a DTLS device is the one to begin (RFC 6347; LwM2M transport binding), and devices are
    /// LibcoapClient's.
    boost::asio::awaitable<Result<ports::Peer>> connect(std::string address, ports::Credentials credentials) override;
    void vouch_for(const ports::Peer& peer) override { layer_.vouch_for(peer.session); }
    bool vouched_for(const ports::Peer& peer) const override { return layer_.vouched_for(peer.session); }
    void abandon(ports::SessionId session) override { layer_.abandon(session); }
    void drop(const ports::Peer& peer) override;
    const ports::EndpointStatistics& statistics() const override { return statistics_; }
    std::string local_address() const override;
    std::string address_towards(const ports::Peer& peer) const override;

    std::size_t sessions() const noexcept { return sessions_.size(); }

  private:
    struct Session {
        ports::Peer peer;
        Address address;
        // In clear only.
        std::list<SessionId>::iterator silence{};
        bool vouched_for = false;
    };
    struct Waiter {
        Resumption done;
        std::optional<Result<coap::Reply>> result;
    };
    struct Batch;

    UdpEndpoint(boost::asio::any_io_executor executor, Options options);
    Result<> bind();
    void wait_readable();
    void receive_plain(Instant now, const Address& from, BytesView datagram);
    SessionId plain_session(const Address& address);
    void plain_session_heard(SessionId session);
    std::list<SessionId>& plain_by_silence(const Session& session) {
        return session.vouched_for ? plain_vouched_for_ : plain_strangers_;
    }
    void end_plain_session(SessionId session);
    void forget(SessionId session);
    void resume_answered();
    void arm_timer();
    void on_timer();

    // coap::MessageLayer::Sink
    void transmit(SessionId session, BytesView datagram) override;
    void completed(coap::ExchangeId exchange, Result<coap::Reply> reply) override;
    coap::Answer request(SessionId session, const coap::Message& request) override;
    bool notification(SessionId session, const coap::Message& message) override;
    // DtlsServer::Sink
    void send_datagram(const Address& to, BytesView datagram) override;
    void established(SessionId session, const Address& peer, const std::string& identity) override;
    void received(SessionId session, BytesView plaintext) override;
    void closed(SessionId session) override;
    void refused(std::string_view reason, std::string_view identity) override;

    boost::asio::any_io_executor executor_;
    Options options_;
    boost::asio::ip::udp::socket socket_;
    boost::asio::steady_timer timer_;
    std::optional<Instant> armed_;
    std::unique_ptr<Batch> batch_;
    coap::MessageLayer layer_;
    std::unique_ptr<DtlsServer> dtls_;
    std::unordered_map<SessionId, Session> sessions_;
    std::unordered_map<Address, SessionId, AddressHash> plain_by_address_;
    // Longest silent first.
    std::list<SessionId> plain_strangers_;
    std::list<SessionId> plain_vouched_for_;
    std::uint64_t next_plain_session_ = 1;
    std::unordered_map<coap::ExchangeId, std::shared_ptr<Waiter>> waiters_;
    std::vector<std::shared_ptr<Waiter>> answered_;  ///< to go on when the datagram that ended their wait is done with
    bool receiving_ = false;                         ///< answered_ is looked at when the datagram is done with
    std::shared_ptr<Waiter> starting_;  ///< of the exchange within MessageLayer::start, whose number is not known yet
    RequestHandler request_handler_;
    NotifyHandler notify_handler_;
    GoneHandler gone_handler_;
    ports::EndpointStatistics statistics_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  ///< handlers already queued look here first
};

}  // namespace fota::adapters
