#include "virtdev/bootstrap_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "lwm2m/path.hpp"
#include "lwm2m/value.hpp"

namespace fota::virtdev {

using enum BootstrapQuirk;
using namespace std::chrono_literals;

namespace {

constexpr std::uint16_t resources_of_security[] = {0, 1, 2, 3, 4, 5, 10};
constexpr std::uint16_t resources_of_server[] = {0, 1, 6, 7};

coap::Answer answer(coap::Code code) {
    coap::Answer out;
    out.message.code = code;
    return out;
}

}  // namespace

BootstrapClient::BootstrapClient(ports::CoapEndpoint& endpoint, ports::Clock& clock, BootstrapClientConfig config)
    : coap_(endpoint), clock_(clock), config_(std::move(config)) {
    outcome_.security[has(bootstrap_in_1) ? 1 : 0] = {};
    // What an earlier life may have left: the deletion takes it away.
    outcome_.security[7] = {};
    outcome_.server[7] = {};
    coap_.on_request(
        [this](const ports::Peer& peer, const coap::Message& request) { return on_request(peer, request); });
}

BootstrapClient::~BootstrapClient() {
    coap_.on_request({});
}

bool BootstrapClient::has(BootstrapQuirk quirk) const {
    return std::ranges::find(config_.quirks, quirk) != config_.quirks.end();
}

std::string BootstrapClient::links() const {
    std::string out = "</>;lwm2m=1.1";
    for (const auto& [instance, resources] : outcome_.security) {
        const bool bootstrap = instance == (has(bootstrap_in_1) ? 1 : 0);
        out += fmt::format(",</0/{}>{}", instance, bootstrap ? "" : ";ssid=101;uri=\"coaps://old\"");
    }
    for (const auto& [instance, resources] : outcome_.server) out += fmt::format(",</1/{}>;ssid=101", instance);
    return out;
}

coap::Code BootstrapClient::erase(const std::string& path) {
    if (path == "/" && has(no_delete_all)) return coap::Code::method_not_allowed;
    if (path != "/" && path != "/0" && path != "/1") return coap::Code::bad_request;
    const std::uint16_t kept = has(bootstrap_in_1) ? 1 : 0;
    if (path != "/1") std::erase_if(outcome_.security, [&](const auto& entry) { return entry.first != kept; });
    if (path != "/0") outcome_.server.clear();
    if (has(leaves_after_delete)) gone_ = true;
    return coap::Code::deleted;
}

coap::Code BootstrapClient::write(const std::string& path, const coap::Message& request) {
    const auto parsed = lwm2m::Path::parse(path);
    if (!parsed || !parsed->instance || parsed->resource) return coap::Code::bad_request;
    if (request.format() != static_cast<std::uint32_t>(coap::Format::tlv))
        return coap::Code::unsupported_content_format;
    const bool security = parsed->object == 0;
    if (!security && parsed->object != 1) return coap::Code::not_found;
    if (security && (has(refuses_security) || *parsed->instance == (has(bootstrap_in_1) ? 1 : 0)))
        return coap::Code::bad_request;
    std::map<std::uint16_t, Bytes> values;
    const auto wanted = security ? std::span<const std::uint16_t>(resources_of_security)
                                 : std::span<const std::uint16_t>(resources_of_server);
    for (const auto number : wanted) {
        auto value = lwm2m::resource_value(lwm2m::resource(parsed->object, *parsed->instance, number), request.format(),
                                           request.payload);
        if (!value) return coap::Code::bad_request;  // all of these are mandatory
        values[number] = std::move(*value);
    }
    if (!security && has(forgets_server)) values[1] = {60};
    (security ? outcome_.security : outcome_.server)[*parsed->instance] = std::move(values);
    return coap::Code::changed;
}

coap::Answer BootstrapClient::on_request(const ports::Peer& peer, const coap::Message& request) {
    if (gone_) return {coap::Answer::Kind::silence, {}};
    if (peer.session != server_.session) return answer(coap::Code::unauthorized);
    const auto path = request.path();
    const auto method = request.code == coap::Code::get    ? "GET"
                        : request.code == coap::Code::put  ? "PUT"
                        : request.code == coap::Code::post ? "POST"
                        : request.code == coap::Code::del  ? "DELETE"
                                                           : "?";
    outcome_.requests.push_back(fmt::format("{} {}", method, path.empty() ? "/" : path));
    if (outcome_.finished) return answer(coap::Code::unauthorized);
    if (request.code == coap::Code::del) return answer(erase(path.empty() ? "/" : path));
    if (request.code == coap::Code::put) return answer(write(path, request));
    if (request.code == coap::Code::post && path == "/bs") {
        if (has(refuses_finish) || outcome_.server.empty() || outcome_.security.size() != 2)
            return answer(coap::Code::not_acceptable);
        outcome_.finished = true;
        return answer(coap::Code::changed);
    }
    if (request.code != coap::Code::get || has(lwm2m_1_0)) return answer(coap::Code::method_not_allowed);
    auto out = answer(coap::Code::content);
    const auto accept = request.uint_option(coap::OptionNumber::accept);
    if (accept == static_cast<std::uint32_t>(coap::Format::link)) {
        out.message.set_format(coap::Format::link);
        out.message.payload = to_bytes(as_bytes(links()));
        return out;
    }
    // The Security object is never read (section 6.1.7.6).
    const auto parsed = lwm2m::Path::parse(path);
    if (!parsed || parsed->object != 1 || !parsed->instance || !outcome_.server.contains(*parsed->instance))
        return answer(coap::Code::method_not_allowed);
    out.message.set_format(coap::Format::tlv);
    for (const auto& [number, value] : outcome_.server.at(*parsed->instance))
        append(out.message.payload, lwm2m::tlv_resource(number, value));
    return out;
}

boost::asio::awaitable<Result<>> BootstrapClient::run() {
    // A value with a name: GCC 12 destroys one made inside a co_await expression twice.
    ports::Credentials credentials{config_.credentials.identity, config_.credentials.key.clone()};
    CO_TRY(server_, co_await coap_.connect(config_.server, std::move(credentials)));
    auto request = coap::make_request(coap::Code::post, "/bs");
    request.add(coap::OptionNumber::uri_query, "ep=" + config_.endpoint);
    if (!has(lwm2m_1_0)) request.add(coap::OptionNumber::uri_query, "pct=11542");
    CO_TRY(const auto reply, co_await coap_.exchange(server_, std::move(request), config_.retry));
    if (!coap::is_success(reply.message.code))
        co_return fail(Errc::authentication_failed, fmt::format("expected the bootstrap server to let {} in, found {}",
                                                                config_.endpoint, coap::code_text(reply.message.code)));
    const auto deadline = clock_.now() + config_.patience;
    while (!outcome_.finished && clock_.now() < deadline) {
        const auto awake = co_await clock_.sleep_until(std::min(deadline, clock_.now() + 50ms));
        if (!awake) co_return fail(Errc::cancelled, "the bootstrap was cancelled");
    }
    if (!outcome_.finished) co_return fail(Errc::timed_out, "expected a Bootstrap-Finish in time, found none");
    // Its answer must leave before the session does.
    co_await clock_.sleep_until(clock_.now() + 500ms);
    coap_.drop(server_);
    co_return Result<>{};
}

}  // namespace fota::virtdev
