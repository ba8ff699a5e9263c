#include "adapters/dtls_server.hpp"

#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <stdexcept>

#include "adapters/dtls_tickets.hpp"
#include "adapters/dtls_wire.hpp"
#include "adapters/openssl_buffers.hpp"
#include "ports/peer_identity.hpp"

namespace fota::adapters {

namespace {

// CCM_8 first: LwM2M's mandatory suite, and eight bytes per datagram cheaper on air than the others. The CBC suite is
// what nRF91 modems offer beside it. OpenSSL counts CCM_8 as a 64-bit suite, which its default security level leaves
// out.
constexpr const char* cipher_suites =
    "PSK-AES128-CCM8:PSK-AES128-CCM:PSK-AES128-GCM-SHA256:PSK-AES128-CBC-SHA256:@SECLEVEL=0";
// The same with certificates (RFC 7251, 5289, 8422): nRF91 modems publish GCM and CBC, Zephyr's
// Mbed TLS the others.
constexpr const char* certificate_suites =
    "ECDHE-ECDSA-AES128-CCM8:ECDHE-ECDSA-AES128-CCM:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA256:"
    "ECDHE-ECDSA-AES128-SHA:";

// A device that wakes once a day is to resume.
constexpr std::chrono::seconds ticket_lifetime = std::chrono::hours(48);

struct FreeSsl {
    // Without SSL_shutdown: nothing is sent.
    void operator()(SSL* ssl) const noexcept { SSL_free(ssl); }
};

}  // namespace

struct DtlsServer::Connection {
    DtlsServer* server = nullptr;
    Wire wire;
    std::unique_ptr<SSL, FreeSsl> ssl;
    SessionId id;
    std::string identity;
    std::string_view fault;         ///< pending: what is wrong with its certificate
    Random random{};                ///< of the ClientHello: tells a repeated hello from a new handshake
    bool finished_seen = false;     ///< pending: an encrypted handshake message came
    const void* scratch = nullptr;  ///< pending: within the buffer in which OpenSSL assembles handshake messages
    std::size_t shortest = 0;       ///< live: bytes of the shortest record of its suite
    Instant give_up{};
    Instant deadline{};
    std::list<SessionId>::iterator silence;
};

/// What OpenSSL calls.
struct DtlsServer::Callbacks {
    static Connection& connection(SSL* ssl) { return *static_cast<Connection*>(SSL_get_app_data(ssl)); }

    static unsigned psk(SSL* ssl, const char* identity, unsigned char* key, unsigned capacity) {
        auto& self = connection(ssl);
        self.identity = identity == nullptr ? "" : identity;
        const auto* found = self.identity.empty() ? nullptr : self.server->lookup_(self.identity);
        if (found == nullptr || found->empty() || found->reveal().size() > capacity) return 0;
        std::memcpy(key, found->reveal().data(), found->reveal().size());
        return static_cast<unsigned>(found->reveal().size());
    }

