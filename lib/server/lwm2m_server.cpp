#include "server/lwm2m_server.hpp"

#include <fmt/format.h>

#include "base/text.hpp"
#include "ports/peer_identity.hpp"

namespace fota::server {
namespace {

constexpr std::size_t longest_link_list = 8 * 1024;
/// Strangers may fill neither memory nor the report.
constexpr std::size_t most_refusals = 256;
constexpr std::size_t most_partial_bodies = 256;
constexpr std::size_t most_devices = 50'000;

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
        forget_bodies(peer.session);
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
    // Short: some clients keep it in a 32-byte buffer. Unguessable, yet never an authority by itself.
    for (;;) {
        auto id = fmt::format("{:012x}", random_() & 0xffffffffffff);
        if (!endpoint_of_id_.contains(id)) return id;
    }
}

coap::Answer LwM2mServer::on_request(const ports::Peer& peer, const coap::Message& request) {
    const auto path = request.texts(coap::OptionNumber::uri_path);
    const bool root = path.size() == 1 && path[0] == "rd";
    const bool one = path.size() == 2 && path[0] == "rd";
    if (!path.empty() && path[0] == PackageSource::folder) {
        const auto* owner = path.size() == 2 ? packages_.owner(path[1]) : nullptr;
        // To anyone but its device a package does not exist.
        if (owner == nullptr || !binding_fault(peer, *owner).empty() || !device(*owner).fetches_from(peer))
            return answer(coap::Code::not_found);
        device(*owner).heard(clock_.now());
        return packages_.serve(path[1], request);
    }
    if (root && request.code == coap::Code::post) return register_device(peer, request);
    if (one && (request.code == coap::Code::post || request.code == coap::Code::put))
        return update_device(peer, request, path[1]);
    if (one && request.code == coap::Code::del) return deregister_device(peer, path[1]);
    return answer(root || one ? coap::Code::method_not_allowed : coap::Code::not_found);
}

void LwM2mServer::forget_bodies(ports::SessionId session) {
    std::erase_if(bodies_, [&](const auto& each) { return each.first.first == session; });
}

LwM2mServer::Body LwM2mServer::body_of(const ports::Peer& peer, const coap::Message& request) {
    if (!request.option(coap::OptionNumber::block1)) {
        if (request.payload.size() > longest_link_list)
            return {std::nullopt, answer(coap::Code::request_entity_too_large)};
        return {request.payload, {}};
    }
    const std::pair key{peer.session, request.path()};
    if (!bodies_.contains(key) && bodies_.size() >= most_partial_bodies) bodies_.erase(bodies_.begin());
    auto part = bodies_.try_emplace(key, longest_link_list).first->second.receive(request);
    const bool more = part.code == coap::Code::continue_ || part.code == coap::Code::request_entity_incomplete;
    if (!more) bodies_.erase(key);
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
    endpoint_of_id_.erase(it);
    id_of_endpoint_.erase(endpoint);
    device(endpoint).deregistered();
    tell(ServerEvent::Kind::deregistered, endpoint, peer);
    return answer(coap::Code::deleted);
}

}  // namespace fota::server
