// One device on our own LwM2M server: its registration, its current peer, and the operations on it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/unpredictable.hpp"
#include "coap/block1_sender.hpp"
#include "ports/clock.hpp"
#include "ports/coap_endpoint.hpp"
#include "ports/device_link.hpp"
#include "server/link_profile.hpp"
#include "server/package_source.hpp"
#include "server/signal.hpp"

namespace fota::server {

/// Lives as long as the server, registered or not: an update outlives registrations, addresses and sessions. `random`
/// is the server's: a generator of its own would be half of what a device takes.
class Device final : public ports::DeviceLink {
  public:
    Device(boost::asio::io_context& io, ports::CoapEndpoint& endpoint, ports::Clock& clock, std::string name,
           LinkProfile profile, Unpredictable& random, PackageSource& packages);

    const std::string& endpoint() const override { return name_; }
    const ports::Registration* registration() const override { return registration_ ? &*registration_ : nullptr; }
    std::uint64_t awake_serial() const override { return awake_serial_; }
    bool asleep() const override;
    boost::asio::awaitable<Result<>> await_awake(std::uint64_t after, std::optional<Instant> deadline) override;
    boost::asio::awaitable<Result<ports::Answer>> read(lwm2m::Path path, coap::Format accept) override;
    boost::asio::awaitable<Result<ports::Answer>> write(lwm2m::Path path, Bytes value, coap::Format format) override;
    boost::asio::awaitable<Result<ports::Answer>> execute(lwm2m::Path path, std::string arguments) override;
    boost::asio::awaitable<Result<ports::Delivery>> deliver(ports::DeliveryRequest request) override;
    boost::asio::awaitable<Result<bool>> end_transfer(ports::UnfinishedTransfer left) override;
    boost::asio::awaitable<Result<std::unique_ptr<ports::Watch>>> watch(lwm2m::Path path) override;
    Result<std::unique_ptr<ports::Offer>> offer(ports::OfferRequest request) override;

    /// Observes (RFC 7641): `told` gets each newer notification, or nullopt for one too large for a message, which is
    /// to be read. The answer is the value at the beginning. Ends with the registration, or with stop_observing().
    using Told = std::function<void(std::optional<ports::Answer>)>;
    boost::asio::awaitable<Result<ports::Answer>> observe(lwm2m::Path path, coap::Format accept, Told told) {
        return observe(std::move(path), accept, std::move(told), coap::Token::of(random_()));
    }
    boost::asio::awaitable<void> stop_observing(lwm2m::Path path);

    /// Of its last registration; 0 before the first and after it deregistered.
    std::uint64_t registration_id() const noexcept { return registration_id_; }

    // What the server tells it.
    void registered(const ports::Peer& peer, std::uint64_t id, lwm2m::RegistrationParameters parameters);
    void updated(const ports::Peer& peer, lwm2m::RegistrationUpdate update);
    void deregistered();
    void heard(Instant when);
    void session_gone(const ports::Peer& peer);
    /// Whether a request for its package may come from this peer. In clear: only from the host at which the device is
    /// registered (its port changes with every fetch), so that nobody turns a short request with a forged source into
    /// blocks for someone else. After our restart, and until it registers, the first host that asks is taken for it.
    bool fetches_from(const ports::Peer& peer);
    /// Whether this peer's address is one to which the device has shown to be: it answered there, or was told its
    /// registration id there and names it. A Register or Update alone may have been forged.
    bool answers_at(const ports::Peer& peer) const;
    bool told_its_id_at(const ports::Peer& peer) const;
    /// False: nobody observes with this token.
    bool notified(const coap::Message& message);

  private:
    class OwnWatch;
    boost::asio::awaitable<Result<ports::Answer>> observe(lwm2m::Path path, coap::Format accept, Told told,
                                                          coap::Token token);
    bool observes(const coap::Token& token) const;
    boost::asio::awaitable<void> stop_observing(coap::Token token);
    /// One exchange with where it is now; given up at once when it turns up in another session.
    boost::asio::awaitable<Result<coap::Reply>> exchange(coap::Message message, coap::Retry retry);
    boost::asio::awaitable<Result<coap::Reply>> request(coap::Message message);
    /// In clear, and registered from a new address at which it has not answered yet: a block or another long message is
    /// more than may be sent there. A Read is not, and after that, whatever is answered, it is no stranger.
    bool is_stranger() const { return peer_ && !coap_.vouched_for(*peer_); }
    static ports::Answer answer_of(coap::Message message);
    boost::asio::awaitable<Result<ports::Answer>> write_blocks(lwm2m::Path path, BytesView value, coap::Format format);
    boost::asio::awaitable<void> await_contact(Milliseconds most);
    boost::asio::awaitable<Result<>> await_waking(std::optional<Milliseconds> longest);
    /// What an exchange that began `idle` after the device was last heard tells of how long it listens.
    void learn_answered(Milliseconds idle, int resends);
    void learn_unanswered(Milliseconds idle);
    Milliseconds idle() const;
    coap::Retry retry() const;
    std::string full_path(const lwm2m::Path& path) const;
    void reachable_at(const ports::Peer& peer);
    void awake();

    ports::CoapEndpoint& coap_;
    ports::Clock& clock_;
    std::string name_;
    std::optional<ports::Registration> registration_;
    std::optional<ports::Peer> peer_;           ///< where it can be reached now
    std::string host_;                          ///< of peer_, or of the last one
    std::string told_at_;                       ///< host that its registration id was sent to
    std::optional<ports::SessionId> asked_in_;  ///< where it was asked last
    std::uint64_t registrations_ = 0;
    std::uint64_t registration_id_ = 0;
    std::uint64_t awake_serial_ = 0;
    Signal signal_;
    struct Observation {
        lwm2m::Path path;
        coap::Format accept;
        coap::Token token;
        Told told;
        std::optional<std::uint32_t> sequence;  ///< of the newest value; none was told yet
        Instant last{};
    };
    std::vector<Observation> observations_;
    RttEstimator rtt_;
    /// How long it listens after it was heard: at first what a device in queue mode has to wait at least
    /// (MAX_TRANSMIT_WAIT, LwM2M Transport 1.1 section 6.6.2), then what was seen.
    Milliseconds listens_{93'000};
    Milliseconds listened_{0};  ///< it was seen to, after this long
    /// Of its last waking in which a question was lost: when it was asked, and which waking that was.
    std::optional<Milliseconds> unanswered_;
    std::uint64_t unanswered_waking_ = 0;
    Unpredictable& random_;
    PackageSource& packages_;
};

}  // namespace fota::server