    /// Sees every certificate of the chain, the device's own last.
    static int verify(int good, X509_STORE_CTX* store) {
        auto& self =
            connection(static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx())));
        const bool own = X509_STORE_CTX_get_error_depth(store) == 0;
        if (good == 1 && !own) return 1;
        const auto endpoint = endpoint_of(X509_STORE_CTX_get0_cert(store));
        self.identity = endpoint ? ports::certificate_identity(*endpoint) : "";
        if (good == 1 && endpoint) return 1;
        const int error = X509_STORE_CTX_get_error(store);
        self.fault = good == 1                                ? "certificate without exactly one endpoint name"
                     : error == X509_V_ERR_CERT_HAS_EXPIRED   ? "certificate expired"
                     : error == X509_V_ERR_CERT_NOT_YET_VALID ? "certificate not yet valid"
                                                              : "certificate not trusted";
        if (good == 1) X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
        return 0;
    }

    static int make_ticket(SSL* ssl, void*) {
        const auto& self = connection(ssl);
        // A ticket without contents is never accepted.
        if (const auto digest = self.server->credential_of(self.identity))
            put_into_ticket(SSL_get_session(ssl), {*digest, self.identity});
        return 1;
    }
    static SSL_TICKET_RETURN open_ticket(SSL* ssl, SSL_SESSION* session, const unsigned char*, std::size_t,
                                         SSL_TICKET_STATUS status, void*) {
        if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
        const auto contents = contents_of_ticket(session);
        if (!contents || !certificate_still_valid(session)) return SSL_TICKET_RETURN_IGNORE_RENEW;
        const auto now = connection(ssl).server->credential_of(contents->identity);
        return now && equal_constant_time(*now, contents->credential) ? SSL_TICKET_RETURN_USE
                                                                      : SSL_TICKET_RETURN_IGNORE_RENEW;
    }

    static void message(int write, int, int type, const void* data, std::size_t, SSL* ssl, void*) {
        if (write == 0 && type == SSL3_RT_HANDSHAKE) connection(ssl).scratch = data;
    }

    static Digest256 cookie(SSL* ssl) {
        const auto& self = connection(ssl);
        const auto address = address_key(self.wire.peer);
        const auto& secret = self.server->cookie_secret_;
        Digest256 out{};
        unsigned size = 0;
        HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), address.data(), address.size(), out.data(),
             &size);
        return out;
    }
    static int make_cookie(SSL* ssl, unsigned char* out, unsigned* size) {
        const auto value = cookie(ssl);
        std::memcpy(out, value.data(), value.size());
        *size = static_cast<unsigned>(value.size());
        return 1;
    }
    static int verify_cookie(SSL* ssl, const unsigned char* found, unsigned size) {
        return equal_constant_time(cookie(ssl), {found, size}) ? 1 : 0;
    }
};

void DtlsServer::FreeContext::operator()(ssl_ctx_st* context) const noexcept {
    SSL_CTX_free(context);
}

void DtlsServer::FreeBio::operator()(bio_st* bio) const noexcept {
    BIO_free(bio);
}

DtlsServer::DtlsServer(Sink& sink, PskLookup lookup, Limits limits)
    : sink_(sink),
      lookup_(std::move(lookup)),
      limits_(limits),
      half_open_(limits.handshakes, limits.handshakes_per_source),
      context_(SSL_CTX_new(DTLS_server_method())),
      bio_(BIO_new(wire_method())) {
    auto* context = context_.get();
    if (context == nullptr || bio_ == nullptr ||
        RAND_bytes(cookie_secret_.data(), static_cast<int>(cookie_secret_.size())) != 1 ||
        SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION) != 1 ||
        SSL_CTX_set_cipher_list(context, cipher_suites) != 1)
        throw std::runtime_error("OpenSSL offers no DTLS 1.2 with pre-shared keys");
    // Without encrypt-then-MAC (RFC 7366): OpenSSL 3.0 ends a DTLS session on the first record whose outer MAC is
    // wrong, so that anyone who can forge a source address could end it. Its MAC-then-encrypt path drops such records,
    // in constant time.
    SSL_CTX_set_options(context, SSL_OP_NO_ENCRYPT_THEN_MAC);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_QUERY_MTU | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_NO_COMPRESSION);
    // Sessions are resumed by ticket alone, and a ticket is good as long as the credential that it was given for.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    constexpr std::string_view purpose = "fotactl";
    SSL_CTX_set_session_id_context(context, reinterpret_cast<const unsigned char*>(purpose.data()),
                                   static_cast<unsigned>(purpose.size()));
    SSL_CTX_set_timeout(context, ticket_lifetime.count());
    SSL_CTX_set_session_ticket_cb(context, Callbacks::make_ticket, Callbacks::open_ticket, nullptr);
    SSL_CTX_set_psk_server_callback(context, Callbacks::psk);
    SSL_CTX_set_msg_callback(context, Callbacks::message);
    SSL_CTX_set_cookie_generate_cb(context, Callbacks::make_cookie);
    SSL_CTX_set_cookie_verify_cb(context, Callbacks::verify_cookie);
}

DtlsServer::~DtlsServer() = default;

