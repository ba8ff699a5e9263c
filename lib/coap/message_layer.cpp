#include "coap/message_layer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <string_view>

namespace fota::coap {

namespace {

/// With one token for a whole transfer, a response of its own may belong to a block that was answered before: its copy,
/// or the answer to a repeated request. (A response in an acknowledgement is told apart by its message id.) An error
/// that names an earlier block says where the device is instead.
bool is_of_earlier_block(const Message& request, const Message& response) {
    const auto sent = request.block1();
    const auto answered = response.block1();
    return response.code == Code::continue_ && sent && answered && answered->num < sent->num &&
           answered->offset() < sent->offset();
}

}  // namespace

struct MessageLayer::Exchange {
    SessionId session;
    Message message;
    Bytes datagram;
    Retry retry;
    Instant begun;
    Instant sent;  ///< its last copy
    Instant deadline;
    Milliseconds timeout{0};
    int resends = 0;
    bool acknowledged = false;  ///< an empty ACK came; a separate response will
};

struct MessageLayer::Remembered {
    std::size_t what;  ///< a hash of the whole message
    std::uint16_t id;
    Instant until;
    Bytes reply;  ///< what the message was answered with; empty: nothing
};

struct MessageLayer::PeerState {
    std::uint16_t next_id = 0;
    std::deque<Remembered> remembered;
    std::map<Token, ExchangeId> by_token;
    // Counted until it is vouched for, and only where there is a limit.
    bool vouched_for = false;
    std::uint64_t received = 0;
    std::uint64_t sent = 0;
};

MessageLayer::MessageLayer(Sink& sink, std::uint64_t seed, Limits limits)
    : sink_(sink), limits_(limits), random_(seed) {}
MessageLayer::~MessageLayer() = default;

MessageLayer::PeerState& MessageLayer::peer(SessionId session) {
    auto& slot = peers_[session];
    if (!slot) {
        slot = std::make_unique<PeerState>();
        // Random, so that a restarted process does not repeat ids the peer still remembers (RFC 7252 section 4.4).
        slot->next_id = static_cast<std::uint16_t>(random_());
    }
    return *slot;
}

void MessageLayer::transmit(SessionId session, BytesView datagram) {
    if (limits_.amplification > 0) {
        auto& state = peer(session);
        if (!state.vouched_for) {
            if (state.sent + datagram.size() > limits_.amplification * state.received) return;
            state.sent += datagram.size();
        }
    }
    sink_.transmit(session, datagram);
}

void MessageLayer::vouch_for(SessionId session) {
    if (limits_.amplification > 0) peer(session).vouched_for = true;
}

bool MessageLayer::vouched_for(SessionId session) const {
    if (limits_.amplification == 0) return true;
    const auto found = peers_.find(session);
    return found != peers_.end() && found->second->vouched_for;
}

ExchangeId MessageLayer::start(Instant now, SessionId session, Message message, Retry retry) {
    auto& state = peer(session);
    const ExchangeId id{next_exchange_++};
    if (is_request(message.code) && message.token.view().empty()) message.token = Token::of(random_());
    message.type = Type::con;
    message.id = state.next_id++;
    if (const auto it = state.by_token.find(message.token); it != state.by_token.end())
        finish(it->second, fail(Errc::cancelled, "another exchange took over the token"));
    auto exchange = std::make_unique<Exchange>();
    exchange->session = session;
    exchange->retry = retry;
    exchange->begun = exchange->sent = now;
    exchange->timeout = retry.ack_timeout;
    auto datagram = encode(message);
    exchange->message = std::move(message);
    auto& entry = *exchange;
    exchanges_.emplace(id, std::move(exchange));
    state.by_token.insert_or_assign(entry.message.token, id);
    if (!datagram) {
        finish(id, fail(std::move(datagram.error())));
        return id;
    }
    entry.datagram = std::move(*datagram);
    schedule(id, now + entry.timeout);
    const Bytes copy = entry.datagram;  // the sink may end this exchange from within
    transmit(session, copy);
    return id;
}

void MessageLayer::schedule(ExchangeId id, Instant deadline) {
    unschedule(id);
    exchanges_.at(id)->deadline = deadline;
    deadlines_.insert({deadline, id});
}

void MessageLayer::unschedule(ExchangeId id) {
    if (const auto it = exchanges_.find(id); it != exchanges_.end()) deadlines_.erase({it->second->deadline, id});
}

void MessageLayer::cancel(ExchangeId id) {
    const auto it = exchanges_.find(id);
    if (it == exchanges_.end()) return;
    unschedule(id);
    auto& tokens = peer(it->second->session).by_token;
    if (const auto entry = tokens.find(it->second->message.token); entry != tokens.end() && entry->second == id)
        tokens.erase(entry);
    exchanges_.erase(it);
}

void MessageLayer::finish(ExchangeId id, Result<Reply> reply) {
    if (!exchanges_.contains(id)) return;
    cancel(id);
    sink_.completed(id, std::move(reply));
}

std::optional<Instant> MessageLayer::next_deadline() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.begin()->first;
}

