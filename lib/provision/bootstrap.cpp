#include "provision/bootstrap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>

#include "base/text.hpp"
#include "lwm2m/value.hpp"

namespace fota::provision {

using boost::asio::awaitable;
using Kind = BootstrapEvent::Kind;

namespace {

using namespace std::chrono_literals;

/// The device reads its answer and gets ready before the first request comes.
constexpr Milliseconds grace = 100ms;
/// Where the bootstrap account sits on clients that cannot be asked: Zephyr and Anjay keep it in instance 0.
constexpr std::uint16_t usual_bootstrap_instance = 0;

coap::Answer answer(coap::Code code) {
    coap::Answer out;
    out.message.code = code;
    return out;
}

std::string query_value(const coap::Message& request, std::string_view name) {
    for (const auto& each : request.texts(coap::OptionNumber::uri_query))
        if (each.starts_with(name)) return each.substr(name.size());
    return "";
}

}  // namespace

struct BootstrapServer::Run {
    ports::Peer peer;
    std::string endpoint;
    lwm2m::ServerAccount account;
    boost::asio::cancellation_signal stop;
    std::string standing = "the device was not changed";
};

BootstrapServer::BootstrapServer(boost::asio::io_context& io, ports::CoapEndpoint& endpoint, ports::Clock& clock,
                                 BootstrapConfig config)
    : io_(io), coap_(endpoint), clock_(clock), config_(std::move(config)) {
    coap_.on_request(
        [this](const ports::Peer& peer, const coap::Message& request) { return on_request(peer, request); });
    coap_.on_gone([this](const ports::Peer& peer) {
        for (const auto& [name, run] : runs_)
            if (run->peer.session == peer.session) return run->stop.emit(boost::asio::cancellation_type::terminal);
    });
}

BootstrapServer::~BootstrapServer() {
    *alive_ = false;
    coap_.on_request({});
    coap_.on_gone({});
    for (const auto& [name, run] : runs_) run->stop.emit(boost::asio::cancellation_type::terminal);
}

coap::Answer BootstrapServer::on_request(const ports::Peer& peer, const coap::Message& request) {
    const auto path = request.texts(coap::OptionNumber::uri_path);
    if (path.size() != 1 || path[0] != "bs") return answer(coap::Code::not_found);
    if (request.code != coap::Code::post) return answer(coap::Code::method_not_allowed);
    const auto endpoint = query_value(request, "ep=");
    const auto refused = [&](Error error) {
        tell({Kind::refused, endpoint, peer.address, "", "", std::move(error)});
        return answer(coap::Code::forbidden);
    };
    // In clear a key would be given to whoever asks for it.
    if (!peer.secure) return refused(Error(Errc::authentication_failed, "expected DTLS, found a request in clear"));
    const auto owner = config_.identities.find(peer.identity);
    if (owner == config_.identities.end())
        return refused(Error(Errc::authentication_failed, "expected a known identity, found another"));
    if (endpoint.empty()) {
        tell({Kind::refused, owner->second, peer.address, "", "",
              Error(Errc::message_malformed, "expected ep= in the bootstrap request, found none")});
        return answer(coap::Code::bad_request);
    }
    if (owner->second != endpoint)
        return refused(Error(Errc::authentication_failed, fmt::format("expected {}, whose identity it is, found {}",
                                                                      printable(owner->second), printable(endpoint))));
    auto account = config_.account(endpoint);
    if (!account) return refused(std::move(account.error()));

    // A device that asks again has forgotten the first run, if there is one.
    if (const auto old = runs_.find(endpoint); old != runs_.end()) {
        const auto stopped = old->second;
        runs_.erase(old);
        stopped->stop.emit(boost::asio::cancellation_type::terminal);
    }
    auto run = std::make_shared<Run>();
    run->peer = peer;
    run->endpoint = endpoint;
    run->account = std::move(*account);
    runs_[endpoint] = run;
    tell({Kind::asked, endpoint, peer.address, "", "", std::nullopt});
    boost::asio::co_spawn(io_, serve(run),
                          boost::asio::bind_cancellation_slot(run->stop.slot(), [](std::exception_ptr failure) {
                              if (failure) std::rethrow_exception(failure);
                          }));
    return answer(coap::Code::changed);
}

awaitable<void> BootstrapServer::serve(std::shared_ptr<Run> run) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    const auto alive = alive_;
    auto done = co_await steps(*run);
    if (!*alive) co_return;
    const auto current = runs_.find(run->endpoint);
    const bool replaced = current == runs_.end() || current->second != run;
    if (!replaced) runs_.erase(current);
    if (done) {
        tell({Kind::finished, run->endpoint, run->peer.address, "", run->standing, std::nullopt});
    } else if (!replaced) {
        if (done.error().code() == Errc::cancelled)
            done = fail(Errc::peer_gone, "expected the device to stay for its bootstrap, found its session ended");
        tell({Kind::failed, run->endpoint, run->peer.address, "", run->standing, std::move(done.error())});
    }
}

