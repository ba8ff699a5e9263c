#include "adapters/libcoap_client.hpp"

#include <coap3/coap.h>
#include <fmt/format.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <deque>
#include <map>
#include <optional>

#include "adapters/dtls_certificate.hpp"
#include "adapters/libcoap_types.hpp"
#include "adapters/net_address.hpp"
#include "adapters/wait.hpp"
#include "base/text.hpp"
#include "base/unpredictable.hpp"

namespace fota::adapters {

namespace asio = boost::asio;

namespace {

Instant now() {
    return std::chrono::steady_clock::now();
}

/// How many resends happened until `elapsed`: after t, then 2t more, then 4t more.
int resends_within(Milliseconds elapsed, const coap::Retry& retry) {
    int count = 0;
    auto timeout = retry.ack_timeout;
    for (auto at = timeout; count < retry.max_retransmit && elapsed >= at; at += timeout) {
        ++count;
        timeout *= 2;
    }
    return count;
}

constexpr std::size_t remembered_requests = 16;
constexpr Milliseconds exchange_lifetime{247'000};  // RFC 7252 section 4.8.2
constexpr unsigned session_mtu = 1280;

struct Pending {
    explicit Pending(const asio::any_io_executor& executor, Instant deadline) : done(executor, deadline) {}
    Event done;
    std::optional<Result<coap::Reply>> result;
    coap_mid_t mid = COAP_INVALID_MID;
    bool is_request = false;
    coap::Retry retry;
    Instant begun{};

    void finish(Result<coap::Reply> value) {
        if (result) return;
        result = std::move(value);
        done.set();
    }
    void finish(coap::Message message) {
        const auto elapsed = to_ms(now() - begun);
        finish(coap::Reply{std::move(message), elapsed, resends_within(elapsed, retry)});
    }
};

struct Remembered {
    std::uint16_t id;
    Instant until;
    coap::Answer answer;
};

}  // namespace

/// One libcoap context per session: coap_can_exit() then tells when the session's own messages are all acknowledged,
/// and freeing the context stops every repetition.
struct LibcoapClient::Session {
    State* state = nullptr;
    ports::Peer peer;
    coap_context_t* context = nullptr;
    coap_session_t* session = nullptr;
    std::optional<asio::posix::stream_descriptor> descriptor;
    std::map<coap::Token, std::shared_ptr<Pending>> pending;
    std::deque<Remembered> remembered;
    std::optional<Event> connected;  ///< while the handshake runs
    bool handshake_ok = false;
    bool ended = false;
    bool in_libcoap = false;  ///< coap_io_process() is on the stack: nothing of libcoap's may be freed
    std::string alert;
    bool refused_server = false;  ///< the alert was ours

    Session() = default;
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() { free(); }
    void free() {
        if (descriptor) {
            descriptor->cancel();
            descriptor->release();  // it is libcoap's
            descriptor.reset();
        }
        if (session != nullptr) coap_session_release(std::exchange(session, nullptr));
        if (context != nullptr) coap_free_context(std::exchange(context, nullptr));
    }
    void be_silent() const {
        coap_tls_library_t library{};
        auto* tls = coap_session_get_tls(session, &library);
        if (tls != nullptr && library == COAP_TLS_LIBRARY_OPENSSL) SSL_set_quiet_shutdown(static_cast<SSL*>(tls), 1);
    }
    void fail_all(const Error& error) {
        for (auto& [token, entry] : std::exchange(pending, {})) entry->finish(fail(error));
    }
};

struct LibcoapClient::State : std::enable_shared_from_this<State> {
    State(asio::any_io_executor executor_in, Options options_in)
        : executor(std::move(executor_in)), options(options_in), random(seed_of_system()) {}

    asio::any_io_executor executor;
    Options options;
    Unpredictable random;
    RequestHandler request_handler;
    NotifyHandler notify_handler;
    GoneHandler gone_handler;
    ports::EndpointStatistics statistics;
    std::unordered_map<SessionId, std::shared_ptr<Session>> sessions;
    std::uint64_t next_session = 1;
    std::string local;

    std::shared_ptr<Session> find(SessionId id) const {
        const auto found = sessions.find(id);
        return found == sessions.end() ? nullptr : found->second;
    }
    void watch(const std::shared_ptr<Session>& session);
    void process(const std::shared_ptr<Session>& session);
    void end(SessionId id, bool silent);
    Result<std::shared_ptr<Session>> open(const Address& remote, const ports::Credentials& credentials,
                                          const std::string& host);
};

// ---- what libcoap calls

struct LibcoapClient::Callbacks {
    static Session& of(const coap_session_t* session) {
        return *static_cast<Session*>(coap_session_get_app_data(session));
    }

