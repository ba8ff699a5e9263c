#include "adapters/udp_endpoint.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/ip/v6_only.hpp>
#include <cstring>

#include "base/text.hpp"
#include "base/unpredictable.hpp"

namespace fota::adapters {

namespace asio = boost::asio;

namespace {

constexpr std::size_t batch_size = 64;
constexpr std::size_t datagram_capacity = 2048;  // CoAP recommends at most 1152 bytes (RFC 7252 section 4.6)
constexpr int batches_per_wakeup = 4;            // then timers and coroutines get their turn
constexpr int receive_buffer = 4 << 20;          // a fleet that wakes at the same minute
constexpr std::size_t remembered_identities = 64;

Instant now() {
    return std::chrono::steady_clock::now();
}

/// As RFC 9000 section 8.1 allows; a handshake with a cookie has shown that the source is no forgery.
coap::MessageLayer::Limits message_limits(const UdpEndpoint::Options& options) {
    auto limits = options.messages;
    if (!options.psk && !options.certificate) limits.amplification = coap::amplification_in_clear;
    return limits;
}

}  // namespace

struct UdpEndpoint::Batch {
    std::array<std::array<std::uint8_t, datagram_capacity>, batch_size> data;
    std::array<sockaddr_storage, batch_size> names;
    std::array<iovec, batch_size> vectors;
    std::array<mmsghdr, batch_size> messages;
    std::size_t filled = batch_size;  ///< none has its length of name yet

    Batch() {
        for (std::size_t i = 0; i < batch_size; ++i) {
            vectors[i] = {data[i].data(), data[i].size()};
            messages[i] = {};
            messages[i].msg_hdr.msg_name = &names[i];
            messages[i].msg_hdr.msg_iov = &vectors[i];
            messages[i].msg_hdr.msg_iovlen = 1;
        }
    }
    Batch(const Batch&) = delete;