awaitable<Result<coap::Message>> BootstrapServer::exchange(Run& run, coap::Message message) {
    auto reply = co_await coap_.exchange(run.peer, std::move(message), config_.retry);
    if (!reply) co_return fail(std::move(reply.error()));
    co_return std::move(reply->message);
}

awaitable<Result<>> BootstrapServer::steps(Run& run) {
    const auto say = [&](std::string step) {
        tell({Kind::step, run.endpoint, run.peer.address, step, "", std::nullopt});
    };
    const auto refused = [](std::string_view what, const coap::Message& reply) {
        return fail(Error(Errc::device_refused, fmt::format("expected the device to accept the {}, found {}", what,
                                                            coap::code_text(reply.code)))
                        .with("bootstrap", std::string(what)));
    };
    const auto awake = co_await clock_.sleep_until(clock_.now() + grace);
    if (!awake) co_return fail(Errc::cancelled, "the bootstrap was cancelled");

    say("discover");
    auto discover = coap::make_request(coap::Code::get, "/");
    discover.add_uint(coap::OptionNumber::accept, static_cast<std::uint32_t>(coap::Format::link));
    CO_TRY(const auto discovered, co_await exchange(run, std::move(discover)));
    std::uint16_t bootstrap_instance = usual_bootstrap_instance;
    bool may_read = false;
    if (discovered.code == coap::Code::content) {
        CO_TRY(const auto instances, lwm2m::parse_bootstrap_discover(as_text(discovered.payload)));
        may_read = true;
        for (const auto& each : instances)
            if (each.object == 0 && !each.short_id) bootstrap_instance = each.instance;
    }

    say("delete");
    auto erase = coap::make_request(coap::Code::del, "/");
    CO_TRY(const auto deleted, co_await exchange(run, std::move(erase)));
    if (!coap::is_success(deleted.code)) {
        // Some clients take the objects one by one only; that one is not there is as good.
        for (const auto* object : {"/0", "/1"}) {
            auto erase_one = coap::make_request(coap::Code::del, object);
            CO_TRY(const auto one, co_await exchange(run, std::move(erase_one)));
            if (!coap::is_success(one.code) && one.code != coap::Code::not_found) co_return refused("deletion", one);
        }
    }
    run.standing = "the device has no server account";

    say("write security");
    const std::uint16_t security = bootstrap_instance == 0 ? 1 : 0;
    auto write = coap::make_request(coap::Code::put, fmt::format("/0/{}", security));
    write.set_format(coap::Format::tlv);
    {
        const auto tlv = lwm2m::security_tlv(run.account);
        write.payload = tlv.reveal();
    }
    CO_TRY(const auto secured, co_await exchange(run, std::move(write)));
    if (!coap::is_success(secured.code)) co_return refused("Security instance", secured);
    run.standing = "the device has the key and no server to use it with";

    say("write server");
    auto server = coap::make_request(coap::Code::put, "/1/0");
    server.set_format(coap::Format::tlv);
    server.payload = lwm2m::server_tlv(run.account);
    CO_TRY(const auto served, co_await exchange(run, std::move(server)));
    if (!coap::is_success(served.code)) co_return refused("Server instance", served);
    run.standing = "the device has its account and was not told that this is all";

    if (may_read) {
        say("read");
        auto read = coap::make_request(coap::Code::get, "/1/0");
        read.add_uint(coap::OptionNumber::accept, static_cast<std::uint32_t>(coap::Format::tlv));
        CO_TRY(const auto shown, co_await exchange(run, std::move(read)));
        // Bootstrap-Read is optional; what it shows must be what was written.
        if (shown.code == coap::Code::content) {
            CO_TRY(const auto id, lwm2m::integer_value(lwm2m::resource(1, 0, 0), shown.format(), shown.payload));
            CO_TRY(const auto lifetime, lwm2m::integer_value(lwm2m::resource(1, 0, 1), shown.format(), shown.payload));
            if (id != run.account.short_id || lifetime != run.account.lifetime.count())
                co_return fail(
                    Errc::not_proven,
                    fmt::format("expected the server {} with a lifetime of {} s on the device, found {} and {} s",
                                run.account.short_id, run.account.lifetime.count(), id, lifetime));
        }
    }

    say("finish");
    auto finish = coap::make_request(coap::Code::post, "/bs");
    CO_TRY(const auto finished, co_await exchange(run, std::move(finish)));
    if (!coap::is_success(finished.code)) co_return refused("end of the bootstrap", finished);
    run.standing = "the device has its account";
    co_return Result<>{};
}

}  // namespace fota::provision
