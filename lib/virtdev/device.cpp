#include "virtdev/device.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <string_view>

namespace fota::virtdev {
namespace {

namespace asio = boost::asio;
using asio::awaitable;
using coap::Code;
using coap::OptionNumber;
using namespace asio::experimental::awaitable_operators;

/// More resets in a row than any power supply would survive: the model, not the supply, is at fault.
constexpr int most_boot_attempts = 1000;

/// Anjay: how long it remembers a block-wise transfer whose next block does not come (measured: 300 s).
constexpr Milliseconds longest_push_pause{300'000};
/// Quirk late-verdict: from the last block to what the application says of the package.
constexpr Milliseconds check_time{20'000};
constexpr std::uint8_t szx_32 = 1;

/// "/rd/4711" of a Register's answer; "" when there is none.
std::string location_of(const coap::Message& answer) {
    std::string path;
    for (const auto& segment : answer.texts(OptionNumber::location_path)) path += "/" + segment;
    return path;
}

}  // namespace

Device::Device(Board& board, ports::CoapEndpoint& endpoint, ports::Clock& clock, DeviceConfig config,
               DeviceEvents events)
    : board_(board),
      endpoint_(endpoint),
      clock_(clock),
      config_(std::move(config)),
      events_(std::move(events)),
      objects_(board, config_.quirks, config_.lifetime) {}

awaitable<Result<>> Device::run() {
    const auto executor = co_await asio::this_coro::executor;
    wake_ = std::make_unique<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
    fetch_wake_ = std::make_unique<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
    death_ = std::make_unique<asio::steady_timer>(executor, asio::steady_timer::time_point::max());
    endpoint_.on_request([this](const auto& peer, const auto& request) { return on_request(peer, request); });
    Result<> outcome;
    while (!stopped_) {
        outcome = co_await boot();
        if (!outcome) break;
        co_await (live() && fetch_packages());
        disconnect();
        if (stopped_) break;
        if (vanished_) {
            while (!stopped_) {
                co_await until_stopped();
            }
            break;
        }
        if (events_.reboot) events_.reboot(death_reason_);
    }
    disconnect();
    endpoint_.on_request([](const auto&, const auto&) { return coap::Answer{coap::Answer::Kind::silence, {}}; });
    co_return outcome;
}

awaitable<void> Device::until_woken() {
    if (!woken_) co_await wake_->async_wait(asio::as_tuple(asio::use_awaitable));
    woken_ = false;
}

awaitable<void> Device::until_dead() {
    if (alive()) co_await death_->async_wait(asio::as_tuple(asio::use_awaitable));
}

awaitable<void> Device::until_stopped() {
    if (!stopped_) co_await death_->async_wait(asio::as_tuple(asio::use_awaitable));
}

void Device::wake() {
    woken_ = true;
    if (wake_) wake_->cancel();
}

void Device::stop() {
    stopped_ = true;
    wake();
    if (death_) death_->cancel();
}

void Device::lose_power() {
    board_.power().power_off();
    die("power lost");
}

void Device::die(std::string reason) {
    dead_ = true;
    death_reason_ = std::move(reason);
    wake();
    if (death_) death_->cancel();
}

void Device::disconnect() {
    if (peer_) endpoint_.drop(*peer_);
    if (fetch_peer_ && config_.fetch) config_.fetch->drop(*fetch_peer_);
    fetch_peer_.reset();
    peer_.reset();
    location_.clear();
    outgoing_.clear();
    update_due_.reset();
    objects_.forget_observations();
}

awaitable<Result<>> Device::boot() {
    reboot_due_.reset();
    check_due_.reset();
    register_again_ = false;
    if (booted_before_) {
        const auto ready = clock_.now() + config_.boot_time;
        while (!stopped_ && clock_.now() < ready) {
            co_await (clock_.sleep_until(ready) || until_stopped());
        }
        if (stopped_) co_return Result<>{};
    }
    auto boot = board_.reboot();
    for (int attempt = 1; !boot && attempt < most_boot_attempts; ++attempt) boot = board_.reboot();
    if (!boot) co_return fail(std::move(boot.error()).in("booting the virtual device"));
    if (events_.boot_log) {
        std::string_view rest = boot->log;
        while (!rest.empty()) {
            const auto line = rest.substr(0, rest.find('\n'));
            events_.boot_log(std::string(line));
            rest.remove_prefix(std::min(rest.size(), line.size() + 1));
        }
    }
    if (!boot->booted)
        co_return fail(Errc::image_malformed,
                       "expected a valid image in the primary slot, found none that the bootloader boots");
    dead_ = false;
    booted_before_ = true;
    objects_.after_boot(*boot);
    const auto version = version_text(boot->header.version);
    if (boot->swap == Swap::revert && events_.reverted) events_.reverted(version);
    if ((boot->swap == Swap::test || boot->swap == Swap::permanent) && events_.swapped)
        events_.swapped(last_version_, version);
    last_version_ = version;
    report_state();
    co_return Result<>{};
}

awaitable<void> Device::wait_until(Instant deadline) {
    co_await (clock_.sleep_until(deadline) || until_woken());
}

awaitable<Result<coap::Reply>> Device::exchange(coap::Message message) {
    last_traffic_ = clock_.now();
    auto ended = co_await (endpoint_.exchange(*peer_, std::move(message), config_.retry) || until_dead());
    last_traffic_ = clock_.now();
    if (ended.index() == 1) co_return fail(Errc::cancelled, "the device lost power");
    co_return std::get<0>(std::move(ended));
}

Instant Device::next_update() const {
    const auto lifetime = objects_.lifetime();
    if (lifetime == std::chrono::seconds(0)) return Instant::max();
    // As Zephyr does it: ten seconds before the end; a short lifetime is halved.
    return clock_.now() +
           (lifetime > std::chrono::seconds(20) ? lifetime - std::chrono::seconds(10) : Milliseconds(lifetime) / 2);
}

Instant Device::next_deadline() const {
    auto next = update_due_.value_or(Instant::max());
    if (reboot_due_) next = std::min(next, *reboot_due_);
    if (check_due_) next = std::min(next, *check_due_);
    for (const auto& out : outgoing_) next = std::min(next, out.due);
    // A timer that never ends in practice: virtual and real clocks both add to the present.
    return std::min(next, clock_.now() + std::chrono::hours(24 * 365));
}

awaitable<void> Device::live() {
    const bool unseen = has(Quirk::revert_unseen) && !board_.confirmed().value_or(true);
    if (unseen) reboot_due_ = clock_.now() + config_.reboot_after;
    while (alive()) {
        if (reboot_due_ && clock_.now() >= *reboot_due_) {
            if (has(Quirk::deregisters)) {
                co_await deregister();
            }
            die("reset");
        } else if (check_due_ && clock_.now() >= *check_due_) {
            check_due_.reset();
            objects_.firmware().check_package();
            report_state();
        } else if (!peer_ && !unseen) {
            co_await connect_and_register();
        } else if (send_due()) {
            co_await send_outgoing();
        } else if (register_again_ && !objects_.firmware().receiving()) {
            register_again_ = false;
            co_await register_or_disconnect();
        } else if (update_due_ && clock_.now() >= *update_due_) {
            co_await update();
        } else {
            co_await wait_until(next_deadline());
        }
    }
}

bool Device::send_due() {
    for (auto& message : objects_.notifications()) outgoing_.push_front({clock_.now(), std::move(message)});
    return !outgoing_.empty() && outgoing_.front().due <= clock_.now();
}

awaitable<void> Device::send_outgoing() {
    auto message = std::move(outgoing_.front().message);
    outgoing_.pop_front();
    // A response or notification that nobody acknowledges is the server's loss.
    auto sent = co_await exchange(std::move(message));
    (void)sent;
}

coap::Message Device::registration_message(const std::string& path, bool full) const {
    auto message = coap::make_request(Code::post, path);
    const bool old = has(Quirk::lwm2m_1_0);
    if (full) {
        message.add(OptionNumber::uri_query, old ? "lwm2m=1.0" : has(Quirk::lwm2m_1_2) ? "lwm2m=1.2" : "lwm2m=1.1");
        message.add(OptionNumber::uri_query, "ep=" + config_.endpoint);
    }
    message.add(OptionNumber::uri_query, fmt::format("lt={}", objects_.lifetime().count()));
    if (full) {
        const bool queue = has(Quirk::queue_mode);
        message.add(OptionNumber::uri_query, old && queue ? "b=UQ" : "b=U");
        if (!old && queue) message.add(OptionNumber::uri_query, "Q");
    }
    if (full || has(Quirk::blocked_register)) {
        message.set_format(coap::Format::link);
        message.payload = to_bytes(as_bytes(objects_.links()));
    }
    return message;
}

awaitable<Result<coap::Reply>> Device::send_registration(coap::Message message) {
    if (!has(Quirk::blocked_register)) co_return co_await exchange(std::move(message));
    const auto body = std::move(message.payload);
    coap::Block block{0, true, szx_32};
    for (;; ++block.num) {
        const auto rest = BytesView(body).subspan(static_cast<std::size_t>(block.offset()));
        block.more = rest.size() > block.size();
        auto part = message;
        part.payload = to_bytes(rest.first(std::min<std::size_t>(rest.size(), block.size())));
        part.set_block(OptionNumber::block1, block);
        auto reply = co_await exchange(std::move(part));
        if (!block.more || !reply || reply->message.code != Code::continue_) co_return reply;
    }
}

awaitable<void> Device::deregister() {
    if (!peer_ || location_.empty()) co_return;
    auto reply = co_await exchange(coap::make_request(Code::del, location_));
    (void)reply;
}

awaitable<bool> Device::register_on_peer() {
    location_.clear();
    auto reply = co_await send_registration(registration_message("/rd", true));
    if (!alive()) co_return false;
    if (reply && reply->message.code == Code::created) {
        location_ = location_of(reply->message);
        if (!location_.empty()) {
            registered();
            co_return true;
        }
    }
    if (events_.trouble) {
        if (!reply)
            events_.trouble(std::move(reply.error()).in("registering"));
        else
            events_.trouble(
                Error(Errc::device_refused, fmt::format("expected 2.01 with a location for the registration, found {}",
                                                        coap::code_text(reply->message.code))));
    }
    co_return false;
}

awaitable<void> Device::register_or_disconnect() {
    const bool done = co_await register_on_peer();
    if (!done) disconnect();
}

awaitable<Result<ports::Peer>> Device::connect() {
    // Named, since GCC 12 destroys temporaries of an awaited expression twice.
    auto credentials = config_.credentials.clone();
    auto connecting = endpoint_.connect(config_.server, std::move(credentials));
    auto ended = co_await (std::move(connecting) || until_dead());
    if (ended.index() == 1) co_return fail(Errc::cancelled, "the device lost power");
    co_return std::get<0>(std::move(ended));
}

awaitable<void> Device::connect_and_register() {
    auto connected = co_await connect();
    if (connected) {
        peer_ = std::move(*connected);
        const bool done = co_await register_on_peer();
        if (done) co_return;
        disconnect();
    } else if (alive() && events_.trouble) {
        events_.trouble(std::move(connected.error()).in(fmt::format("connecting to {}", config_.server)));
    }
    const auto again = clock_.now() + config_.retry_pause;
    while (alive() && clock_.now() < again) {
        co_await wait_until(again);
    }
}

void Device::registered() {
    update_due_ = next_update();
    if (events_.registered) events_.registered(objects_.firmware_version());
    if (board_.confirmed().value_or(true)) return;
    if (has(Quirk::revert)) {
        reboot_due_ = clock_.now() + config_.revert_after;
    } else if (const auto confirmed = board_.confirm(); !confirmed && events_.trouble) {
        events_.trouble(confirmed.error());
    }
}

awaitable<void> Device::update() {
    if (has(Quirk::no_update_in_push) && objects_.firmware().receiving()) {
        register_again_ = true;
        update_due_.reset();
        co_return;
    }
    update_due_.reset();
    auto reply = co_await send_registration(registration_message(location_, false));
    if (!alive()) co_return;
    if (reply && reply->message.code == Code::changed) {
        if (!update_due_) update_due_ = next_update();
        co_return;
    }
    if (!reply) {
        if (events_.trouble) events_.trouble(std::move(reply.error()).in("updating the registration"));
        disconnect();
        co_return;
    }
    // Zephyr registers anew on anything but 2.04.
    co_await register_or_disconnect();
}

void Device::report_state() {
    const std::pair now{objects_.firmware().state(), objects_.firmware().result()};
    if (now == reported_) return;
    reported_ = now;
    if (events_.state) events_.state(now.first, now.second);
}

coap::Answer Device::on_request(const ports::Peer& peer, const coap::Message& request) {
    const auto now = clock_.now();
    const bool asleep = has(Quirk::queue_mode) && now - last_traffic_ > config_.awake;
    if (!alive() || vanished_ || asleep || !peer_ || peer.session != peer_->session)
        return {coap::Answer::Kind::silence, {}};
    last_traffic_ = now;
    if (has(Quirk::busy_during_push) && objects_.firmware().receiving() && now - last_block_ > longest_push_pause)
        objects_.firmware().push_expired();
    auto reaction = objects_.handle(request);
    if (reaction.block) last_block_ = now;
    if (reaction.block && events_.block) events_.block(*reaction.block);
    report_state();
    if (reaction.later) {
        reaction.later->token = request.token;
        outgoing_.push_back({now + reaction.later_after, std::move(*reaction.later)});
        std::ranges::stable_sort(outgoing_, {}, &Outgoing::due);
    }
    switch (reaction.afterwards) {
        case Afterwards::nothing:
            break;
        case Afterwards::reboot:
            if (!reboot_due_) reboot_due_ = now + config_.reboot_after;
            break;
        case Afterwards::reboot_now:
            die(board_.power().on() ? "reset" : "power lost");
            break;
        case Afterwards::vanish:
            vanished_ = true;
            die("vanished");
            break;
        case Afterwards::fetch:
            fetch_wake_->cancel();
            break;
        case Afterwards::update:
            update_due_ = now;
            break;
        case Afterwards::check:
            check_due_ = now + check_time;
            break;
    }
    wake();
    return std::move(reaction.answer);
}

}  // namespace fota::virtdev
