#include "server/lwm2m_server.hpp"

#include <fmt/format.h>

#include <array>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "ports/peer_identity.hpp"

namespace fota::server {
namespace {

constexpr std::size_t longest_link_list = 8 * 1024;
/// Strangers may fill neither memory nor the report.
constexpr std::size_t most_refusals = 256;
constexpr std::size_t most_devices = 50'000;

/// Critical options that a request of the registration interface may carry. Block2 asks for the answer in parts, and
/// no answer here is longer than one.
constexpr std::array known_critical{coap::OptionNumber::uri_host, coap::OptionNumber::uri_port,
                                    coap::OptionNumber::uri_path, coap::OptionNumber::uri_query,
                                    coap::OptionNumber::accept,   coap::OptionNumber::block2,
                                    coap::OptionNumber::block1};

coap::Answer answer(coap::Code code) {
    coap::Answer out;
    out.message.code = code;
    return out;
}

}  // namespace

LwM2mServer::LwM2mServer(boost::asio::io_context& io, ports::CoapEndpoint& endpoint, ports::Clock& clock,
                         ServerConfig config)
    : io_(io), coap_(endpoint), clock_(clock), config_(std::move(config)), random_(config_.seed), packages_(io, clock) {
    coap_.on_request(
        [this](const ports::Peer& peer, const coap::Message& request) { return on_request(peer, request); });
    coap_.on_notify([this](const ports::Peer& peer, const coap::Message& message) {
        const auto it = endpoint_of_session_.find(peer.session);
        return it != endpoint_of_session_.end() && device(it->second).notified(message);
    });
    coap_.on_gone([this](const ports::Peer& peer) {
        bodies_.forget(peer.session);
        if (const auto it = endpoint_of_session_.find(peer.session); it != endpoint_of_session_.end()) {
            device(it->second).session_gone(peer);
            endpoint_of_session_.erase(it);
        }
    });
}

LwM2mServer::~LwM2mServer() {
    coap_.on_request({});
    coap_.on_notify({});
    coap_.on_gone({});
}

Device& LwM2mServer::device(const std::string& endpoint) {
    auto& slot = devices_[endpoint];
    if (!slot) slot = std::make_unique<Device>(io_, coap_, clock_, endpoint, config_.profile, random_, packages_);
    return *slot;
}

std::string LwM2mServer::refusal(const std::string& endpoint) const {
    const auto it = refusals_.find(endpoint);
    return it == refusals_.end() ? "" : it->second;
}

void LwM2mServer::tell(ServerEvent::Kind kind, const std::string& endpoint, const ports::Peer& peer,
                       std::string reason) {
    if (kind == ServerEvent::Kind::refused && (refusals_.contains(endpoint) || refusals_.size() < most_refusals))
        refusals_.insert_or_assign(endpoint, reason);
    if (kind == ServerEvent::Kind::registered) refusals_.erase(endpoint);
    if (on_event_) on_event_({kind, endpoint, peer.address, std::move(reason)});
}

std::string LwM2mServer::binding_fault(const ports::Peer& peer, const std::string& endpoint) const {
    if (peer.secure) {
        if (const auto named = ports::certificate_endpoint(peer.identity))
            return *named == endpoint ? "" : fmt::format("its certificate names {}", printable(*named));
        const auto it = config_.identities.find(peer.identity);
        if (it == config_.identities.end()) return "its identity is not in the credentials";
        if (it->second != endpoint) return fmt::format("its identity belongs to {}", printable(it->second));
        return "";
    }
    for (const auto& [identity, owner] : config_.identities)
        if (owner == endpoint) return "it has credentials, and came in clear";
    return "";
}

std::string LwM2mServer::new_id() {
    // Short: some clients keep it in a 32-byte buffer. Unguessable, yet over DTLS never an authority by itself. Not a
    // generator's own output: some hundreds of those tell the next ones, and in clear anyone may register that often.
    for (;;) {
        const auto digest = sha256(as_bytes(fmt::format("{} {}", config_.seed, next_id_++)));
        auto id = to_hex(BytesView(digest).first(6));
        if (!endpoint_of_id_.contains(id)) return id;
    }
}

LwM2mServer::Held LwM2mServer::held() const {
    return {devices_.size(), endpoint_of_id_.size(), endpoint_of_session_.size(), bodies_.size(), refusals_.size()};
}

coap::Answer LwM2mServer::on_request(const ports::Peer& peer, const coap::Message& request) {
    const auto path = request.texts(coap::OptionNumber::uri_path);
    const bool root = path.size() == 1 && path[0] == "rd";
    const bool one = path.size() == 2 && path[0] == "rd";
    if (request.option(coap::OptionNumber::proxy_uri) || request.option(coap::OptionNumber::proxy_scheme))
        return answer(coap::Code::proxying_not_supported);
    if (!path.empty() && path[0] == PackageSource::folder) {
        const auto* owner = path.size() == 2 ? packages_.owner(path[1]) : nullptr;
        // To anyone but its device a package does not exist.
        if (owner == nullptr || !binding_fault(peer, *owner).empty() || !device(*owner).fetches_from(peer))
            return answer(coap::Code::not_found);
        coap_.vouch_for(peer);
        device(*owner).heard(clock_.now());
        return packages_.serve(path[1], request);
    }
    if ((root || one) && !coap::understands(request, known_critical))
        return request.type == coap::Type::con ? answer(coap::Code::bad_option)
                                               : coap::Answer{coap::Answer::Kind::silence, {}};
    if (root && request.code == coap::Code::post) return register_device(peer, request);
    if (one && (request.code == coap::Code::post || request.code == coap::Code::put))
        return update_device(peer, request, path[1]);
    if (one && request.code == coap::Code::del) return deregister_device(peer, path[1]);
    return answer(root || one ? coap::Code::method_not_allowed : coap::Code::not_found);
}

LwM2mServer::Body LwM2mServer::body_of(const ports::Peer& peer, const coap::Message& request) {
    if (!request.option(coap::OptionNumber::block1)) {
        if (request.payload.size() > longest_link_list)
            return {std::nullopt, answer(coap::Code::request_entity_too_large)};
        return {request.payload, {}};
    }
    const auto source = peer.secure ? peer.identity : ports::host_of(peer);
    auto part = bodies_.receive(clock_.now(), peer.session, source, request);
    if (part.code == coap::Code::content) return {std::move(part.body), {}};
    auto out = answer(part.code);
    if (part.block) out.message.set_block(coap::OptionNumber::block1, *part.block);
    return {std::nullopt, std::move(out)};
}

coap::Answer LwM2mServer::register_device(const ports::Peer& peer, const coap::Message& request) {
    auto body = body_of(peer, request);
    if (!body.whole) return std::move(body.answer);
    auto parameters = lwm2m::parse_register(request, *body.whole);
    if (!parameters) {
        tell(ServerEvent::Kind::refused, "?", peer, parameters.error().text());
        return answer(parameters.error().detail("precondition").empty() ? coap::Code::bad_request
                                                                        : coap::Code::precondition_failed);
    }
    const auto endpoint = parameters->endpoint;
    if (auto fault = binding_fault(peer, endpoint); !fault.empty()) {
        tell(ServerEvent::Kind::refused, endpoint, peer, std::move(fault));
        return answer(coap::Code::forbidden);
    }
    // In clear anyone can make up names: silence, not a refusal, once there are far more than any fleet behind one
    // server.
    if (!devices_.contains(endpoint) && devices_.size() >= most_devices) return {coap::Answer::Kind::silence, {}};
    if (const auto it = id_of_endpoint_.find(endpoint); it != id_of_endpoint_.end()) endpoint_of_id_.erase(it->second);
    const auto id = new_id();
    endpoint_of_id_[id] = endpoint;
    id_of_endpoint_[endpoint] = id;
    endpoint_of_session_[peer.session] = endpoint;
    device(endpoint).registered(peer, std::move(*parameters));
    tell(ServerEvent::Kind::registered, endpoint, peer);
    auto out = answer(coap::Code::created);
    out.message.add(coap::OptionNumber::location_path, "rd");
    out.message.add(coap::OptionNumber::location_path, id);
    if (const auto block = request.block1()) out.message.set_block(coap::OptionNumber::block1, *block);
    return out;
}

coap::Answer LwM2mServer::update_device(const ports::Peer& peer, const coap::Message& request, const std::string& id) {
    const auto it = endpoint_of_id_.find(id);
    // 4.04 makes the client register again, which is what a restarted server needs.
    if (it == endpoint_of_id_.end()) return answer(coap::Code::not_found);
    const auto endpoint = it->second;
    if (auto fault = binding_fault(peer, endpoint); !fault.empty()) {
        tell(ServerEvent::Kind::refused, endpoint, peer, std::move(fault));
        return answer(coap::Code::forbidden);
    }
    coap_.vouch_for(peer);
    auto body = body_of(peer, request);
    if (!body.whole) return std::move(body.answer);
    auto update = lwm2m::parse_update(request, *body.whole);
    if (!update) return answer(coap::Code::bad_request);
    endpoint_of_session_[peer.session] = endpoint;
    device(endpoint).updated(peer, std::move(*update));
    tell(ServerEvent::Kind::updated, endpoint, peer);
    auto out = answer(coap::Code::changed);
    if (const auto block = request.block1()) out.message.set_block(coap::OptionNumber::block1, *block);
    return out;
}

coap::Answer LwM2mServer::deregister_device(const ports::Peer& peer, const std::string& id) {
    const auto it = endpoint_of_id_.find(id);
    if (it == endpoint_of_id_.end()) return answer(coap::Code::not_found);
    const auto endpoint = it->second;
    if (!binding_fault(peer, endpoint).empty()) return answer(coap::Code::forbidden);
    coap_.vouch_for(peer);
    endpoint_of_id_.erase(it);
    id_of_endpoint_.erase(endpoint);
    device(endpoint).deregistered();
    tell(ServerEvent::Kind::deregistered, endpoint, peer);
    return answer(coap::Code::deleted);
}

}  // namespace fota::server