std::optional<Digest256> DtlsServer::credential_of(const std::string& identity) const {
    // Who issues certificates does not change while the process runs.
    if (ports::certificate_endpoint(identity)) return credential_digest(cookie_secret_, {});
    const auto* key = identity.empty() ? nullptr : lookup_(identity);
    if (key == nullptr || key->empty()) return std::nullopt;
    return credential_digest(cookie_secret_, key->reveal());
}

Result<> DtlsServer::accept_certificates(const ServerCertificate& certificate) {
    auto* context = context_.get();
    TRY_VOID(use_certificate(context, certificate));
    const auto suites = std::string(certificate_suites) + cipher_suites;
    if (SSL_CTX_set_cipher_list(context, suites.c_str()) != 1)
        return fail(Error(Errc::credentials_unusable, "OpenSSL offers no ECDHE-ECDSA suite"));
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, Callbacks::verify);
    listener_.reset();  // it was made without
    return {};
}

std::unique_ptr<DtlsServer::Connection> DtlsServer::make_connection() {
    auto connection = std::make_unique<Connection>();
    connection->server = this;
    connection->wire.sink = &sink_;
    connection->wire.mtu = limits_.mtu;
    connection->ssl.reset(SSL_new(context_.get()));
    if (!connection->ssl || BIO_up_ref(bio_.get()) != 1) throw std::bad_alloc();
    auto* ssl = connection->ssl.get();
    SSL_set_bio(ssl, bio_.get(), bio_.get());
    SSL_set_app_data(ssl, connection.get());
    SSL_set_accept_state(ssl);
    SSL_set_mtu(ssl, limits_.mtu);
    return connection;
}

SSL* DtlsServer::speaking(Connection& connection) {
    BIO_set_data(bio_.get(), &connection.wire);
    return connection.ssl.get();
}

void DtlsServer::receive(Instant now, const Address& from, BytesView datagram) {
    const auto record = parse_record(datagram);
    if (!record) {
        sink_.refused("not DTLS", {});
        return;
    }
    // Message type 1 is ClientHello; its random follows the 12-byte handshake header and the version.
    constexpr std::size_t random_offset = record_header_size + 12 + 2;
    if (record->epoch == 0 && record->type == content_handshake && datagram.size() > record_header_size &&
        datagram[record_header_size] == 1) {
        const auto bytes = slice(datagram, random_offset, 32);
        if (!bytes) {
            sink_.refused("malformed handshake", {});
            return;
        }
        Random random;
        std::copy(bytes->begin(), bytes->end(), random.begin());
        client_hello(now, from, datagram, random);
        return;
    }
    const bool encrypted = any_record(datagram, [](const RecordHeader& it) { return it.epoch > 0; });
    const auto found = associations_.find(from);
    if (found == associations_.end()) {
        // A device which does not know yet that we restarted. An answer would be unauthenticated; it finds out by
        // itself.
        sink_.refused("unknown session", {});
        return;
    }
    // While a handshake is pending nobody knows to whom an encrypted record belongs: each discards what it cannot
    // authenticate. The session first, so that a handshake which completes meanwhile does not take its place too early.
    if (encrypted && found->second.live) {
        auto& live = *found->second.live;
        // OpenSSL 3.0 ends the session on a record too short to be authentic, where others are dropped in silence.
        if (any_record(datagram, [&](const RecordHeader& it) { return it.epoch > 0 && it.length < live.shortest; })) {
            sink_.refused("forged record", {});
        } else {
            live.wire.offer(datagram);
            read_all(live.id);
        }
    }
    feed_pending(now, from, datagram);
}

