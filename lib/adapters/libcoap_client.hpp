// CoapEndpoint in the client's role on libcoap (4.3.1 or later): the virtual device's end of the line. Messages,
// retransmission and DTLS are libcoap's own, so that the two ends of a test share no protocol code.
//
// libcoap's block-wise mode is off: blocks pass through as options (4.3.1's server side of it crashes on two
// datagrams).
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "ports/coap_endpoint.hpp"

namespace fota::adapters {

using coap::SessionId;

class LibcoapClient final : public ports::CoapEndpoint {
  public:
    struct Options {
        /// 0: any. A fixed port lets a device return from the address it had before a power cut.
        std::uint16_t local_port = 0;
        /// How long connect() waits for the DTLS handshake.
        Milliseconds handshake_time{30'000};
        /// A repeated request is answered from memory (RFC 7252 section 4.2). Zephyr's engine does not: it sees it
        /// twice.
        bool deduplicate = true;
        /// What it offers where it has a certificate, as OpenSSL names cipher suites; empty: what libcoap offers.
        std::string certificate_suites = {};
    };

    explicit LibcoapClient(boost::asio::any_io_executor executor) : LibcoapClient(std::move(executor), Options{}) {}
    LibcoapClient(boost::asio::any_io_executor executor, Options options);
    /// Drops every session.
    ~LibcoapClient() override;

    /// libcoap wants an ack_timeout of at least one second and at least one resend (less is raised to that), and
    /// applies the newest max_retransmit of a session to all its messages in flight. Cancelling withdraws the waiting,
    /// not the message: libcoap 4.3.1 cannot be told to stop repeating one, so an answer that still comes is ignored.
    boost::asio::awaitable<Result<coap::Reply>> exchange(ports::Peer peer, coap::Message message,
                                                         coap::Retry retry) override;
    /// Requests for any path and method but GET /.well-known/core, which libcoap answers.
    void on_request(RequestHandler handler) override;
    void on_notify(NotifyHandler handler) override;
    void on_gone(GoneHandler handler) override;
    /// authentication_failed carries the server's alert, or the one that its certificate was answered with.
    /// credentials_unusable: a certificate or key that is none.
    boost::asio::awaitable<Result<ports::Peer>> connect(std::string address, ports::Credentials credentials) override;
    void abandon(ports::SessionId session) override;
    /// As a power cut does: nothing is sent.
    void drop(const ports::Peer& peer) override;
    /// Orderly: a DTLS session ends with close_notify.
    void close(const ports::Peer& peer);
    const ports::EndpointStatistics& statistics() const override;
    /// Of the newest session; empty before the first.
    std::string local_address() const override;

  private:
    struct Session;
    struct Callbacks;
    struct State;
    std::shared_ptr<State> state_;  ///< shared with handlers and coroutines that may outlive this object
};

}  // namespace fota::adapters
