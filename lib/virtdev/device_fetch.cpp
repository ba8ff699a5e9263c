// The virtual device fetches a package by itself (OMA object 5, Package URI): its own CoAP client, Block2, one token
// throughout, as Zephyr's pull context does it.
#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "virtdev/device.hpp"

namespace fota::virtdev {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using coap::Code;
using coap::OptionNumber;
using lwm2m::UpdateResult;
using namespace asio::experimental::awaitable_operators;

constexpr Milliseconds check_time{20'000};

struct PackageAddress {
    bool secure = false;
    std::string server;  ///< HOST:PORT
    std::string path;
};

/// coap and coaps only; the query is dropped, as Zephyr does.
std::optional<PackageAddress> parse_uri(std::string_view uri) {
    PackageAddress out;
    const auto protocol = lwm2m::protocol_of(uri);
    if (!protocol || *protocol > 1) return std::nullopt;
    out.secure = *protocol == 1;
    uri.remove_prefix(uri.find("://") + 3);
    uri = uri.substr(0, uri.find('?'));
    const auto slash = uri.find('/');
    if (slash == 0 || slash == std::string_view::npos) return std::nullopt;
    out.server = uri.substr(0, slash);
    out.path = uri.substr(slash);
    const bool has_port = out.server.starts_with('[') ? out.server.contains("]:") : out.server.contains(':');
    if (!has_port) out.server += out.secure ? ":5684" : ":5683";
    return out;
}

}  // namespace

awaitable<void> Device::until_fetch() {
    co_await fetch_wake_->async_wait(asio::as_tuple(asio::use_awaitable));
}

awaitable<void> Device::fetch_packages() {
    while (alive()) {
        const auto fetch = objects_.firmware().fetching();
        if (fetch && *fetch != last_fetch_) {
            last_fetch_ = *fetch;
            co_await fetch_package(*fetch);
        } else {
            co_await (until_fetch() || until_dead());
        }
    }
}

awaitable<Result<coap::Reply>> Device::get_block(ports::CoapEndpoint& from, ports::Peer peer, coap::Message message) {
    last_traffic_ = clock_.now();
    auto ended = co_await (from.exchange(std::move(peer), std::move(message), config_.retry) || until_dead());
    last_traffic_ = clock_.now();
    if (ended.index() == 1) co_return fail(Errc::cancelled, "the device lost power");
    co_return std::get<0>(std::move(ended));
}

awaitable<void> Device::fetch_package(std::uint32_t fetch) {
    const auto address = parse_uri(objects_.firmware().package_uri());
    const bool usable = address && (!address->secure || (config_.credentials.secure() && !has(Quirk::pull_coap_only)));
    auto result = UpdateResult::unsupported_protocol;
    if (usable) {
        const bool same = has(Quirk::pull_same_session) || config_.fetch == nullptr;
        auto& from = same ? endpoint_ : *config_.fetch;
        std::optional<ports::Peer> peer = same ? peer_ : std::nullopt;
        if (!same) {
            ports::Credentials credentials;
            if (address->secure) credentials = config_.credentials.clone();
            auto connecting = from.connect(address->server, std::move(credentials));
            auto connected = co_await (std::move(connecting) || until_dead());
            if (connected.index() == 0 && std::get<0>(connected)) peer = *std::get<0>(connected);
            fetch_peer_ = peer;
        }
        const bool unresolved = !peer && has(Quirk::unknown_host);
        result = unresolved ? UpdateResult::update_failed : UpdateResult::connection_lost;
        if (peer && alive()) {
            result = co_await fetch_blocks(fetch, from, *peer, address->path);
        }
        if (fetch_peer_ && !same) from.drop(*fetch_peer_);
        fetch_peer_.reset();
    }
    // Quirk late-verdict: a package that was fetched is looked at as late as one that was pushed.
    if (has(Quirk::late_verdict)) check_due_ = clock_.now() + check_time;
    if (under_way(fetch) && result != UpdateResult::initial) objects_.firmware().fetch_failed(result);
    report_state();
    wake();
}

/// Result 0: it is over, or goes on elsewhere, and the firmware object knows.
awaitable<UpdateResult> Device::fetch_blocks(std::uint32_t fetch, ports::CoapEndpoint& from, ports::Peer peer,
                                             std::string path) {
    std::uint8_t szx = has(Quirk::pull_szx_64) ? 2 : has(Quirk::pull_szx_1024) ? 6 : 5;
    std::uint32_t num = 0;
    Bytes etag;
    std::optional<std::uint32_t> total;
    const coap::Token token(to_bytes(as_bytes(config_.endpoint.substr(0, 4) + std::to_string(fetch))));
    while (under_way(fetch)) {
        auto request = coap::make_request(Code::get, path);
        request.token = token;
        if (num > 0 || !has(Quirk::pull_no_block2)) request.set_block(OptionNumber::block2, {num, false, szx});
        if (num == 0) request.add_uint(OptionNumber::size2, 0);
        const auto reply = co_await get_block(from, peer, std::move(request));
        if (!under_way(fetch)) break;
        if (!reply || reply->message.code != Code::content) co_return UpdateResult::connection_lost;
        const auto& message = reply->message;
        const auto block = message.block2().value_or(coap::Block{0, false, szx});
        if (block.num != num) co_return UpdateResult::connection_lost;
        const auto tag = message.option(OptionNumber::etag);
        if (num == 0) {
            total = message.uint_option(OptionNumber::size2);
            etag = tag ? to_bytes(*tag) : Bytes{};
        } else if (tag && !std::ranges::equal(*tag, etag)) {
            num = 0;  // another package stands at the same place now
            continue;
        }
        const auto taken = objects_.firmware().fetched(block, message.payload, total);
        if (!board_.power().on()) {
            die("power lost");
            break;
        }
        if (taken && events_.block) events_.block(*taken);
        report_state();
        if (!taken || !block.more) break;
        szx = block.szx;
        ++num;
        const bool middle = total && block.offset() >= *total / 2 && !fetch_trouble_over_;
        if (middle && has(Quirk::pull_stops)) break;
        if (middle && has(Quirk::pull_restarts)) num = 0;
        fetch_trouble_over_ = fetch_trouble_over_ || middle;
        if (middle && has(Quirk::pull_gives_up)) co_return UpdateResult::connection_lost;
    }
    co_return UpdateResult::initial;
}

}  // namespace fota::virtdev