    static coap_response_t response(coap_session_t* session, const coap_pdu_t*, const coap_pdu_t* received,
                                    coap_mid_t) {
        auto& self = of(session);
        auto message = to_message(received);
        const auto found = self.pending.find(message.token);
        if (found != self.pending.end() && found->second->is_request) {
            // One token may serve a whole transfer: a late acknowledgement belongs to an earlier message.
            if (message.type == coap::Type::ack && found->second->mid != message.id) return COAP_RESPONSE_OK;
            const auto pending = found->second;
            self.pending.erase(found);
            pending->finish(std::move(message));
            return COAP_RESPONSE_OK;
        }
        if (message.type == coap::Type::ack) return COAP_RESPONSE_OK;
        const bool wanted = message.option(coap::OptionNumber::observe) && self.state->notify_handler &&
                            self.state->notify_handler(self.peer, message);
        return wanted ? COAP_RESPONSE_OK : COAP_RESPONSE_FAIL;
    }

    static void refusal(coap_session_t* session, const coap_pdu_t* sent, coap_nack_reason_t reason, coap_mid_t) {
        if (reason == COAP_NACK_ICMP_ISSUE) return;  // libcoap goes on repeating
        auto& self = of(session);
        const auto token = coap_pdu_get_token(sent);
        const auto found = self.pending.find(coap::Token(BytesView(token.s, token.length)));
        if (found == self.pending.end() || found->second->mid != coap_pdu_get_mid(sent)) return;
        const auto pending = found->second;
        self.pending.erase(found);
        if (reason == COAP_NACK_TOO_MANY_RETRIES) {
            pending->finish(fail(Errc::timed_out, fmt::format("expected an answer, found none after {} transmissions",
                                                              pending->retry.max_retransmit + 1)));
        } else if (reason == COAP_NACK_RST) {
            pending->finish(fail(Errc::device_refused, "expected an answer, found a reset"));
        } else {
            pending->finish(fail(Errc::peer_gone, "the session to the server ended"));
        }
    }

    static int event(coap_session_t* session, coap_event_t event) {
        auto* self = static_cast<Session*>(coap_session_get_app_data(session));
        if (self == nullptr) return 0;
        if (event == COAP_EVENT_DTLS_CONNECTED) {
            self->handshake_ok = true;
            if (self->connected) self->connected->set();
        } else if (event == COAP_EVENT_DTLS_CLOSED || event == COAP_EVENT_DTLS_ERROR) {
            self->ended = true;
            if (self->connected) self->connected->set();
        }
        return 0;
    }

    static void request(coap_resource_t*, coap_session_t* session, const coap_pdu_t* pdu, const coap_string_t*,
                        coap_pdu_t* response) {
        auto& self = of(session);
        const auto message = to_message(pdu);
        const auto answer = answer_to(self, message);
        if (answer.kind == coap::Answer::Kind::silence) {
            // libcoap drops an empty response that is not an acknowledgement.
            coap_pdu_set_type(response, COAP_MESSAGE_NON);
            return;
        }
        if (answer.kind == coap::Answer::Kind::empty_ack) return;
        coap_pdu_set_code(response, static_cast<coap_pdu_code_t>(answer.message.code));
        if (!fill(response, answer.message)) coap_pdu_set_code(response, COAP_RESPONSE_CODE_INTERNAL_ERROR);
    }

    static coap::Answer answer_to(Session& self, const coap::Message& message) {
        const auto time = now();
        auto& known = self.remembered;
        while (!known.empty() && (known.front().until <= time || known.size() > remembered_requests)) known.pop_front();
        if (self.state->options.deduplicate)
            for (const auto& entry : known)
                if (entry.id == message.id) return entry.answer;
        if (!self.state->request_handler) return {coap::Answer::Kind::silence, {}};
        const auto peer = self.peer;
        auto answer = self.state->request_handler(peer, message);
        if (answer.kind != coap::Answer::Kind::silence) known.push_back({message.id, time + exchange_lifetime, answer});
        return answer;
    }