void DtlsServer::client_hello(Instant now, const Address& from, BytesView datagram, const Random& random) {
    if (const auto found = associations_.find(from); found != associations_.end()) {
        const auto& [live, pending] = found->second;
        if (pending && pending->random == random) return feed_pending(now, from, datagram);
        if (live && live->random == random) return;  // a late duplicate of the hello it began with
    }
    if (!listener_) listener_ = make_connection();
    listener_->wire.peer = from;
    listener_->wire.offer(datagram);
    listener_->random = random;
    const std::unique_ptr<BIO_ADDR, decltype(&BIO_ADDR_free)> unused(BIO_ADDR_new(), BIO_ADDR_free);
    ERR_clear_error();
    const int verified = DTLSv1_listen(speaking(*listener_), unused.get());
    if (verified <= 0) {
        listener_->wire.discard();
        if (verified < 0) listener_.reset();
        return;
    }
    auto& pending = associations_[from].pending;
    if (pending) {
        deadlines_.erase({pending->deadline, from});
        half_open_.remove(pending->give_up, from);
        pending.reset();
    }
    make_room_for_handshake(from);
    auto& slot = associations_[from].pending;
    slot = std::move(listener_);
    slot->give_up = now + limits_.handshake_time;
    slot->deadline = slot->give_up;
    deadlines_.insert({slot->deadline, from});
    half_open_.add(slot->give_up, from);
    advance(now, from);
}

void DtlsServer::make_room_for_handshake(const Address& newcomer) {
    while (const auto victim = half_open_.displaced_by(newcomer))
        refuse(victim->address, victim->of_its_source ? "too many handshakes from one address" : "too many handshakes");
}

void DtlsServer::feed_pending(Instant now, const Address& from, BytesView datagram) {
    const auto found = associations_.find(from);
    if (found == associations_.end() || !found->second.pending) return;
    found->second.pending->wire.offer(datagram);
    if (any_record(datagram, [](const RecordHeader& it) { return it.epoch > 0 && it.type == content_handshake; }))
        found->second.pending->finished_seen = true;
    advance(now, from);
}

void DtlsServer::advance(Instant now, const Address& from) {
    auto& pending = *associations_.at(from).pending;
    auto* ssl = speaking(pending);
    ERR_clear_error();
    const int done = SSL_do_handshake(ssl);
    if (done == 1) return establish(from);
    const int error = SSL_get_error(ssl, done);
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        return refuse(from, pending.fault.empty() ? refusal_reason() : pending.fault);
    pending.wire.discard();
    // OpenSSL drops records that fail authentication in silence, as RFC 6347 section 4.1.2.7 advises. When it is the
    // Finished message which fails, the keys differ: say so, with the alert that the section allows, instead of letting
    // the device run into its timeout.
    if (pending.finished_seen && SSL_get_state(ssl) == TLS_ST_SR_CHANGE) {
        constexpr std::array<std::uint8_t, 15> bad_record_mac{
            21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 2, 2, SSL_AD_BAD_RECORD_MAC};
        sink_.send_datagram(from, bad_record_mac);
        return refuse(from, "wrong key");
    }
    schedule(now, pending);
}

void DtlsServer::schedule(Instant now, Connection& pending) {
    deadlines_.erase({pending.deadline, pending.wire.peer});
    pending.deadline = pending.give_up;
    timeval left{};
    if (DTLSv1_get_timeout(pending.ssl.get(), &left) == 1) {
        const auto wait = std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
        pending.deadline = std::min(pending.give_up, now + std::max<Instant::duration>(wait, Milliseconds(1)));
    }
    deadlines_.insert({pending.deadline, pending.wire.peer});
}

void DtlsServer::refuse(const Address& from, std::string_view reason) {
    auto& slot = associations_.at(from).pending;
    deadlines_.erase({slot->deadline, from});
    half_open_.remove(slot->give_up, from);
    const auto failed = std::move(slot);
    erase_if_unused(from);
    sink_.refused(reason, failed->identity);
}

void DtlsServer::erase_if_unused(const Address& from) {
    const auto found = associations_.find(from);
    if (found != associations_.end() && !found->second.live && !found->second.pending) associations_.erase(found);
}