void MessageLayer::tick(Instant now) {
    while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        const auto id = deadlines_.begin()->second;
        auto& exchange = *exchanges_.at(id);
        if (exchange.acknowledged || exchange.resends >= exchange.retry.max_retransmit) {
            finish(id, fail(Error(Errc::timed_out,
                                  exchange.acknowledged
                                      ? fmt::format("expected a response after the acknowledgement, found none in {} s",
                                                    exchange.retry.response_timeout.count() / 1000)
                                      : fmt::format("expected an answer, found none after {} transmissions in {} s",
                                                    exchange.resends + 1, to_ms(now - exchange.begun).count() / 1000))
                                .with("resends", std::to_string(exchange.resends))));
            continue;
        }
        ++exchange.resends;
        exchange.timeout = std::max(exchange.timeout, std::min(2 * exchange.timeout, exchange.retry.longest_timeout));
        schedule(id, now + exchange.timeout);
        exchange.sent = now;
        const Bytes copy = exchange.datagram;
        transmit(exchange.session, copy);
    }
}

std::vector<ExchangeId> MessageLayer::exchanges_with(SessionId session) const {
    std::vector<ExchangeId> out;
    if (const auto it = peers_.find(session); it != peers_.end())
        for (const auto& [token, id] : it->second->by_token) out.push_back(id);
    return out;
}

void MessageLayer::forget(SessionId session) {
    for (const auto id : exchanges_with(session)) finish(id, fail(Errc::peer_gone, "the session to the device ended"));
    peers_.erase(session);
}

void MessageLayer::abandon(SessionId session) {
    for (const auto id : exchanges_with(session))
        if (const auto it = exchanges_.find(id); it != exchanges_.end() && is_request(it->second->message.code))
            finish(id, fail(Errc::peer_gone, "the device came back in another session"));
}

void MessageLayer::send_empty(SessionId session, Type type, std::uint16_t id) {
    Message message;
    message.type = type;
    message.id = id;
    if (const auto datagram = encode(message)) transmit(session, *datagram);
}

void MessageLayer::expire(PeerState& state, Instant now) const {
    while (!state.remembered.empty() &&
           (state.remembered.front().until <= now || state.remembered.size() > limits_.remembered_per_peer))
        state.remembered.pop_front();
}

void MessageLayer::remember(PeerState& state, Instant now, std::size_t what, std::uint16_t id, Bytes reply) const {
    if (!limits_.deduplicate) return;
    state.remembered.push_back({what, id, now + limits_.exchange_lifetime, std::move(reply)});
    expire(state, now);
}