    /// Number of datagrams read; 0 when there are none.
    std::size_t read(int socket) {
        // The kernel has overwritten the lengths of those that it filled last.
        for (std::size_t i = 0; i < filled; ++i) messages[i].msg_hdr.msg_namelen = sizeof(names[i]);
        const int count = ::recvmmsg(socket, messages.data(), batch_size, MSG_DONTWAIT, nullptr);
        filled = count > 0 ? static_cast<std::size_t>(count) : 0;
        return filled;
    }
    bool truncated(std::size_t i) const { return (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0; }
    BytesView datagram(std::size_t i) const { return {data[i].data(), messages[i].msg_len}; }
    Address sender(std::size_t i) const {
        Address address;
        address.resize(messages[i].msg_hdr.msg_namelen);
        std::memcpy(address.data(), &names[i], messages[i].msg_hdr.msg_namelen);
        return address;
    }
};

Result<std::unique_ptr<UdpEndpoint>> UdpEndpoint::open(asio::any_io_executor executor, Options options) {
    std::unique_ptr<UdpEndpoint> endpoint(new UdpEndpoint(std::move(executor), std::move(options)));
    if (endpoint->dtls_ && endpoint->options_.certificate) {
        TRY_VOID(endpoint->dtls_->accept_certificates(*endpoint->options_.certificate));
    }
    TRY_VOID(endpoint->bind());
    endpoint->wait_readable();
    return endpoint;
}

UdpEndpoint::UdpEndpoint(asio::any_io_executor executor, Options options)
    : executor_(std::move(executor)),
      options_(std::move(options)),
      socket_(executor_),
      timer_(executor_),
      batch_(std::make_unique<Batch>()),
      layer_(*this, seed_of_system(), message_limits(options_)) {
    if (options_.certificate && !options_.psk)
        options_.psk = [](std::string_view) -> const Secret<Bytes>* { return nullptr; };
    if (options_.psk)
        dtls_ = std::make_unique<DtlsServer>(static_cast<DtlsServer::Sink&>(*this), options_.psk, options_.dtls);
}

UdpEndpoint::~UdpEndpoint() {
    *alive_ = false;
    for (auto& [id, waiter] : waiters_) {
        waiter->result = fail(Errc::peer_gone, "the endpoint was closed");
        waiter->done.resume_later();
    }
}

Result<> UdpEndpoint::bind() {
    TRY(const auto address, parse_listen_address(options_.listen));
    boost::system::error_code error;
    const auto refused = [&](Errc code, std::string text) {
        return fail(Error(code, std::move(text)).with("address", options_.listen));
    };
    socket_.open(address.protocol(), error);
    if (!error && address.address().is_v6()) {
        // A kernel without IPv4-mapped addresses still gives an IPv6 listener.
        boost::system::error_code ignored;
        socket_.set_option(asio::ip::v6_only(false), ignored);
    }
    if (!error) socket_.bind(address, error);
    if (error == asio::error::address_in_use)
        return refused(Errc::address_in_use,
                       fmt::format("expected to listen on {}, found it in use by another program", options_.listen));
    if (!error) socket_.non_blocking(true, error);
    if (error)
        return refused(Errc::address_unusable,
                       fmt::format("expected to listen on {}, found: {}", options_.listen, error.message()));
    boost::system::error_code ignored;  // the kernel caps the sizes; smaller buffers still work
    socket_.set_option(asio::socket_base::receive_buffer_size(receive_buffer), ignored);
    socket_.set_option(asio::socket_base::send_buffer_size(receive_buffer), ignored);
    return {};
}

std::string UdpEndpoint::local_address() const {
    boost::system::error_code error;
    const auto address = socket_.local_endpoint(error);
    return error ? options_.listen : to_text(address);
}

std::string UdpEndpoint::address_towards(const ports::Peer& peer) const {
    const auto there = parse_listen_address(peer.address);
    boost::system::error_code error;
    auto here = socket_.local_endpoint(error);
    if (!there || error || !here.address().is_unspecified()) return local_address();
    // Connecting a datagram socket sends nothing; it only makes the kernel choose the way.
    asio::ip::udp::socket probe(executor_);
    probe.open(there->protocol(), error);
    if (!error) probe.connect(*there, error);
    const auto chosen = error ? asio::ip::udp::endpoint() : probe.local_endpoint(error);
    if (error) return local_address();
    return to_text({chosen.address(), here.port()});
}

// ---- datagrams in

void UdpEndpoint::wait_readable() {
    socket_.async_wait(asio::ip::udp::socket::wait_read, [this, alive = alive_](boost::system::error_code error) {
        if (!*alive || error == asio::error::operation_aborted) return;
        for (int i = 0; i < batches_per_wakeup; ++i) {
            const auto count = batch_->read(socket_.native_handle());
            const auto time = now();
            for (std::size_t k = 0; k < count; ++k) {
                ++statistics_.datagrams;
                const auto from = batch_->sender(k);
                receiving_ = true;
                if (batch_->truncated(k)) {
                    refused("too long", {});
                } else if (dtls_) {
                    dtls_->receive(time, from, batch_->datagram(k));
                } else {
                    receive_plain(time, from, batch_->datagram(k));
                }
                if (!*alive) return;
                receiving_ = false;
                resume_answered();
                if (!*alive) return;
            }
            if (count < batch_size) break;
        }
        arm_timer();
        wait_readable();
    });
}

void UdpEndpoint::receive_plain(Instant time, const Address& from, BytesView datagram) {
    if (!coap::peek(datagram)) {
        refused("not CoAP", {});
        return;
    }
    const auto session = plain_session(from);
    layer_.receive(time, session, datagram);
    plain_session_heard(session);
}

void UdpEndpoint::plain_session_heard(SessionId session) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end()) return;  // the handler has dropped it
    auto& entry = found->second;
    auto& before = plain_by_silence(entry);
    entry.vouched_for = layer_.vouched_for(session);
    auto& after = plain_by_silence(entry);
    after.splice(after.end(), before, entry.silence);
}

SessionId UdpEndpoint::plain_session(const Address& address) {
    if (const auto found = plain_by_address_.find(address); found != plain_by_address_.end()) return found->second;
    if (sessions_.size() >= options_.plain_sessions) {
        // Strangers make room for each other, but keep a share: a device that comes anew is one at first.
        const bool many = plain_strangers_.size() > options_.plain_sessions / 4;
        end_plain_session((many || plain_vouched_for_.empty() ? plain_strangers_ : plain_vouched_for_).front());
    }
    const SessionId id{next_plain_session_++};
    const auto silence = plain_strangers_.insert(plain_strangers_.end(), id);
    sessions_.emplace(id, Session{ports::Peer{id, to_text(address), {}, false}, address, silence});
    plain_by_address_.emplace(address, id);
    return id;
}

void UdpEndpoint::end_plain_session(SessionId session) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end()) return;
    plain_by_silence(found->second).erase(found->second.silence);
    plain_by_address_.erase(found->second.address);
    forget(session);
}

/// The common end of every session.
void UdpEndpoint::forget(SessionId session) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end()) return;
    const auto peer = std::move(found->second.peer);
    sessions_.erase(found);
    layer_.forget(session);
    if (gone_handler_) gone_handler_(peer);
}

/// The next block leaves on the same wake-up that brought the answer to the last one.
void UdpEndpoint::resume_answered() {
    const auto alive = alive_;
    while (*alive && !answered_.empty()) {
        const auto waiter = std::move(answered_.back());
        answered_.pop_back();
        waiter->done.resume_now();
    }
}

// ---- exchanges