void DtlsServer::establish(const Address& from) {
    auto& association = associations_.at(from);
    deadlines_.erase({association.pending->deadline, from});
    half_open_.remove(association.pending->give_up, from);
    auto replaced = std::move(association.live);
    if (replaced) leave(*replaced);
    association.live = std::move(association.pending);
    auto& session = *association.live;
    session.id = SessionId{next_session_++};
    session.shortest = shortest_record(session.ssl.get());
    if (SSL_session_reused(session.ssl.get()) == 1)
        session.identity = contents_of_ticket(SSL_get_session(session.ssl.get())).value_or(TicketContents{}).identity;
    release_openssl_buffer(session.scratch);
    session.silence = by_silence_.insert(by_silence_.end(), session.id);
    live_.emplace(session.id, &session);
    const auto id = session.id;
    const auto identity = session.identity;
    of_identity_.emplace(std::hash<std::string>()(identity), id);
    if (replaced) sink_.closed(replaced->id);
    make_room_for_session_of(identity);
    while (live_.size() > limits_.sessions) drop(by_silence_.front());
    if (const auto still = live_.find(id); still != live_.end()) {
        sink_.established(id, from, identity);
        read_all(id);  // what came behind the Finished message in the same datagram
    }
}

void DtlsServer::read_all(SessionId id) {
    // No record is longer than the datagram it came in.
    std::array<std::uint8_t, 16'384> plaintext;
    for (auto found = live_.find(id); found != live_.end(); found = live_.find(id)) {
        auto& session = *found->second;
        auto* ssl = speaking(session);  // again each time: the sink may have sent to another
        SSL_alloc_buffers(ssl);
        ERR_clear_error();
        const int size = SSL_read(ssl, plaintext.data(), static_cast<int>(plaintext.size()));
        if (size > 0) {
            by_silence_.splice(by_silence_.end(), by_silence_, session.silence);
            sink_.received(id, BytesView(plaintext.data(), static_cast<std::size_t>(size)));
            continue;  // look it up again: the sink may have dropped it
        }
        const int error = SSL_get_error(ssl, size);
        if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
            session.wire.discard();
            // OpenSSL's two record buffers are 33 KiB; a sleeping device needs none.
            SSL_free_buffers(ssl);
            return;
        }
        if (error == SSL_ERROR_ZERO_RETURN) SSL_shutdown(ssl);  // answer close_notify
        drop(id);
        return;
    }
}

void DtlsServer::send(SessionId id, BytesView plaintext) {
    const auto found = live_.find(id);
    if (found == live_.end() || plaintext.empty()) return;
    auto* ssl = speaking(*found->second);
    SSL_alloc_buffers(ssl);
    ERR_clear_error();
    SSL_write(ssl, plaintext.data(), static_cast<int>(plaintext.size()));
    SSL_free_buffers(ssl);
}

void DtlsServer::leave(const Connection& session) {
    live_.erase(session.id);
    by_silence_.erase(session.silence);
    auto [own, end] = of_identity_.equal_range(std::hash<std::string>()(session.identity));
    own = std::find_if(own, end, [&](const auto& each) { return each.second == session.id; });
    if (own != end) of_identity_.erase(own);
}

void DtlsServer::make_room_for_session_of(const std::string& identity) {
    const auto [begin, end] = of_identity_.equal_range(std::hash<std::string>()(identity));
    std::size_t count = 0;
    SessionId oldest{};
    for (auto it = begin; it != end; ++it) {
        if (live_.at(it->second)->identity != identity) continue;
        if (count++ == 0 || it->second < oldest) oldest = it->second;
    }
    if (count > limits_.sessions_per_identity) drop(oldest);
}

void DtlsServer::drop(SessionId id) {
    const auto found = live_.find(id);
    if (found == live_.end()) return;
    auto& association = associations_.at(found->second->wire.peer);
    const auto dropped = std::move(association.live);
    leave(*dropped);
    erase_if_unused(dropped->wire.peer);
    sink_.closed(id);
}

void DtlsServer::tick(Instant now) {
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        const auto address = deadlines_.begin()->second;
        auto& pending = *associations_.at(address).pending;
        ERR_clear_error();
        if (now >= pending.give_up || DTLSv1_handle_timeout(speaking(pending)) < 0) {
            refuse(address, "handshake timed out");
        } else {
            schedule(now, pending);
        }
    }
}

std::optional<Instant> DtlsServer::next_deadline() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.begin()->first;
}

}  // namespace fota::adapters