void MessageLayer::receive(Instant now, SessionId session, BytesView datagram) {
    if (limits_.amplification > 0) peer(session).received += datagram.size();
    auto message = decode(datagram);
    if (!message) {
        // RFC 7252 section 4.2: a confirmable message that cannot be processed is rejected with a reset.
        if (const auto header = peek(datagram); header && header->type == Type::con)
            send_empty(session, Type::rst, header->id);
        return;
    }
    if (message->type == Type::ack || message->type == Type::rst) {
        receive_ack_or_reset(now, session, std::move(*message));
        return;
    }
    auto& state = peer(session);
    expire(state, now);
    // A copy is the same in every byte. Zephyr begins with the same message ids after each reboot, so that in clear, on
    // the same port, its new Register has the id of something that was answered before.
    const auto what = std::hash<std::string_view>{}(as_text(datagram));
    for (const auto& known : state.remembered)
        if (known.id == message->id && known.what == what) {
            const Bytes reply = known.reply;
            if (!reply.empty()) transmit(session, reply);
            return;
        }
    if (is_request(message->code)) {
        receive_request(now, session, what, std::move(*message));
    } else if (is_response(message->code)) {
        receive_response(now, session, what, std::move(*message));
    } else if (message->type == Type::con) {
        send_empty(session, Type::rst, message->id);  // a ping, or a reserved code
    }
}

void MessageLayer::receive_request(Instant now, SessionId session, std::size_t what, Message message) {
    auto answer = sink_.request(session, message);
    if (answer.kind == Answer::Kind::silence) return;
    Message reply;
    if (answer.kind == Answer::Kind::piggybacked) {
        reply = std::move(answer.message);
        reply.token = message.token;
    }
    if (message.type == Type::con) {
        reply.type = Type::ack;
        reply.id = message.id;
    } else {
        if (answer.kind == Answer::Kind::empty_ack) return;
        reply.type = Type::non;
        reply.id = peer(session).next_id++;
    }
    auto encoded = encode(reply);
    if (!encoded) return;
    remember(peer(session), now, what, message.id, *encoded);
    transmit(session, *encoded);
}

void MessageLayer::receive_response(Instant now, SessionId session, std::size_t what, Message message) {
    auto& state = peer(session);
    const auto it = state.by_token.find(message.token);
    // A response to a request only: an exchange of our own separate response waits for an acknowledgement.
    const bool expected = it != state.by_token.end() && is_request(exchanges_.at(it->second)->message.code);
    const auto id = expected ? it->second : ExchangeId{};
    // Also without Observe: that is how the end of an observation is told (RFC 7641 section 3.2).
    const bool wanted = expected || sink_.notification(session, message);
    if (message.type == Type::con) {
        Message empty;
        empty.type = wanted ? Type::ack : Type::rst;
        empty.id = message.id;
        if (const auto datagram = encode(empty)) {
            if (wanted) remember(peer(session), now, what, message.id, *datagram);
            transmit(session, *datagram);
        }
    } else if (wanted) {
        remember(peer(session), now, what, message.id, {});
    }
    if (!expected) return;
    const auto found = exchanges_.find(id);
    if (found == exchanges_.end()) return;
    vouch_for(session);
    if (is_of_earlier_block(found->second->message, message)) return;
    Reply reply{std::move(message), to_ms(now - found->second->begun), found->second->resends,
                to_ms(now - found->second->sent)};
    finish(id, std::move(reply));
}

void MessageLayer::receive_ack_or_reset(Instant now, SessionId session, Message message) {
    const auto peer_entry = peers_.find(session);
    if (peer_entry == peers_.end()) return;
    // An exchange is found by message id: with one token for a whole transfer, a late ACK of an earlier block carries
    // the token of the current one.
    for (const auto& [token, id] : peer_entry->second->by_token) {
        auto& exchange = *exchanges_.at(id);
        if (exchange.message.id != message.id) continue;
        if (message.type == Type::rst) {
            finish(id, fail(Errc::device_refused, "expected an answer, found a reset"));
            return;
        }
        if (message.code == Code::empty) {
            if (is_request(exchange.message.code)) {
                exchange.acknowledged = true;
                schedule(id, now + exchange.retry.response_timeout);
            } else {
                finish(id, Reply{std::move(message), to_ms(now - exchange.begun), exchange.resends});
            }
            return;
        }
        if (message.token != token || !is_response(message.code)) return;
        vouch_for(session);
        Reply reply{std::move(message), to_ms(now - exchange.begun), exchange.resends, to_ms(now - exchange.sent)};
        finish(id, std::move(reply));
        return;
    }
}

}  // namespace fota::coap