asio::awaitable<Result<coap::Reply>> UdpEndpoint::exchange(ports::Peer peer, coap::Message message, coap::Retry retry) {
    if (!sessions_.contains(peer.session))
        co_return fail(Errc::peer_gone, fmt::format("the session with {} ended", peer.address));
    const auto waiter = std::make_shared<Waiter>();
    starting_ = waiter;
    const auto id = layer_.start(now(), peer.session, std::move(message), retry);
    starting_.reset();
    if (!waiter->result) {
        waiters_.emplace(id, waiter);
        arm_timer();
        co_await waiter->done.wait();
        if (!waiter->result) {
            layer_.cancel(id);
            waiters_.erase(id);
            co_return fail(Errc::cancelled, "the exchange was cancelled");
        }
    }
    co_return std::move(*waiter->result);
}

void UdpEndpoint::completed(coap::ExchangeId exchange, Result<coap::Reply> reply) {
    const auto found = waiters_.find(exchange);
    if (found == waiters_.end()) {
        if (starting_) starting_->result = std::move(reply);
        return;
    }
    const auto waiter = found->second;
    waiters_.erase(found);
    waiter->result = std::move(reply);
    if (receiving_) {
        answered_.push_back(waiter);
    } else {
        waiter->done.resume_later();
    }
}

coap::Answer UdpEndpoint::request(SessionId session, const coap::Message& request) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end() || !request_handler_) return {coap::Answer::Kind::silence, {}};
    const auto peer = found->second.peer;  // the handler may drop it
    return request_handler_(peer, request);
}

bool UdpEndpoint::notification(SessionId session, const coap::Message& message) {
    const auto found = sessions_.find(session);
    if (found == sessions_.end() || !notify_handler_) return false;
    const auto peer = found->second.peer;
    return notify_handler_(peer, message);
}

asio::awaitable<Result<ports::Peer>> UdpEndpoint::connect(std::string address, ports::Credentials credentials) {
    if (dtls_ || credentials.secure())
        co_return fail(
            Error(Errc::address_unusable, "expected the device to begin a DTLS session, found a server told to")
                .with("address", address));
    CO_TRY(const auto remote, co_await resolve(address));
    // We speak first, to an address that was given to us.
    const auto session = plain_session(remote);
    layer_.vouch_for(session);
    plain_session_heard(session);
    co_return sessions_.at(session).peer;
}

void UdpEndpoint::drop(const ports::Peer& peer) {
    if (dtls_) {
        dtls_->drop(peer.session);
    } else {
        end_plain_session(peer.session);
    }
}

// ---- datagrams out

void UdpEndpoint::transmit(SessionId session, BytesView datagram) {
    if (dtls_) {
        dtls_->send(session, datagram);
    } else if (const auto found = sessions_.find(session); found != sessions_.end()) {
        send_datagram(found->second.address, datagram);
    }
}

void UdpEndpoint::send_datagram(const Address& to, BytesView datagram) {
    // A full buffer or an unreachable network loses the datagram, as the network may; retransmission is the answer to
    // both.
    [[maybe_unused]] const auto sent =
        ::sendto(socket_.native_handle(), datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL, to.data(),
                 static_cast<socklen_t>(to.size()));
}

// ---- what DTLS says

void UdpEndpoint::established(SessionId session, const Address& peer, const std::string& identity) {
    ++statistics_.handshakes;
    statistics_.refused_identities.erase(identity);
    sessions_.emplace(session, Session{ports::Peer{session, to_text(peer), identity, true}, peer, {}});
}

void UdpEndpoint::received(SessionId session, BytesView plaintext) {
    if (!coap::peek(plaintext)) {
        refused("not CoAP", {});
        return;
    }
    layer_.receive(now(), session, plaintext);
}

void UdpEndpoint::closed(SessionId session) {
    forget(session);
}

void UdpEndpoint::refused(std::string_view reason, std::string_view identity) {
    ++statistics_.refused[std::string(reason)];
    if (identity.empty()) return;
    auto& known = statistics_.refused_identities;
    auto name = std::string(identity);
    if (known.size() < remembered_identities || known.contains(name))
        known.insert_or_assign(std::move(name), std::string(reason));
}

// ---- time

void UdpEndpoint::arm_timer() {
    auto next = layer_.next_deadline();
    if (dtls_)
        if (const auto handshake = dtls_->next_deadline(); handshake && (!next || *handshake < *next)) next = handshake;
    // A timer that is armed for an earlier moment stays: it comes by, finds nothing to do, and is armed again.
    if (!next || (armed_ && *armed_ <= *next)) return;
    armed_ = next;
    timer_.expires_at(*next);
    timer_.async_wait([this, alive = alive_](boost::system::error_code error) {
        if (*alive && !error) on_timer();
    });
}

void UdpEndpoint::on_timer() {
    armed_.reset();
    const auto time = now();
    layer_.tick(time);
    if (dtls_) dtls_->tick(time);
    arm_timer();
}

}  // namespace fota::adapters
