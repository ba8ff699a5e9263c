// The server's side of DTLS 1.2 (RFC 6347) with pre-shared keys (RFC 4279) and, where it is given a certificate, with
// certificates of the devices (ECDHE-ECDSA, RFC 8422), for any number of peers on one socket, on OpenSSL. It owns no
// socket: datagrams come in through receive(), go out through the sink.
//
// What a datagram from nowhere can cost: a ClientHello without a valid cookie leaves no state and is answered with a
// HelloVerifyRequest, which is smaller than the hello; anything else is dropped. A ClientHello from the address of a
// live session starts a second handshake beside it, and only a completed, hence authenticated, handshake replaces the
// session (RFC 6347 section 4.2.8): a device that lost power returns from the same port, and a forger cannot end
// anyone's session.
#pragma once

#include <array>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "adapters/dtls_certificate.hpp"
#include "adapters/half_open.hpp"
#include "adapters/net_address.hpp"
#include "base/secret.hpp"
#include "base/sha256.hpp"
#include "base/time.hpp"
#include "coap/message_layer.hpp"

struct bio_st;
struct ssl_st;
struct ssl_ctx_st;

namespace fota::adapters {

using coap::SessionId;

/// The key of a DTLS identity, or nullptr for a stranger. The key is copied before the call returns.
using PskLookup = std::function<const Secret<Bytes>*(std::string_view identity)>;

class DtlsServer {
  public:
    /// Calls come from within receive(), tick() and drop().
    class Sink {
      public:
        virtual ~Sink() = default;
        virtual void send_datagram(const Address& to, BytesView datagram) = 0;
        virtual void established(SessionId session, const Address& peer, const std::string& identity) = 0;
        /// One decrypted and authenticated record. May call drop().
        virtual void received(SessionId session, BytesView plaintext) = 0;
        /// Closed by the peer, dropped, replaced by a new handshake, or evicted.
        virtual void closed(SessionId session) = 0;
        /// A handshake failed or a datagram was rejected. `identity` is what the peer claimed, or empty.
        virtual void refused(std::string_view reason, std::string_view identity) = 0;
    };

    struct Limits {
        std::size_t sessions = 50'000;  ///< the one that was silent longest makes room
        /// One device's, from as many addresses; its oldest makes room, so that nobody with one key displaces others.
        std::size_t sessions_per_identity = 8;
        std::size_t handshakes = 1'024;           ///< in progress, all with a verified address; see HalfOpen
        std::size_t handshakes_per_source = 128;  ///< a carrier's NAT has many devices behind one address
        Milliseconds handshake_time{60'000};      ///< NB-IoT needs tens of seconds
        long mtu = 1'280;  ///< of a handshake flight; path MTU discovery is of no use over cellular
    };

    DtlsServer(Sink& sink, PskLookup lookup, Limits limits);
    ~DtlsServer();

    /// Also takes devices with certificates; their identity is ports::certificate_identity of the endpoint that the
    /// certificate names. Before the first datagram. Errors: credentials_unusable.
    Result<> accept_certificates(const ServerCertificate& certificate);

    void receive(Instant now, const Address& from, BytesView datagram);
    /// Encrypts and sends; without effect when the session is gone.
    void send(SessionId session, BytesView plaintext);
    /// Forgets the session without telling the peer.
    void drop(SessionId session);
    void tick(Instant now);
    std::optional<Instant> next_deadline() const;

    std::size_t sessions() const noexcept { return live_.size(); }
    std::size_t handshakes() const noexcept { return deadlines_.size(); }

  private:
    struct Connection;
    struct Callbacks;
    using Random = std::array<std::uint8_t, 32>;
    struct Association {
        std::unique_ptr<Connection> live;
        std::unique_ptr<Connection> pending;
    };

    std::unique_ptr<Connection> make_connection();
    /// The connection, ready for OpenSSL to read from it and to write to it.
    ssl_st* speaking(Connection& connection);
    /// nullopt when the identity is no longer good.
    std::optional<Digest256> credential_of(const std::string& identity) const;
    void client_hello(Instant now, const Address& from, BytesView datagram, const Random& random);
    void feed_pending(Instant now, const Address& from, BytesView datagram);
    void advance(Instant now, const Address& from);
    void establish(const Address& from);
    void leave(const Connection& session);
    void make_room_for_session_of(const std::string& identity);
    void read_all(SessionId session);
    void refuse(const Address& from, std::string_view reason);
    void schedule(Instant now, Connection& pending);
    void erase_if_unused(const Address& from);
    void make_room_for_handshake(const Address& newcomer);

    Sink& sink_;
    PskLookup lookup_;
    Limits limits_;
    HalfOpen half_open_;
    std::array<std::uint8_t, 32> cookie_secret_{};
    struct FreeContext {
        void operator()(ssl_ctx_st* context) const noexcept;
    };
    std::unique_ptr<ssl_ctx_st, FreeContext> context_;
    struct FreeBio {
        void operator()(bio_st* bio) const noexcept;
    };
    std::unique_ptr<bio_st, FreeBio> bio_;  ///< of all connections: one each is 200 bytes for one that is silent
    std::unique_ptr<Connection> listener_;  ///< reused for every hello; becomes a pending connection on a valid cookie
    std::unordered_map<Address, Association, AddressHash> associations_;
    std::unordered_map<SessionId, Connection*> live_;
    std::unordered_multimap<std::size_t, SessionId>
        of_identity_;                                  ///< by the identity's hash: a name per device is memory
    std::list<SessionId> by_silence_;                  ///< longest silent first
    std::set<std::pair<Instant, Address>> deadlines_;  ///< of pending handshakes
    std::uint64_t next_session_ = 1;
};

}  // namespace fota::adapters
