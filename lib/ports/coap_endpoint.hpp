// One UDP socket's worth of CoAP, plain or over DTLS, seen from a coroutine.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/secret.hpp"
#include "coap/message_layer.hpp"

namespace fota::ports {

using coap::SessionId;

/// The other side. A new DTLS session of the same device is a new Peer, also on the same address and port.
struct Peer {
    SessionId session;
    std::string address;   ///< "10.40.1.7:49152", "[2001:db8::1]:5684"
    std::string identity;  ///< authenticated DTLS identity, raw bytes (escape before printing); empty in clear
    bool secure = false;
};

/// Its address without the port, which changes where a NAT forgets.
inline std::string host_of(const Peer& peer) {
    return peer.address.substr(0, peer.address.rfind(':'));
}

/// A certificate (X.509) for the client role. All of it in PEM.
struct ClientCertificate {
    Bytes chain;        ///< its own on P-256 or P-384, then its issuers but for the root
    Secret<Bytes> key;  ///< without a passphrase
    Bytes server_ca;    ///< one or more certificates that the server's certificate must lead to
    /// That the server's certificate must be issued for; empty: the host that is connected to.
    std::string server_name;
};

/// For the client role: a pre-shared key (RFC 4279) or a certificate; with neither, plain CoAP.
struct Credentials {
    std::string identity;
    Secret<Bytes> key;
    std::shared_ptr<const ClientCertificate> certificate = nullptr;

    bool secure() const noexcept { return certificate != nullptr || !identity.empty(); }
    Credentials clone() const { return {identity, key.clone(), certificate}; }
};

/// What arrived, for "waiting: 12 handshakes failed: unknown identity".
struct EndpointStatistics {
    std::uint64_t datagrams = 0;
    std::uint64_t handshakes = 0;                           ///< completed
    std::map<std::string, std::uint64_t> refused;           ///< failed handshakes and rejected datagrams by reason
    std::map<std::string, std::string> refused_identities;  ///< identity -> reason of its last failure; bounded
};

class CoapEndpoint {
  public:
    using RequestHandler = std::function<coap::Answer(const Peer&, const coap::Message&)>;
    using NotifyHandler = std::function<bool(const Peer&, const coap::Message&)>;
    using GoneHandler = std::function<void(const Peer&)>;

    virtual ~CoapEndpoint() = default;

    /// One confirmable exchange; any number at once, keyed by (peer, token). Errors: timed_out, peer_gone (session
    /// closed or replaced), device_refused (reset), cancelled (per-operation cancellation). A message with a response
    /// code is a separate response or a notification; it ends at its acknowledgement.
    virtual boost::asio::awaitable<Result<coap::Reply>> exchange(Peer peer, coap::Message message,
                                                                 coap::Retry retry) = 0;
    /// Handlers are synchronous; set them before datagrams flow. The server's /rd, the device's objects.
    virtual void on_request(RequestHandler handler) = 0;
    virtual void on_notify(NotifyHandler handler) = 0;
    /// A session ended (closed by the peer, dropped, replaced, evicted).
    virtual void on_gone(GoneHandler handler) = 0;
    /// Client role. `address` is HOST:PORT. Errors: address_unusable, authentication_failed, timed_out.
    virtual boost::asio::awaitable<Result<Peer>> connect(std::string address, Credentials credentials) = 0;
    /// The peer has named what only we have told it (a registration id, the path of its package), so that what is sent
    /// to its address reaches it. In clear, others are sent no more than three times what came from them.
    virtual void vouch_for(const Peer&) {}
    /// Also once it has answered a request of ours. Where there is no limit, everyone is.
    virtual bool vouched_for(const Peer&) const { return true; }
    /// Its peer is spoken to in another session from now on: what was asked in this one ends with peer_gone. The
    /// session stays, for datagrams that are on their way.
    virtual void abandon(SessionId session) = 0;
    /// Forgets the session without telling the peer; its exchanges end with peer_gone.
    virtual void drop(const Peer& peer) = 0;
    virtual const EndpointStatistics& statistics() const = 0;
    /// "0.0.0.0:5684": where it is bound, with the port really taken.
    virtual std::string local_address() const = 0;
    /// Where this peer reaches it: a wildcard gives way to the address of the interface that leads to the peer.
    virtual std::string address_towards(const Peer&) const { return local_address(); }
};

}  // namespace fota::ports
