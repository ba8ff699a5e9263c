// The LwM2M server: the registration interface (OMA LwM2M Core 1.1 section 6.2) on one CoAP endpoint, the binding of
// DTLS identities to endpoints, and one DeviceLink per device.
#pragma once

#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "ports/clock.hpp"
#include "ports/coap_endpoint.hpp"
#include "server/device.hpp"
#include "server/package_source.hpp"
#include "server/partial_bodies.hpp"

namespace fota::server {

struct ServerConfig {
    /// DTLS identity -> the one endpoint it may speak for. Checked on Register, Update and DELETE.
    std::map<std::string, std::string> identities;
    LinkProfile profile;
    std::uint64_t seed = 0;  ///< for registration ids and tokens; from the system's randomness outside tests
};

/// What happened on the registration interface, for a person who waits.
struct ServerEvent {
    enum class Kind : std::uint8_t { registered, updated, deregistered, refused };
    Kind kind;
    std::string endpoint;
    std::string address;
    std::string reason;  ///< of a refusal
};

class LwM2mServer {
  public:
    LwM2mServer(boost::asio::io_context& io, ports::CoapEndpoint& endpoint, ports::Clock& clock, ServerConfig config);
    ~LwM2mServer();
    LwM2mServer(const LwM2mServer&) = delete;

    /// The device of that name, registered or not. The reference stays good as long as the server lives.
    Device& device(const std::string& endpoint);
    void on_event(std::function<void(const ServerEvent&)> handler) { on_event_ = std::move(handler); }
    /// What it holds because of what peers sent.
    struct Held {
        std::size_t devices = 0;        ///< also those that were only asked for
        std::size_t registrations = 0;  ///< ids that were given out and are good
        std::size_t sessions = 0;       ///< that have registered someone
        std::size_t bodies = 0;         ///< Registers and Updates of which the last part has not come
        std::size_t refusals = 0;
    };
    Held held() const;
    /// Why the registrations of this endpoint were refused, newest reason; "" when none was.
    std::string refusal(const std::string& endpoint) const;

  private:
    coap::Answer on_request(const ports::Peer& peer, const coap::Message& request);
    coap::Answer register_device(const ports::Peer& peer, const coap::Message& request);
    coap::Answer update_device(const ports::Peer& peer, const coap::Message& request, const std::string& id);
    coap::Answer deregister_device(const ports::Peer& peer, const std::string& id);
    /// The request's body, once its last part has arrived; else the answer to this part. Bounded.
    struct Body {
        std::optional<Bytes> whole;
        coap::Answer answer;
    };
    Body body_of(const ports::Peer& peer, const coap::Message& request);
    /// The endpoint that its credentials stand for; empty in clear, and where they stand for none.
    std::string identified_as(const ports::Peer& peer) const;
    /// "" when the peer may speak for the endpoint, else why not.
    std::string binding_fault(const ports::Peer& peer, const std::string& endpoint) const;
    std::uint64_t new_id();
    /// The device with this registration id; nullptr when there is none.
    Device* registered_as(const std::string& id) const;
    void tell(ServerEvent::Kind kind, const std::string& endpoint, const ports::Peer& peer, std::string reason = {});

    boost::asio::io_context& io_;
    ports::CoapEndpoint& coap_;
    ports::Clock& clock_;
    ServerConfig config_;
    Unpredictable random_;  ///< registration ids and tokens: in clear anyone may ask for many
    PackageSource packages_;
    // Per device and for ever: no name stands here twice.
    std::unordered_map<std::string_view, std::unique_ptr<Device>> devices_;  ///< by the name that the device holds
    std::unordered_map<std::uint64_t, Device*> by_id_;
    std::map<std::string, std::string> refusals_;  ///< bounded
    std::unordered_map<ports::SessionId, Device*> by_session_;
    PartialBodies bodies_;
    std::function<void(const ServerEvent&)> on_event_;
};

}  // namespace fota::server
