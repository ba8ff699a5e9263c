#include "server/device.hpp"

#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <utility>

namespace fota::server {

using boost::asio::awaitable;
using namespace boost::asio::experimental::awaitable_operators;

// The cancellation state always goes into a variable first: GCC 12 miscompiles a coroutine in which co_await stands
// inside the condition of an if.

namespace {

/// A Read is for single resources; the largest of ours is an SFDP table.
constexpr std::size_t longest_value = 16 * 1024;

/// No device is taken to listen for less: a lost datagram looks the same.
constexpr Milliseconds shortest_listening{5'000};

}  // namespace

ports::Answer Device::answer_of(coap::Message message) {
    const auto format = message.format();
    ports::Answer out{message.code, format, {}};
    if (const auto seconds = message.uint_option(coap::OptionNumber::max_age))
        out.max_age = std::chrono::seconds(*seconds);
    out.payload = std::move(message.payload);
    return out;
}

Device::Device(boost::asio::io_context& io, ports::CoapEndpoint& endpoint, ports::Clock& clock, std::string name,
               LinkProfile profile, Unpredictable& random, PackageSource& packages)
    : coap_(endpoint),
      clock_(clock),
      name_(std::move(name)),
      signal_(io),
      rtt_(profile),
      random_(random),
      packages_(packages) {}

void Device::reachable_at(const ports::Peer& peer) {
    // Nothing that was asked elsewhere is answered any more.
    if (asked_in_ && *asked_in_ != peer.session) coap_.abandon(*std::exchange(asked_in_, std::nullopt));
    peer_ = peer;
    host_ = ports::host_of(peer);
}

void Device::awake() {
    ++awake_serial_;
    signal_.notify();
}

bool Device::fetches_from(const ports::Peer& peer) {
    if (peer.secure) return true;  // its identity was checked
    if (host_.empty()) host_ = ports::host_of(peer);
    return host_ == ports::host_of(peer);
}

bool Device::answers_at(const ports::Peer& peer) const {
    // Until it registers after our restart, who knows the path of its package is taken for it.
    if (peer.secure || registrations_ == 0) return true;
    return peer_ && coap_.vouched_for(*peer_) && ports::host_of(*peer_) == ports::host_of(peer);
}

bool Device::told_its_id_at(const ports::Peer& peer) const {
    return peer.secure || told_at_ == ports::host_of(peer);
}

void Device::registered(const ports::Peer& peer, std::uint64_t id, lwm2m::RegistrationParameters parameters) {
    registration_id_ = id;
    parameters.objects.shrink_to_fit();  // kept until it registers again
    ports::Registration fresh;
    fresh.parameters = std::move(parameters);
    fresh.address = peer.address;
    fresh.identity = peer.identity;
    fresh.secure = peer.secure;
    fresh.serial = ++registrations_;
    fresh.session = peer.session.value;
    fresh.last_heard = clock_.now();
    registration_ = std::move(fresh);
    reachable_at(peer);
    told_at_ = host_;
    observations_.clear();  // the device has forgotten them
    awake();
}

void Device::updated(const ports::Peer& peer, lwm2m::RegistrationUpdate update) {
    if (!registration_) return;
    auto& parameters = registration_->parameters;
    if (update.lifetime) parameters.lifetime = *update.lifetime;
    if (update.binding) parameters.binding = std::move(*update.binding);
    if (update.queue_mode) parameters.queue_mode = *update.queue_mode;
    if (update.objects) parameters.objects = std::move(*update.objects);
    if (update.root) parameters.root = std::move(*update.root);
    if (update.formats) parameters.formats = std::move(*update.formats);
    registration_->address = peer.address;
    registration_->session = peer.session.value;
    registration_->last_heard = clock_.now();
    reachable_at(peer);
    awake();
}

void Device::deregistered() {
    registration_id_ = 0;
    observations_.clear();
    registration_.reset();
    peer_.reset();
}

void Device::heard(Instant when) {
    if (registration_) registration_->last_heard = when;
}

void Device::session_gone(const ports::Peer& peer) {
    if (peer_ && peer_->session == peer.session) peer_.reset();
}

awaitable<Result<>> Device::await_awake(std::uint64_t after, std::optional<Instant> deadline) {
    while (awake_serial_ <= after) {
        if (!deadline) {
            co_await signal_.wait();
        } else if (clock_.now() >= *deadline) {
            co_return fail(Errc::device_absent, fmt::format("expected {} to register, it did not", name_));
        } else {
            co_await (signal_.wait() || clock_.sleep_until(*deadline));
        }
        const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != boost::asio::cancellation_type::none)
            co_return fail(Errc::cancelled, "waiting was cancelled");
    }
    co_return Result<>{};
}

bool Device::asleep() const {
    return registration_ && registration_->parameters.queue_mode && idle() > listens_;
}

Milliseconds Device::idle() const {
    return registration_ ? to_ms(clock_.now() - registration_->last_heard) : Milliseconds(0);
}

void Device::learn_answered(Milliseconds idle, int resends) {
    // An answer to a repetition does not tell when the first one arrived.
    if (resends > 0) return;
    listened_ = std::max(listened_, idle);
    listens_ = std::max(listens_, idle);
    if (unanswered_ && idle >= *unanswered_) unanswered_.reset();
}

void Device::learn_unanswered(Milliseconds idle) {
    // It listens longer than that: its link failed. And the questions of one silence are one sign, not many.
    if (idle <= listened_ || (unanswered_ && unanswered_waking_ == awake_serial_)) return;
    // An outage looks the same as a closed window; two of them in a row, each after another waking, hardly happen.
    const auto before = std::exchange(unanswered_, idle);
    unanswered_waking_ = awake_serial_;
    if (before)
        listens_ =
            std::clamp(std::max(*before, idle), std::max(shortest_listening, listened_), std::max(listens_, listened_));
}

awaitable<Result<>> Device::await_waking(std::optional<Milliseconds> longest) {
    const auto span = longest.value_or(registration_ ? ports::longest_sleep(*registration_) : Milliseconds(0));
    co_return co_await await_awake(awake_serial_, clock_.now() + span);
}

/// Until the device is heard of again, at most for a while.
awaitable<void> Device::await_contact(Milliseconds most) {
    co_await (signal_.wait() || clock_.sleep_until(clock_.now() + most));
}

coap::Retry Device::retry() const {
    return {rtt_.timeout(), rtt_.profile().max_retransmit, Milliseconds(93'000), rtt_.profile().longest_timeout};
}

std::string Device::full_path(const lwm2m::Path& path) const {
    const auto root = registration_ ? registration_->parameters.root : std::string("/");
    return root.substr(0, root.size() - 1) + path.text();
}

awaitable<Result<coap::Reply>> Device::exchange(coap::Message message, coap::Retry retry) {
    if (!peer_) co_return fail(Errc::peer_gone, fmt::format("expected {} to be reachable, its session is gone", name_));
    asked_in_ = peer_->session;
    co_return co_await coap_.exchange(*peer_, std::move(message), retry);
}

awaitable<Result<coap::Reply>> Device::request(coap::Message message) {
    const auto silent = idle();
    auto reply = co_await exchange(std::move(message), retry());
    if (reply) {
        learn_answered(silent, reply->resends);
        heard(clock_.now());
        rtt_.answered(*reply);
    } else if (reply.error().code() == Errc::timed_out) {
        learn_unanswered(silent);
    }
    co_return reply;
}

awaitable<Result<ports::Answer>> Device::read(lwm2m::Path path, coap::Format accept) {
    auto message = coap::make_request(coap::Code::get, full_path(path));
    message.add_uint(coap::OptionNumber::accept, static_cast<std::uint32_t>(accept));
    auto reply = co_await request(message);
    if (!reply) co_return Failure(std::move(reply.error()));
    if (reply->message.code == coap::Code::not_acceptable || reply->message.code == coap::Code::bad_option ||
        reply->message.code == coap::Code::unsupported_content_format) {
        message.remove(coap::OptionNumber::accept);
        reply = co_await request(message);
        if (!reply) co_return Failure(std::move(reply.error()));
    }
    auto answer = answer_of(reply->message);
    // A Read that is not taken to its end makes some clients answer 5.03 to everything else.
    auto block = reply->message.block2();
    while (block && block->more && answer.ok()) {
        if (answer.payload.size() > longest_value || block->num == coap::max_block_num)
            co_return fail(
                Errc::message_malformed,
                fmt::format("expected a value of at most {} bytes at {}, found more", longest_value, path.text()));
        // The device may go on in smaller blocks than it began with: what counts is where the next one stands (RFC 7959
        // section 2.4).
        const auto offset = answer.payload.size();
        if (offset % block->size() != 0)
            co_return fail(Errc::message_malformed,
                           fmt::format("expected a whole number of blocks of {} bytes of {}, found {} bytes",
                                       block->size(), path.text(), offset));
        const auto wanted = static_cast<std::uint32_t>(offset / block->size());
        message.set_block(coap::OptionNumber::block2, {wanted, false, block->szx});
        auto next = co_await request(message);
        if (!next) co_return Failure(std::move(next.error()));
        block = next->message.block2();
        if (!coap::is_success(next->message.code) || !block || block->offset() != offset ||
            (next->message.payload.empty() && block->more))
            co_return fail(Errc::message_malformed,
                           fmt::format("expected block {} of {}, found another answer", wanted, path.text()));
        append(answer.payload, next->message.payload);
    }
    co_return answer;
}

awaitable<Result<ports::Answer>> Device::execute(lwm2m::Path path, std::string arguments) {
    auto message = coap::make_request(coap::Code::post, full_path(path));
    if (!arguments.empty()) {
        message.set_format(coap::Format::text);
        message.payload = to_bytes(as_bytes(arguments));
    }
    auto reply = co_await request(std::move(message));
    if (!reply) co_return Failure(std::move(reply.error()));
    co_return answer_of(std::move(reply->message));
}

Result<std::unique_ptr<ports::Offer>> Device::offer(ports::OfferRequest wish) {
    // Served again after a restart, before the device has been heard of: it has its URI already.
    const auto here = peer_ ? coap_.address_towards(*peer_) : coap_.local_address();
    auto authority = wish.advertise.empty() ? here : std::move(wish.advertise);
    const bool has_port = authority.starts_with('[') ? authority.contains("]:") : authority.contains(':');
    if (!has_port) authority += here.substr(std::min(here.size(), here.rfind(':')));
    return packages_.offer(name_, peer_ && peer_->secure ? "coaps" : "coap", authority, wish.image, wish.secret);
}

awaitable<Result<ports::Delivery>> Device::deliver(ports::DeliveryRequest wish) {
    const auto szx = coap::szx_of(wish.block_size);
    if (!szx || wish.start_offset >= wish.image.size())
        co_return fail(Errc::internal, "a delivery needs a block size of 16 to 1024 and something to send");
    const auto body = wish.image.subspan(static_cast<std::size_t>(wish.start_offset));
    coap::Block1Sender sender({full_path(wish.package), coap::Format::opaque, body, *szx, wish.first_block,
                               wish.token.empty() ? coap::Token::of(random_()) : coap::Token(wish.token)});
    ports::Delivery out;
    auto& progress = out.progress;
    progress.total = wish.image.size();
    auto last_progress = clock_.now();
    auto pause = Milliseconds(1'000);
    const auto report = [&](bool paused) {
        progress.bytes = wish.start_offset + sender.acknowledged();
        progress.block = sender.block();
        progress.blocks = sender.blocks();
        progress.block_size = 1u << (sender.szx() + 4);
        progress.paused = paused;
        progress.round_trip = rtt_.round_trip();
        if (wish.on_progress) wish.on_progress(progress);
    };
    const auto finish = [&](ports::Delivery::End end) {
        out.end = end;
        out.block_size = 1u << (sender.szx() + 4);
        report(false);
        return out;
    };
    report(false);
    int wakings = 0;
    for (;;) {
        if (asleep() && wakings < ports::most_wakings) {
            // It sleeps by agreement: the transfer goes on when it wakes, and until then nothing stalls.
            report(true);
            CO_TRY_VOID(co_await await_waking(wish.sleep));
            last_progress = clock_.now();
            ++wakings;
        }
        if (clock_.now() - last_progress > wish.stall)
            co_return fail(Error(Errc::transfer_stalled,
                                 fmt::format("expected block {} of {} to be acknowledged within {} s, found silence",
                                             sender.block() + 1, sender.blocks(), wish.stall.count() / 1000))
                               .with("block", std::to_string(sender.block())));
        auto options = retry();
        if (sender.block() == 0)
            options.ack_timeout = std::max(options.ack_timeout, rtt_.profile().first_block_timeout);
        const auto session = peer_ ? peer_->session.value : 0;
        if (is_stranger()) {
            constexpr std::uint16_t state = 3;
            auto path = wish.package;
            path.resource = state;
            const auto answer = co_await read(path, coap::Format::text);
            if (!answer && answer.error().code() == Errc::cancelled) co_return Failure(answer.error());
        }
        const auto silent = idle();
        const auto reply = co_await exchange(sender.request(), options);
        const auto sent =
            std::min<std::uint64_t>(std::uint64_t{1} << (sender.szx() + 4), body.size() - sender.acknowledged());
        if (!reply) {
            if (reply.error().code() == Errc::cancelled) co_return Failure(reply.error());
            // Nothing came back, or the session ended: the block may have been taken. Wait for the device, then send
            // the same block again; the identity counts, not the address it comes from.
            sender.on_timeout();
            const auto resends = static_cast<std::uint64_t>(rtt_.profile().max_retransmit) + 1;
            if (reply.error().code() == Errc::timed_out) {
                progress.retransmissions += resends;
                progress.payload_bytes += sent * resends;
                rtt_.exhausted();
                learn_unanswered(silent);
            }
            if (peer_ && peer_->session.value != session) continue;
            report(true);
            const auto left = wish.stall - to_ms(clock_.now() - last_progress);
            co_await await_contact(
                std::clamp(pause, Milliseconds(0), std::max(left, Milliseconds(0)) + Milliseconds(1)));
            const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
            if (cancellation.cancelled() != boost::asio::cancellation_type::none)
                co_return fail(Errc::cancelled, "the transfer was cancelled");
            pause = std::min(pause * 2, Milliseconds(30'000));
            continue;
        }
        pause = Milliseconds(1'000);
        learn_answered(silent, reply->resends);
        heard(clock_.now());
        // The first block's answer tells of the erase, not of the link.
        if (sender.block() > 0) rtt_.answered(*reply);
        progress.retransmissions += static_cast<std::uint64_t>(reply->resends);
        progress.payload_bytes += sent * static_cast<std::uint64_t>(reply->resends + 1);
        out.last = reply->message.code;
        out.most = reply->message.code == coap::Code::request_entity_too_large
                       ? reply->message.uint_option(coap::OptionNumber::size1)
                       : std::optional<std::uint32_t>();
        const auto before = sender.acknowledged();
        const auto step = sender.on_reply(reply->message, reply->resends);
        if (sender.acknowledged() > before) {
            last_progress = clock_.now();
            wakings = 0;
        }
        switch (step) {
            case coap::Block1Sender::Step::send:
                report(false);
                break;
            case coap::Block1Sender::Step::wait:
                co_await clock_.sleep_until(clock_.now() + sender.retry_after());
                break;
            case coap::Block1Sender::Step::done:
                co_return finish(ports::Delivery::End::complete);
            case coap::Block1Sender::Step::check_state:
                co_return finish(ports::Delivery::End::check_state);
            case coap::Block1Sender::Step::lost_place:
                co_return finish(ports::Delivery::End::lost_place);
            case coap::Block1Sender::Step::refused:
                co_return finish(ports::Delivery::End::refused);
        }
        const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
        if (cancellation.cancelled() != boost::asio::cancellation_type::none)
            co_return fail(Errc::cancelled, "the transfer was cancelled");
    }
}

}  // namespace fota::server
