// CoAP's message layer (RFC 7252 section 4) for many peers, as a pure state machine: reliability, de-duplication,
// matching of requests and responses. It holds no clock and no socket; the real endpoint and the tests' virtual network
// both run it.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/strong.hpp"
#include "base/time.hpp"
#include "base/unpredictable.hpp"
#include "coap/message.hpp"

namespace fota::coap {

using SessionId = StrongInt<struct SessionIdTag, std::uint64_t>;
using ExchangeId = StrongInt<struct ExchangeIdTag, std::uint64_t>;

/// How one confirmable message is repeated: after ack_timeout, then twice that, and so on up to longest_timeout; given
/// up after the timeout that follows the last resend. No random factor: the elapsed time tells the number of resends.
struct Retry {
    Milliseconds ack_timeout{2000};         ///< >= 1 s on a real link
    int max_retransmit = 4;                 ///< >= 0
    Milliseconds response_timeout{93'000};  ///< how long to wait for a separate response after an empty ACK
    Milliseconds longest_timeout{60'000};   ///< where the doubling ends; an ack_timeout beyond it stays as it is
};

struct Reply {
    Message message;
    Milliseconds elapsed{0};     ///< from the first transmission
    int resends = 0;             ///< with 0 resends, elapsed is an unambiguous round-trip sample
    Milliseconds since_last{0};  ///< from the last transmission
};

/// What a request is answered with.
struct Answer {
    enum class Kind : std::uint8_t {
        piggybacked,  ///< in the ACK (or a NON response to a NON request)
        empty_ack,    ///< the response follows later as a message of its own (start() with a response code)
        silence,      ///< nothing at all; a repeated request reaches the handler again
    };
    Kind kind = Kind::piggybacked;
    Message message;
};

/// Bytes out for each byte in, to who may be someone else.
inline constexpr std::uint32_t amplification_in_clear = 3;

class MessageLayer {
  public:
    /// What the layer asks of its owner. Calls come from within start(), receive(), tick(), forget() and abandon();
    /// they may call start() and cancel() again.
    class Sink {
      public:
        virtual ~Sink() = default;
        virtual void transmit(SessionId session, BytesView datagram) = 0;
        /// The end of an exchange, exactly once per start() unless cancelled. timed_out, peer_gone or device_refused
        /// (reset).
        virtual void completed(ExchangeId exchange, Result<Reply> reply) = 0;
        virtual Answer request(SessionId session, const Message& request) = 0;
        /// A response that no exchange waits for: a notification, the end of an observation, or stray. False: not
        /// wanted, the peer is sent a reset.
        virtual bool notification(SessionId session, const Message& message) = 0;
    };

    struct Limits {
        /// EXCHANGE_LIFETIME (RFC 7252 section 4.8.2): how long a message id is remembered.
        Milliseconds exchange_lifetime{247'000};
        /// Remembered message ids per peer; the oldest is forgotten first.
        std::size_t remembered_per_peer = 16;
        /// Device behaviour: Zephyr's engine has no memory of message ids at all.
        bool deduplicate = true;
        /// Bytes that may be sent for each byte that came, to a peer that has not shown yet that what is sent to its
        /// address reaches it: in clear a source can be forged, and we would answer someone else with more than the
        /// forger spent. What is over is not sent, as if it were lost. 0: no limit, where a handshake has shown it.
        std::uint32_t amplification = 0;
    };

    MessageLayer(Sink& sink, std::uint64_t seed) : MessageLayer(sink, seed, Limits{}) {}
    MessageLayer(Sink& sink, std::uint64_t seed, Limits limits);
    ~MessageLayer();

    /// Sends a request and waits for its response; with a response code: sends a separate response or notification and
    /// waits for its acknowledgement. The message id is chosen here; an empty token of a request is replaced by a fresh
    /// one. At most one exchange per (session, token): a second one ends the first with Errc::cancelled.
    ExchangeId start(Instant now, SessionId session, Message message, Retry retry);
    void cancel(ExchangeId exchange);
    void receive(Instant now, SessionId session, BytesView datagram);
    void tick(Instant now);
    /// The next time tick() has something to do.
    std::optional<Instant> next_deadline() const;
    /// The peer is gone: its exchanges end with peer_gone, its message ids are forgotten.
    void forget(SessionId session);
    /// The peer will not answer in this session any more: its requests under way end with peer_gone, the session stays.
    void abandon(SessionId session);
    /// The peer has named something that only we have told it: what is sent to its address reaches it. The layer finds
    /// out by itself when a response comes with the token of a request.
    void vouch_for(SessionId session);
    bool vouched_for(SessionId session) const;
    /// Exchanges that wait for an answer, of all peers.
    std::size_t exchanges() const noexcept { return exchanges_.size(); }

  private:
    struct Exchange;
    struct Remembered;
    struct PeerState;

    PeerState& peer(SessionId session);
    void transmit(SessionId session, BytesView datagram);
    void expire(PeerState& state, Instant now) const;
    void remember(PeerState& state, Instant now, std::size_t what, std::uint16_t id, Bytes reply) const;
    void finish(ExchangeId exchange, Result<Reply> reply);
    std::vector<ExchangeId> exchanges_with(SessionId session) const;
    void schedule(ExchangeId exchange, Instant deadline);
    void unschedule(ExchangeId exchange);
    void send_empty(SessionId session, Type type, std::uint16_t id);
    void receive_request(Instant now, SessionId session, std::size_t what, Message message);
    void receive_response(Instant now, SessionId session, std::size_t what, Message message);
    void receive_ack_or_reset(Instant now, SessionId session, Message message);

    Sink& sink_;
    Limits limits_;
    Unpredictable random_;
    std::uint64_t next_exchange_ = 1;
    std::unordered_map<SessionId, std::unique_ptr<PeerState>> peers_;
    std::unordered_map<ExchangeId, std::unique_ptr<Exchange>> exchanges_;
    std::set<std::pair<Instant, ExchangeId>> deadlines_;
};

}  // namespace fota::coap