    static int tls_index() {
        static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
        return index;
    }
    static void tls_info(const SSL* ssl, int where, int value) {
        auto* self = static_cast<Session*>(SSL_get_ex_data(ssl, tls_index()));
        // Its own alert tells why it ended the handshake: the server's certificate.
        const bool ours = (where & SSL_CB_WRITE_ALERT) == SSL_CB_WRITE_ALERT && (value >> 8) == SSL3_AL_FATAL;
        if (self == nullptr || (!ours && (where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT)) return;
        self->alert = SSL_alert_desc_string_long(value);
        self->refused_server = ours;
    }
};

// ---- sessions

Result<std::shared_ptr<LibcoapClient::Session>> LibcoapClient::State::open(const Address& remote,
                                                                           const ports::Credentials& credentials,
                                                                           const std::string& host) {
    const bool secure = credentials.secure();
    const auto session = std::make_shared<Session>();
    session->state = this;
    session->peer = ports::Peer{SessionId{next_session++}, to_text(remote), credentials.identity, secure};
    session->context = coap_new_context(nullptr);
    if (session->context == nullptr) return fail(Errc::internal, "libcoap gave no context");
    auto* context = session->context;
    coap_context_set_block_mode(context, 0);
    coap_register_response_handler(context, Callbacks::response);
    coap_register_nack_handler(context, Callbacks::refusal);
    coap_register_event_handler(context, Callbacks::event);
    auto* resource = coap_resource_unknown_init2(Callbacks::request, 0);
    for (const auto method : {COAP_REQUEST_GET, COAP_REQUEST_POST, COAP_REQUEST_DELETE, COAP_REQUEST_FETCH,
                              COAP_REQUEST_PATCH, COAP_REQUEST_IPATCH})
        coap_register_request_handler(resource, method, Callbacks::request);
    coap_add_resource(context, resource);

    const auto server = to_libcoap(remote);
    const auto local = to_libcoap(Address(remote.protocol(), options.local_port));
    const auto* local_or_any = options.local_port != 0 ? &local : nullptr;
    if (credentials.certificate) {
        // The certificates themselves are set below, on OpenSSL's session: libcoap takes them too, yet checks no name.
        auto name = credentials.certificate->server_name;
        coap_dtls_pki_t setup{};
        setup.version = COAP_DTLS_PKI_SETUP_VERSION;
        setup.verify_peer_cert = 1;
        if (!name.empty()) setup.client_sni = name.data();
        session->connected.emplace(executor, now() + options.handshake_time);
        session->session = coap_new_client_session_pki(context, local_or_any, &server, COAP_PROTO_DTLS, &setup);
    } else if (secure) {
        coap_dtls_cpsk_t setup{};
        setup.version = COAP_DTLS_CPSK_SETUP_VERSION;
        setup.psk_info.identity = {credentials.identity.size(),
                                   reinterpret_cast<const std::uint8_t*>(credentials.identity.data())};
        setup.psk_info.key = {credentials.key.reveal().size(), credentials.key.reveal().data()};
        session->connected.emplace(executor, now() + options.handshake_time);
        session->session = coap_new_client_session_psk2(context, local_or_any, &server, COAP_PROTO_DTLS, &setup);
    } else {
        session->session = coap_new_client_session(context, local_or_any, &server, COAP_PROTO_UDP);
    }
    if (session->session == nullptr)
        return fail(Error(Errc::address_unusable, fmt::format("expected to reach {}, found no way to bind or connect a "
                                                              "socket for it",
                                                              session->peer.address))
                        .with("address", session->peer.address));
    coap_session_set_app_data(session->session, session.get());
    coap_session_set_mtu(session->session, session_mtu);
    coap_session_set_nstart(session->session, 1000);  // the engine above decides how many at once
    coap_session_set_ack_random_factor(session->session, {1, 0});
    if (secure) {
        coap_tls_library_t library{};
        auto* tls = static_cast<SSL*>(coap_session_get_tls(session->session, &library));
        if (tls != nullptr && library == COAP_TLS_LIBRARY_OPENSSL) {
            SSL_set_ex_data(tls, Callbacks::tls_index(), session.get());
            SSL_set_info_callback(tls, Callbacks::tls_info);
            // One ClientHello has left; the one that counts follows, with the server's cookie.
            if (credentials.certificate) TRY_VOID(use_certificate(tls, *credentials.certificate, host));
            if (credentials.certificate && !options.certificate_suites.empty() &&
                SSL_set_cipher_list(tls, (options.certificate_suites + ":@SECLEVEL=0").c_str()) != 1)
                return fail(Errc::credentials_unusable, "OpenSSL offers none of these suites");
        } else if (credentials.certificate) {
            return fail(Errc::credentials_unusable,
                        "expected a libcoap on OpenSSL for certificates, found another one");
        }
    }
    this->local = to_text(from_libcoap(*coap_session_get_addr_local(session->session)));
    sessions.emplace(session->peer.session, session);
    session->descriptor.emplace(executor, coap_context_get_coap_fd(context));
    process(session);  // arms libcoap's own timer
    watch(session);
    return session;
}

void LibcoapClient::State::watch(const std::shared_ptr<Session>& session) {
    session->descriptor->async_wait(
        asio::posix::stream_descriptor::wait_read,
        [weak = std::weak_ptr(session), self = weak_from_this()](boost::system::error_code error) {
            const auto state = self.lock();
            const auto session_now = weak.lock();
            if (error || !state || !session_now || !state->sessions.contains(session_now->peer.session)) return;
            state->process(session_now);
            if (state->sessions.contains(session_now->peer.session)) state->watch(session_now);
        });
}

void LibcoapClient::State::process(const std::shared_ptr<Session>& session) {
    ++statistics.datagrams;  // wake-ups, near enough: libcoap counts none
    session->in_libcoap = true;
    coap_io_process(session->context, COAP_IO_NO_WAIT);
    session->in_libcoap = false;
    if (!sessions.contains(session->peer.session)) {
        session->free();
        return;
    }
    // libcoap reports responses and refusals, but not the empty acknowledgement of a response of ours: nothing left to
    // repeat means that it came.
    if (!session->pending.empty() && coap_can_exit(session->context) != 0) {
        for (auto it = session->pending.begin(); it != session->pending.end();) {
            const auto entry = it->second;
            if (entry->is_request) {
                ++it;
                continue;
            }
            it = session->pending.erase(it);
            coap::Message acknowledgement;
            acknowledgement.type = coap::Type::ack;
            acknowledgement.id = static_cast<std::uint16_t>(entry->mid);
            entry->finish(std::move(acknowledgement));
        }
    }
    if (session->ended && !session->connected) end(session->peer.session, true);
}

void LibcoapClient::State::end(SessionId id, bool silent) {
    const auto session = find(id);
    if (!session) return;
    sessions.erase(id);
    if (silent) session->be_silent();
    session->fail_all(Error(Errc::peer_gone, "the session to the server ended"));
    if (session->connected) session->connected->set();
    const bool announced = !session->connected;  // a failed connect() is told by its result
    if (!session->in_libcoap) session->free();   // at once: the next session may want the same port
    if (announced && gone_handler) gone_handler(session->peer);
}

LibcoapClient::LibcoapClient(asio::any_io_executor executor, Options options)
    : state_(std::make_shared<State>(std::move(executor), options)) {
    [[maybe_unused]] static const bool started = [] {
        coap_startup();
        coap_set_log_level(static_cast<coap_log_t>(0));
        coap_dtls_set_log_level(0);
        return true;
    }();
}

LibcoapClient::~LibcoapClient() {
    state_->gone_handler = nullptr;
    state_->request_handler = nullptr;
    state_->notify_handler = nullptr;
    while (!state_->sessions.empty()) state_->end(state_->sessions.begin()->first, true);
}

void LibcoapClient::on_request(RequestHandler handler) {
    state_->request_handler = std::move(handler);
}
void LibcoapClient::on_notify(NotifyHandler handler) {
    state_->notify_handler = std::move(handler);
}
void LibcoapClient::on_gone(GoneHandler handler) {
    state_->gone_handler = std::move(handler);
}
const ports::EndpointStatistics& LibcoapClient::statistics() const {
    return state_->statistics;
}
std::string LibcoapClient::local_address() const {
    return state_->local;
}
void LibcoapClient::abandon(ports::SessionId id) {
    const auto session = state_->find(id);
    if (!session) return;
    for (const auto& entry : std::map(session->pending)) {
        if (!entry.second->is_request) continue;
        session->pending.erase(entry.first);
        entry.second->finish(fail(Errc::peer_gone, "another session took over"));
    }
}
void LibcoapClient::drop(const ports::Peer& peer) {
    state_->end(peer.session, true);
}
void LibcoapClient::close(const ports::Peer& peer) {
    state_->end(peer.session, false);
}

asio::awaitable<Result<ports::Peer>> LibcoapClient::connect(std::string address, ports::Credentials credentials) {
    const auto state = state_;
    CO_TRY(const auto remote, co_await resolve(address));
    CO_TRY(const auto named, parse_host_port(address));
    CO_TRY(const auto session, state->open(remote, credentials, named.host));
    const auto id = session->peer.session;
    if (!session->connected) co_return session->peer;
    const auto outcome = co_await session->connected->wait();
    if (session->handshake_ok && state->sessions.contains(id)) {
        session->connected.reset();
        ++state->statistics.handshakes;
        co_return session->peer;
    }
    state->end(id, true);
    if (outcome == Event::Outcome::cancelled) co_return fail(Errc::cancelled, "the connection was cancelled");
    if (outcome == Event::Outcome::deadline)
        co_return fail(
            Error(Errc::timed_out, fmt::format("expected a DTLS handshake with {}, found it unfinished after {}",
                                               address, human_duration(state->options.handshake_time)))
                .with("address", address));
    if (session->alert.empty())
        co_return fail(
            Error(Errc::timed_out, fmt::format("expected a DTLS server at {}, found nothing listening", address))
                .with("address", address));
    ++state->statistics.refused[session->alert];
    const auto expected = session->refused_server
                              ? fmt::format("expected the server at {} to prove by its certificate who it is", address)
                          : credentials.certificate
                              ? fmt::format("expected the server at {} to accept the certificate", address)
                              : fmt::format("expected the server at {} to accept the identity \"{}\"", address,
                                            printable(credentials.identity));
    co_return fail(
        Error(Errc::authentication_failed, fmt::format("{}, found the handshake refused: {}", expected, session->alert))
            .with("alert", session->alert)
            .with("address", address));
}

asio::awaitable<Result<coap::Reply>> LibcoapClient::exchange(ports::Peer peer, coap::Message message,
                                                             coap::Retry retry) {
    const auto state = state_;
    const auto session = state->find(peer.session);
    if (!session || session->ended)
        co_return fail(Errc::peer_gone, fmt::format("the session with {} ended", peer.address));
    retry.ack_timeout = std::max(retry.ack_timeout, Milliseconds(1000));
    retry.max_retransmit = std::clamp(retry.max_retransmit, 1, 20);
    if (coap::is_request(message.code) && message.token.view().empty())
        message.token = coap::Token::of(state->random());
    coap_session_set_ack_timeout(session->session, {static_cast<std::uint16_t>(retry.ack_timeout.count() / 1000),
                                                    static_cast<std::uint16_t>(retry.ack_timeout.count() % 1000)});
    coap_session_set_max_retransmit(session->session, static_cast<std::uint16_t>(retry.max_retransmit));

    auto* pdu = coap_pdu_init(COAP_MESSAGE_CON, static_cast<coap_pdu_code_t>(message.code),
                              coap_new_message_id(session->session), coap_session_max_pdu_size(session->session));
    const auto token = message.token.view();
    if (pdu == nullptr || coap_add_token(pdu, token.size(), token.data()) == 0 || !fill(pdu, message)) {
        if (pdu != nullptr) coap_delete_pdu(pdu);
        co_return fail(Errc::message_malformed,
                       fmt::format("expected a message of at most {} bytes, found a longer one",
                                   coap_session_max_pdu_size(session->session)));
    }
    // The whole span of resends (RFC 7252's MAX_TRANSMIT_WAIT), then the wait for a separate response.
    const auto span = retry.ack_timeout * ((1 << (retry.max_retransmit + 1)) - 1);
    const auto pending = std::make_shared<Pending>(state->executor, now() + span + retry.response_timeout);
    pending->is_request = coap::is_request(message.code);
    pending->retry = retry;
    pending->begun = now();
    pending->mid = coap_pdu_get_mid(pdu);
    auto& slot = session->pending[message.token];
    if (slot) slot->finish(fail(Errc::cancelled, "another exchange took over the token"));
    slot = pending;
    if (coap_send(session->session, pdu) == COAP_INVALID_MID) {
        // Not sent (a full socket buffer, an unreachable network): libcoap does not repeat it.
        session->pending.erase(message.token);
        co_return fail(Errc::timed_out, "expected to send, found the network unreachable");
    }
    const auto outcome = co_await pending->done.wait();
    if (outcome == Event::Outcome::set) co_return std::move(*pending->result);
    if (const auto it = session->pending.find(message.token); it != session->pending.end() && it->second == pending)
        session->pending.erase(it);
    if (outcome == Event::Outcome::cancelled) co_return fail(Errc::cancelled, "the exchange was cancelled");
    co_return fail(Errc::timed_out, "expected a response after the acknowledgement, found none");
}

}  // namespace fota::adapters
