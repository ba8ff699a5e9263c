#include <fmt/format.h>

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <random>
#include <utility>

#include "base/text.hpp"
#include "lwm2m/value.hpp"
#include "update/runner.hpp"
#include "update/states.hpp"

namespace fota::update {

using boost::asio::awaitable;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

/// How long a device may take to look at a complete package before State leaves 1.
constexpr Milliseconds longest_check{60'000};
constexpr Milliseconds state_poll{2'000};
/// Where the device tells by itself: its notifications are confirmable as a rule, and yet may be lost.
constexpr Milliseconds watched_poll{10'000};
/// Block progress is journaled at most this often; it may be lost.
constexpr Milliseconds journal_interval{1'000};
constexpr std::uint64_t journal_bytes = 64 * 1024;
/// A link that moves journal_bytes in less sends a whole package again sooner than the writing is worth.
constexpr Milliseconds fastest_journal{100};
/// Of the path under which a package is fetched.
constexpr std::size_t secret_size = 16;
/// While the device fetches nothing: how often its State is read.
constexpr Milliseconds pull_poll{15'000};
constexpr Milliseconds watched_pull_poll{45'000};
constexpr Milliseconds pull_pause{5'000};
constexpr Milliseconds longest_foreign_fetch{6 * 3600 * 1000};
constexpr Milliseconds longest_pull_pause{120'000};

/// One token serves a whole transfer; a client that keeps state by token must not take a new transfer for the last one.
Bytes fresh_token(std::size_t size) {
    std::random_device random;
    Bytes out(size);
    for (auto& byte : out) byte = static_cast<std::uint8_t>(random());
    return out;
}

}  // namespace

/// How much of a package the device says it has stored, asked once; nullopt when it does not tell.
awaitable<Result<std::optional<std::uint64_t>>> Runner::stored_now() {
    namespace flash = lwm2m::external_flash;
    if (!link_.registration() || !link_.registration()->parameters.has_object(flash::object))
        co_return std::optional<std::uint64_t>{};
    const auto answer = co_await link_.read(flash::stored_bytes, lwm2m::Format::text);
    if (!answer && answer.error().code() == Errc::cancelled) co_return Failure(answer.error());
    if (!answer || !answer->ok()) co_return std::optional<std::uint64_t>{};
    const auto value = lwm2m::integer_value(flash::stored_bytes, answer->format, answer->payload);
    if (!value || *value < 0) co_return std::optional<std::uint64_t>{};
    co_return std::optional<std::uint64_t>(static_cast<std::uint64_t>(*value));
}

/// What the device is to know before it decides: written where it has the resources, and no reason to stop where not.
awaitable<Result<>> Runner::announce_terms() {
    if (policy_.severity) {
        CO_TRY_VOID(co_await view_.write(object_.severity(), to_bytes(as_bytes(std::to_string(*policy_.severity))),
                                         lwm2m::Format::text));
    }
    if (policy_.max_defer) {
        CO_TRY_VOID(co_await view_.write(
            object_.max_defer(), to_bytes(as_bytes(std::to_string(policy_.max_defer->count()))), lwm2m::Format::text));
    }
    co_return Result<>{};
}

awaitable<Result<ports::Delivery>> Runner::deliver(const Deliver& plan) {
    CO_TRY_VOID(co_await announce_terms());
    step(Step::deliver);
    if (method_ == Method::pull) {
        co_return co_await pull(plan);
    }
    co_return co_await push(plan);
}

awaitable<Result<ports::Delivery>> Runner::push(const Deliver& plan) {
    ports::DeliveryRequest request;
    request.package = object_.package();
    request.image = package();
    request.block_size = block_size_;
    request.stall = policy_.stall;
    request.sleep = policy_.wait;
    request.start_offset = plan.start_offset;
    OpenAttempt::Transfer transfer;
    if (plan.resume) {
        transfer = *plan.resume;
        request.token = transfer.token;
        request.block_size = transfer.block_size;
        request.first_block = transfer.block;
        observer_.remark(fmt::format(
            "goes on at {}", human_size(transfer.offset + std::uint64_t{transfer.block} * transfer.block_size)));
    } else {
        if (plan.start_offset > 0) {
            auto answer =
                co_await view_.write(lwm2m::external_flash::start_offset,
                                     to_bytes(as_bytes(std::to_string(plan.start_offset))), lwm2m::Format::text);
            if (!answer) co_return Failure(std::move(answer.error()));
            if (answer->ok())
                observer_.remark(fmt::format("the device kept {}: the rest follows", human_size(plan.start_offset)));
            else
                request.start_offset = 0;
        }
        request.token = fresh_token(8);
        transfer = {request.token, request.start_offset, request.block_size, 0};
    }
    transfer.automatic = automatic_;
    CO_TRY_VOID(journal_.transfer(attempt_->id, transfer));
    const auto bytes_before = report.bytes_sent;
    const auto resends_before = report.retransmissions;
    const auto blocks_before = report.blocks;
    std::uint32_t blocks_here = 0;
    std::uint64_t bytes_here = request.start_offset + std::uint64_t{request.first_block} * request.block_size;
    auto journaled_at = clock_.now();
    auto journaled_bytes = bytes_here;
    request.on_progress = [&](const ports::DeliveryProgress& progress) {
        if (progress.bytes > bytes_here) ++blocks_here;
        bytes_here = progress.bytes;
        report.bytes_sent = bytes_before + progress.payload_bytes;
        report.retransmissions = resends_before + progress.retransmissions;
        report.blocks = blocks_before + blocks_here;
        observer_.progress(progress);
        const auto since = clock_.now() - journaled_at;
        const bool further = progress.bytes >= journaled_bytes + journal_bytes && since >= fastest_journal;
        if ((!further && since < journal_interval) || progress.block == 0) return;
        // Lost progress costs a few blocks; a store that fails is noticed at the next intent.
        (void)journal_.block(attempt_->id, progress.block, progress.block_size);
        journaled_at = clock_.now();
        journaled_bytes = progress.bytes;
    };
    co_return co_await link_.deliver(std::move(request));
}

awaitable<Result<ports::Delivery>> Runner::pull(const Deliver& plan) {
    // A device that gave up gets a pause that grows: its link may be what failed (Result 4).
    if (pull_failures_ > 0) {
        const auto pause = std::min(pull_pause * (1 << std::min(pull_failures_ - 1, 6)), longest_pull_pause);
        const bool slept = co_await clock_.sleep_until(clock_.now() + pause);
        if (!slept) co_return fail(Errc::cancelled, "waiting was cancelled");
    }
    OpenAttempt::Transfer transfer;
    if (plan.resume) transfer = *plan.resume;
    if (transfer.token.size() < secret_size) transfer.token = fresh_token(secret_size);
    transfer.pull = true;
    transfer.automatic = automatic_;
    auto offer = std::move(standing_offer_);
    if (!plan.resume) offer.reset();
    auto uri = policy_.package_uri;
    if (uri.empty() && !offer) {
        CO_TRY(offer, link_.offer({package(), policy_.advertise, transfer.token}));
    }
    if (offer) uri = offer->uri();
    uri_ = uri;
    CO_TRY_VOID(journal_.transfer(attempt_->id, transfer));
    if (plan.resume) {
        observer_.remark("the device goes on fetching");
    } else {
        CO_TRY(const auto state, co_await view_.integer(object_.state()));
        if (state.value_or(idle) != idle) {
            CO_TRY_VOID(co_await reset());
            step(Step::deliver);
        }
        CO_TRY(const auto answer,
               co_await view_.write(object_.package_uri(), to_bytes(as_bytes(uri)), lwm2m::Format::text));
        if (!answer.ok()) {
            ports::Delivery refused;
            refused.end = ports::Delivery::End::refused;
            refused.last = answer.code;
            co_return refused;
        }
        observer_.remark(fmt::format("the device fetches from {}", printable(uri)));
    }
    auto end = co_await await_fetched(offer.get());
    if (end && end->end == ports::Delivery::End::lost_place) {
        ++pull_failures_;
    } else {
        pull_failures_ = 0;
    }
    co_return end;
}

/// A device that went on fetching from the standing offer, before it registered here or while nobody was there to read
/// its State, holds our package: by the last block that was served, or by where it says it has it from.
awaitable<Result<>> Runner::recognize_fetched(const DeviceFacts& facts) {
    if (facts.state != downloaded || !standing_offer_ || !attempt_ || attempt_->downloaded) co_return Result<>{};
    const auto& served = standing_offer_->progress();
    if (served.requests == 0 || served.bytes != package().size()) {
        const auto from = co_await told_text(object_.package_uri());
        if (!from && from.error().code() != Errc::device_refused) co_return Failure(from.error());
        if (!from || *from != standing_offer_->uri()) co_return Result<>{};
    }
    CO_TRY_VOID(journal_.downloaded(attempt_->id));
    attempt_->downloaded = true;
    co_return Result<>{};
}

/// Has the device tell when State changes, where it does so; asked once. One that sleeps at times is asked when it is
/// heard of, and what it would tell meanwhile it does not send.
awaitable<Result<>> Runner::watch_state(StateWatch& told) {
    const auto* registration = link_.registration();
    if (told.tried || registration == nullptr || registration->parameters.queue_mode) co_return Result<>{};
    told.tried = true;
    auto begun = co_await link_.watch(object_.state());
    if (!begun && begun.error().code() == Errc::cancelled) co_return Failure(begun.error());
    if (!begun) co_return Result<>{};
    told.watch = std::move(*begun);
    told.fresh = true;
    co_return Result<>{};
}

/// Until it fetches more than `requests` (true), it tells that State has changed, or, if it sleeps at times, it is
/// heard of: it listens for seconds only, and what is wanted of it is asked at once.
awaitable<Result<bool>> Runner::await_fetching(ports::Offer* offer, std::uint64_t requests, const StateWatch* told,
                                               Instant deadline) {
    const auto* registration = link_.registration();
    const bool sleeps = registration != nullptr && registration->parameters.queue_mode;
    const bool watched = told != nullptr && told->alive();
    if (offer == nullptr && watched) {
        co_await told->watch->await_told(told->seen, deadline);
    } else if (offer == nullptr) {
        const auto awake = co_await link_.await_awake(link_.awake_serial(), deadline);
        if (!awake && awake.error().code() == Errc::cancelled) co_return Failure(awake.error());
    } else if (sleeps) {
        // Named, since GCC 12 destroys temporaries of an awaited expression twice.
        auto waking = link_.await_awake(link_.awake_serial(), deadline);
        auto fetching = offer->await_request(requests, deadline);
        co_await (std::move(waking) || std::move(fetching));
    } else if (watched) {
        auto telling = told->watch->await_told(told->seen, deadline);
        auto fetching = offer->await_request(requests, deadline);
        co_await (std::move(telling) || std::move(fetching));
    } else {
        co_await offer->await_request(requests, deadline);
    }
    const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
    if (cancellation.cancelled() != boost::asio::cancellation_type::none)
        co_return fail(Errc::cancelled, "the transfer was cancelled");
    const bool more = offer != nullptr && offer->progress().requests > requests;
    co_return more;
}

/// Until State says what became of it. The blocks served are the progress; State is asked when they pause, and always
/// of a server that is not ours; where the device tells by itself it is asked less often.
awaitable<Result<ports::Delivery>> Runner::await_fetched(ports::Offer* offer) {
    StateWatch told;
    auto end = co_await follow_fetch(offer, told);
    if (told.alive() && end) co_await told.watch->end();
    co_return end;
}

awaitable<Result<ports::Delivery>> Runner::follow_fetch(ports::Offer* offer, StateWatch& told) {
    ports::Delivery out;
    auto& progress = out.progress;
    progress.total = package().size();
    const auto bytes_before = report.bytes_sent;
    const auto resends_before = report.retransmissions;
    const auto blocks_before = report.blocks;
    const auto begun = clock_.now();
    auto last_progress = begun;
    auto serial_seen = serial();
    std::uint64_t furthest = 0;
    std::uint64_t requests = 0;
    int wakings = 0;
    bool tells_stored = false;
    for (;;) {
        bool more = false;
        if (link_.asleep() && wakings < ports::most_wakings) {
            // It sleeps by agreement: nothing stalls until it wakes, be it to fetch on.
            progress.paused = true;
            observer_.progress(progress);
            progress.paused = false;
            const auto longest = policy_.wait.value_or(ports::longest_sleep(*link_.registration()));
            say_asleep(longest);
            const auto before = link_.awake_serial();
            CO_TRY(more, co_await await_fetching(offer, requests, nullptr, clock_.now() + longest));
            if (!more && link_.awake_serial() == before)
                co_return fail(Errc::device_absent, fmt::format("expected {} to wake within {}, it did not",
                                                                link_.endpoint(), human_duration(longest)));
            last_progress = clock_.now();
            ++wakings;
        } else {
            auto pause = pull_poll;
            // The last block has been sent: State changes as soon as the package was looked at.
            const bool sent = offer != nullptr && offer->progress().bytes == progress.total;
            if (sent && offer->progress().requests > 0) pause = state_poll;
            // How far it got with someone else's server is asked for and never told.
            const bool told_enough = told.alive() && !tells_stored;
            if (told_enough && offer == nullptr)
                pause = std::clamp(policy_.stall / 3, pull_poll, watched_pull_poll);
            else if (told_enough)
                pause = watched_poll;
            if (told.fresh) pause = Milliseconds(0);
            CO_TRY(more, co_await await_fetching(offer, requests, &told, clock_.now() + pause));
        }
        if (more) {
            const auto& fetched = offer->progress();
            requests = fetched.requests;
            if (fetched.furthest > furthest) {
                last_progress = clock_.now();
                wakings = 0;
            }
            furthest = fetched.furthest;
            progress.bytes = fetched.bytes;
            progress.block_size = fetched.block_size;
            progress.blocks =
                static_cast<std::uint32_t>((progress.total + fetched.block_size - 1) / fetched.block_size);
            progress.block = fetched.bytes == progress.total ? progress.blocks : fetched.block;
            progress.payload_bytes = fetched.payload_bytes;
            progress.retransmissions = fetched.repeats;
            report.bytes_sent = bytes_before + fetched.payload_bytes;
            report.retransmissions = resends_before + fetched.repeats;
            report.blocks = blocks_before + static_cast<std::uint32_t>(fetched.requests - fetched.repeats);
            observer_.progress(progress);
            continue;
        }
        told.before_read();
        const auto answer = co_await link_.read(object_.state(), lwm2m::Format::text);
        if (!answer && answer.error().code() == Errc::cancelled) co_return Failure(answer.error());
        if (answer && answer->ok()) {
            CO_TRY(const auto state, told_integer(object_.state(), *answer));
            if (state == idle) {
                CO_TRY(const auto result, co_await view_.integer(object_.result()));
                const auto why = static_cast<lwm2m::UpdateResult>(result.value_or(0));
                // Rebooted, or its link failed: from the beginning. Anything else is its verdict.
                const bool again = why == lwm2m::UpdateResult::initial || why == lwm2m::UpdateResult::connection_lost;
                out.end = again ? ports::Delivery::End::lost_place : ports::Delivery::End::check_state;
                co_return out;
            }
            if (state != downloading) co_return out;
            // Told from now on, unless blocks of ours are still to come: those say more.
            const bool all_sent = offer == nullptr || offer->progress().bytes == progress.total;
            if (all_sent) {
                CO_TRY_VOID(co_await watch_state(told));
            }
            if (offer == nullptr) {
                // How far it got with someone else's server only our own object tells.
                CO_TRY(const auto stored, co_await stored_now());
                tells_stored = stored.has_value();
                const bool further = stored && *stored > furthest && *stored <= progress.total;
                const bool untold = !stored && clock_.now() - begun < longest_foreign_fetch;
                if (further || untold) last_progress = clock_.now();
                if (further) {
                    wakings = 0;
                    furthest = *stored;
                    progress.bytes = furthest;
                    observer_.progress(progress);
                    continue;
                }
            }
        }
        // A restart forgets a fetch that was under way, and not every device says so in its State.
        if (serial() != serial_seen) {
            serial_seen = serial();
            last_progress = clock_.now();
            told.tried = false;  // the device has forgotten it
        }
        progress.paused = true;
        observer_.progress(progress);
        progress.paused = false;
        // The question itself may have taken until it fell asleep.
        if (link_.asleep() && wakings < ports::most_wakings) continue;
        if (clock_.now() - last_progress > policy_.stall)
            co_return fail(Error(
                Errc::transfer_stalled,
                offer == nullptr
                    ? fmt::format("expected the device to fetch on within {} s, found State 1 (downloading){}",
                                  policy_.stall.count() / 1000,
                                  furthest > 0 ? fmt::format(" with {} of {} bytes stored", furthest, progress.total)
                                               : std::string())
                    : fmt::format("expected the device to fetch on within {} s, found silence after {} of {} bytes",
                                  policy_.stall.count() / 1000, furthest, progress.total)));
    }
}

/// State once it has left 1: some clients check the package before they move on. And 2, where it installs by itself:
/// an Execute would be refused.
awaitable<Result<std::int64_t>> Runner::settled_state() {
    StateWatch told;
    auto state = co_await follow_state(told);
    if (told.alive() && state) co_await told.watch->end();
    co_return state;
}

awaitable<Result<std::int64_t>> Runner::follow_state(StateWatch& told) {
    const auto deadline = clock_.now() + longest_check;
    for (;;) {
        told.before_read();
        CO_TRY(const auto state, co_await view_.integer(object_.state()));
        // Not to be taken for Idle: the whole image would be sent again.
        if (!state)
            co_return fail(Errc::device_refused, fmt::format("expected a State at {} after the transfer, found none",
                                                             object_.state().text()));
        const auto value = *state;
        const bool settled = value != downloading && !(automatic_ && value == downloaded);
        if (settled || clock_.now() >= deadline) co_return value;
        CO_TRY_VOID(co_await watch_state(told));
        if (told.fresh) continue;
        if (told.alive()) {
            co_await told.watch->await_told(told.seen, std::min(deadline, clock_.now() + watched_poll));
            const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
            if (cancellation.cancelled() != boost::asio::cancellation_type::none)
                co_return fail(Errc::cancelled, "waiting was cancelled");
            continue;
        }
        const bool slept = co_await clock_.sleep_until(clock_.now() + state_poll);
        if (!slept) co_return fail(Errc::cancelled, "waiting was cancelled");
    }
}

}  // namespace fota::update
