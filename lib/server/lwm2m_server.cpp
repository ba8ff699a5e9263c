#include "server/lwm2m_server.hpp"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "base/text.hpp"
#include "ports/peer_identity.hpp"

namespace fota::server {
namespace {

constexpr std::size_t longest_link_list = 8 * 1024;
/// Strangers may fill neither memory nor the report.
constexpr std::size_t most_refusals = 256;
constexpr std::size_t most_devices = 50'000;

/// Short: some clients keep it in a 32-byte buffer. Unguessable, yet over DTLS never an authority by itself.
std::string id_text(std::uint64_t id) {
    return fmt::format("{:012x}", id);
}
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
        const auto it = by_session_.find(peer.session);
        return it != by_session_.end() && it->second->notified(message);
    });
    coap_.on_gone([this](const ports::Peer& peer) {
        bodies_.forget(peer.session);
        if (const auto it = by_session_.find(peer.session); it != by_session_.end()) {
            it->second->session_gone(peer);
            by_session_.erase(it);
        }
    });
}

LwM2mServer::~LwM2mServer() {
    coap_.on_request({});
    coap_.on_notify({});
    coap_.on_gone({});
}

Device& LwM2mServer::device(const std::string& endpoint) {
    if (const auto it = devices_.find(endpoint); it != devices_.end()) return *it->second;
    auto made = std::make_unique<Device>(io_, coap_, clock_, endpoint, config_.profile, random_, packages_);
    const std::string_view name = made->endpoint();
    return *devices_.emplace(name, std::move(made)).first->second;
}

std::string LwM2mServer::refusal(const std::string& endpoint) const {
    const auto it = refusals_.find(endpoint);
    return it == refusals_.end() ? "" : it->second;
}

void LwM2mServer::tell(ServerEvent::Kind kind, const std::string& endpoint, const ports::Peer& peer,
                       std::string reason) {
    const auto keep = [&](const std::string& name, std::string why) {
        if (refusals_.contains(name) || refusals_.size() < most_refusals)
            refusals_.insert_or_assign(name, std::move(why));
    };
    if (kind == ServerEvent::Kind::refused) {
        keep(endpoint, reason);
        // Whoever waits for the device of this identity learns why it does not come.
        if (const auto owner = identified_as(peer); !owner.empty() && owner != endpoint)
            keep(owner, fmt::format("it registered under another name, {}", printable(endpoint)));
    }
    if (kind == ServerEvent::Kind::registered) refusals_.erase(endpoint);
    if (on_event_) on_event_({kind, endpoint, peer.address, std::move(reason)});
}

std::string LwM2mServer::identified_as(const ports::Peer& peer) const {
    if (!peer.secure) return "";
    if (auto named = ports::certificate_endpoint(peer.identity)) return std::string(*named);
    const auto it = config_.identities.find(peer.identity);
    return it == config_.identities.end() ? "" : it->second;
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

std::uint64_t LwM2mServer::new_id() {
    constexpr int unused_bits = 16;  // 48 bits are twelve digits
    for (;;) {
        const auto id = random_() >> unused_bits;
        if (id != 0 && !by_id_.contains(id)) return id;
    }
}

LwM2mServer::Held LwM2mServer::held() const {
    return {devices_.size(), by_id_.size(), by_session_.size(), bodies_.size(), refusals_.size()};
}

Device* LwM2mServer::registered_as(const std::string& id) const {
    std::uint64_t number = 0;
    const auto [stop, error] = std::from_chars(id.data(), id.data() + id.size(), number, 16);
    if (error != std::errc{} || id != id_text(number)) return nullptr;
    const auto it = by_id_.find(number);
    return it == by_id_.end() ? nullptr : it->second;
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
        if (device(*owner).answers_at(peer)) coap_.vouch_for(peer);
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
    auto parameters = lwm2m::parse_register(request, *body.whole, identified_as(peer));
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
    auto& device = this->device(endpoint);
    by_id_.erase(device.registration_id());
    const auto id = new_id();
    by_id_[id] = &device;
    by_session_[peer.session] = &device;
    device.registered(peer, id, std::move(*parameters));
    tell(ServerEvent::Kind::registered, endpoint, peer);
    auto out = answer(coap::Code::created);
    out.message.add(coap::OptionNumber::location_path, "rd");
    out.message.add(coap::OptionNumber::location_path, id_text(id));
    if (const auto block = request.block1()) out.message.set_block(coap::OptionNumber::block1, *block);
    return out;
}

coap::Answer LwM2mServer::update_device(const ports::Peer& peer, const coap::Message& request, const std::string& id) {
    auto* device = registered_as(id);
    // 4.04 makes the client register again, which is what a restarted server needs.
    if (device == nullptr) return answer(coap::Code::not_found);
    const auto& endpoint = device->endpoint();
    if (auto fault = binding_fault(peer, endpoint); !fault.empty()) {
        tell(ServerEvent::Kind::refused, endpoint, peer, std::move(fault));
        return answer(coap::Code::forbidden);
    }
    if (device->told_its_id_at(peer)) coap_.vouch_for(peer);
    auto body = body_of(peer, request);
    if (!body.whole) return std::move(body.answer);
    auto update = lwm2m::parse_update(request, *body.whole);
    if (!update) return answer(coap::Code::bad_request);
    by_session_[peer.session] = device;
    device->updated(peer, std::move(*update));
    tell(ServerEvent::Kind::updated, endpoint, peer);
    auto out = answer(coap::Code::changed);
    if (const auto block = request.block1()) out.message.set_block(coap::OptionNumber::block1, *block);
    return out;
}

coap::Answer LwM2mServer::deregister_device(const ports::Peer& peer, const std::string& id) {
    auto* device = registered_as(id);
    if (device == nullptr) return answer(coap::Code::not_found);
    if (!binding_fault(peer, device->endpoint()).empty()) return answer(coap::Code::forbidden);
    by_id_.erase(device->registration_id());
    device->deregistered();
    tell(ServerEvent::Kind::deregistered, device->endpoint(), peer);
    return answer(coap::Code::deleted);
}

}  // namespace fota::server
