#include "update/update.hpp"

#include <fmt/format.h>

#include <boost/system/system_error.hpp>
#include <random>

#include "base/text.hpp"
#include "lwm2m/firmware.hpp"
#include "lwm2m/value.hpp"
#include "update/decide.hpp"
#include "update/device_view.hpp"
#include "update/journal.hpp"

namespace fota::update {

using boost::asio::awaitable;

namespace {

namespace firmware = lwm2m::firmware;

constexpr auto idle = static_cast<std::int64_t>(lwm2m::State::idle);
constexpr auto downloaded = static_cast<std::int64_t>(lwm2m::State::downloaded);
constexpr auto updating = static_cast<std::int64_t>(lwm2m::State::updating);

/// A transfer that starts over this often without getting further than before is given up.
constexpr int most_restarts = 6;
/// How long a device may take to look at a complete package before State leaves 1.
constexpr Milliseconds longest_check{60'000};
constexpr Milliseconds state_poll{2'000};
/// After Execute: how often a reachable device is asked whether it has given up.
constexpr Milliseconds return_poll{30'000};
/// Block progress is journaled at most this often; it may be lost.
constexpr Milliseconds journal_interval{1'000};
constexpr std::uint64_t journal_bytes = 64 * 1024;

/// One token serves a whole transfer; a client that keeps state by token must not take a new transfer for the last one.
Bytes fresh_token() {
    std::random_device random;
    Bytes out(8);
    for (auto& byte : out) byte = static_cast<std::uint8_t>(random());
    return out;
}

class Runner {
  public:
    Runner(ports::DeviceLink& link, const Target& target, const Policy& policy, ports::Store& store,
           ports::Clock& clock, Observer& observer)
        : link_(link),
          target_(target),
          policy_(policy),
          journal_(store, link.endpoint()),
          clock_(clock),
          observer_(observer),
          view_(link, clock, std::max(policy.stall, Milliseconds(60'000))) {}

    awaitable<Result<Outcome>> run();
    Report report;

  private:
    awaitable<Result<>> await_device();
    awaitable<Result<>> reset();
    awaitable<Result<std::int64_t>> settled_state();
    awaitable<Result<ports::Delivery>> deliver(const Deliver& plan);
    awaitable<Result<Outcome>> execute();
    awaitable<Result<Outcome>> await_return(int registrations, std::optional<DeviceFacts> known);
    awaitable<Result<Outcome>> soak(std::uint64_t serial);
    Result<> ensure_attempt(const DeviceFacts& facts);
    Result<std::optional<Outcome>> judged(const DeviceFacts& facts, int registrations);
    std::uint64_t serial() const { return link_.registration() ? link_.registration()->serial : last_serial_; }
    void step(Step step) { observer_.step(step); }

    ports::DeviceLink& link_;
    const Target& target_;
    const Policy& policy_;
    Journal journal_;
    ports::Clock& clock_;
    Observer& observer_;
    DeviceView view_;
    std::optional<OpenAttempt> attempt_;
    std::uint64_t last_serial_ = 0;
};

awaitable<Result<>> Runner::await_device() {
    step(Step::await_device);
    const auto begun = clock_.now();
    while (!link_.registration()) {
        const auto deadline = policy_.wait ? std::optional(begun + *policy_.wait) : std::nullopt;
        CO_TRY_VOID(co_await link_.await_awake(link_.awake_serial(), deadline));
    }
    last_serial_ = link_.registration()->serial;
    observer_.registered(*link_.registration());
    const auto& parameters = link_.registration()->parameters;
    if (!parameters.objects.empty() && !parameters.has_object(firmware::object)) {
        std::string found;
        for (const auto& each : parameters.objects) found += fmt::format("{}{}", found.empty() ? "" : ", ", each.object);
        co_return fail(Errc::device_refused,
                       fmt::format("expected object 5 (Firmware Update) in the registration, found {}", printable(found)));
    }
    co_return Result<>{};
}

Result<> Runner::ensure_attempt(const DeviceFacts& facts) {
    if (!attempt_) {
        TRY(auto id, journal_.begin(target_, facts.version));
        attempt_.emplace();
        attempt_->id = std::move(id);
        attempt_->image = to_hex(target_.hash);
        attempt_->from_version = facts.version;
    }
    report.attempt = attempt_->id;
    return {};
}

awaitable<Result<Outcome>> Runner::run() {
    report.to_version = target_.version.text();
    CO_TRY(attempt_, journal_.open_attempt(to_hex(target_.hash)));
    if (attempt_) report.attempt = attempt_->id;
    CO_TRY_VOID(co_await await_device());
    bool may_resume = true;
    bool sent_again = false;
    int restarts = 0;
    std::uint64_t furthest = 0;
    for (;;) {
        step(Step::plan);
        CO_TRY(const auto facts, co_await view_.facts());
        if (report.from_version.empty())
            report.from_version = attempt_ && !attempt_->from_version.empty() ? attempt_->from_version : facts.version;
        report.running_version = facts.version;
        observer_.planned(facts);
        auto plan = decide(facts, target_, policy_, attempt_, may_resume);
        if (std::holds_alternative<AlreadyRuns>(plan)) co_return Outcome::already_installed;
        if (auto* refusal = std::get_if<Refuse>(&plan)) co_return Failure(std::move(refusal->error));
        if (std::holds_alternative<AwaitReturn>(plan)) {
            CO_TRY_VOID(ensure_attempt(facts));
            co_return co_await await_return(facts.state == updating ? 0 : 1, facts);
        }
        CO_TRY_VOID(ensure_attempt(facts));
        if (const auto* delivery = std::get_if<Deliver>(&plan)) {
            if (delivery->reset_first) {
                CO_TRY_VOID(co_await reset());
            }
            CO_TRY(const auto end, co_await deliver(*delivery));
            if (end.end == ports::Delivery::End::refused) {
                // Not idle after all, or a stale transfer in the way: once more from a clean state.
                if (++restarts > 2)
                    co_return fail(Errc::device_refused, fmt::format("expected the package to be accepted, found {}",
                                                                     lwm2m::status_text(end.last)));
                CO_TRY_VOID(co_await reset());
                continue;
            }
            if (end.end == ports::Delivery::End::lost_place) {
                restarts = end.progress.bytes > furthest ? 1 : restarts + 1;
                furthest = std::max(furthest, end.progress.bytes);
                if (restarts > most_restarts)
                    co_return fail(Errc::transfer_failed,
                                   fmt::format("expected the device to go on at block {}, found {} again and again",
                                               end.progress.block, lwm2m::status_text(end.last)));
                observer_.remark(fmt::format("the device lost its place after {} ({})", human_size(end.progress.bytes),
                                             lwm2m::status_text(end.last)));
                may_resume = false;
                continue;
            }
            CO_TRY(const auto state, co_await settled_state());
            if (state == updating) {
                co_return co_await await_return(0, std::nullopt);
            }
            if (state != downloaded) {
                CO_TRY(const auto result, co_await view_.integer(firmware::result));
                const auto why = result.value_or(0);
                // Once more from a clean state, and no more: every try costs the whole image on a metered link.
                if (!retry_helps(why) || sent_again)
                    co_return fail(
                        Errc::device_refused,
                        fmt::format("expected State 2 (downloaded) after the transfer, found {} with Result {}",
                                    lwm2m::state_text(state), lwm2m::result_text(why)));
                sent_again = true;
                observer_.remark(fmt::format("sent, yet State is {}: once more", lwm2m::state_text(state)));
                may_resume = false;
                continue;
            }
            // State has told that the last block was taken, whatever its answer was.
            if (end.end == ports::Delivery::End::check_state) ++report.blocks;
            step(Step::downloaded);
            CO_TRY_VOID(journal_.downloaded(attempt_->id));
        } else {
            observer_.remark("the device holds the whole image already");
            step(Step::downloaded);
        }
        co_return co_await execute();
    }
}

/// From the gentlest to the crudest, looking at State after each (lwm2m-fota, section 1.9): only ever with State other
/// than 0.
awaitable<Result<>> Runner::reset() {
    step(Step::reset);
    for (int rung = 0; rung < 4; ++rung) {
        CO_TRY(const auto state, co_await view_.integer(firmware::state));
        if (state.value_or(idle) == idle) co_return Result<>{};
        // An empty URI is the clean reset; some clients without pull only know the NUL byte. In State 1 a lone NUL
        // completes the download instead, and the next one resets it.
        if (rung == 0) {
            CO_TRY_VOID(co_await view_.write(firmware::package_uri, {}, lwm2m::Format::text));
        } else {
            CO_TRY_VOID(co_await view_.write(firmware::package, Bytes(1), lwm2m::Format::opaque));
        }
    }
    // State 1 for ever is a fault of some clients; a transfer that begins at block 0 starts over with them
    // nevertheless.
    co_return Result<>{};
}

awaitable<Result<ports::Delivery>> Runner::deliver(const Deliver& plan) {
    step(Step::deliver);
    ports::DeliveryRequest request;
    request.package = firmware::package;
    request.image = target_.image;
    request.block_size = policy_.block_size;
    request.stall = policy_.stall;
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
        request.token = fresh_token();
        transfer = {request.token, request.start_offset, request.block_size, 0};
    }
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
        const bool due =
            clock_.now() - journaled_at >= journal_interval || progress.bytes >= journaled_bytes + journal_bytes;
        if (!due || progress.block == 0) return;
        // Lost progress costs a few blocks; a store that fails is noticed at the next intent.
        (void)journal_.block(attempt_->id, progress.block, progress.block_size);
        journaled_at = clock_.now();
        journaled_bytes = progress.bytes;
    };
    co_return co_await link_.deliver(std::move(request));
}

/// State once it has left 1: some clients check the package before they move on.
awaitable<Result<std::int64_t>> Runner::settled_state() {
    const auto deadline = clock_.now() + longest_check;
    for (;;) {
        CO_TRY(const auto state, co_await view_.integer(firmware::state));
        const auto value = state.value_or(idle);
        if (value != static_cast<std::int64_t>(lwm2m::State::downloading) || clock_.now() >= deadline) co_return value;
        const bool slept = co_await clock_.sleep_until(clock_.now() + state_poll);
        if (!slept) co_return fail(Errc::cancelled, "waiting was cancelled");
    }
}

awaitable<Result<Outcome>> Runner::execute() {
    step(Step::execute);
    last_serial_ = serial();
    for (int attempt = 0;; ++attempt) {
        CO_TRY_VOID(journal_.execute(attempt_->id));
        attempt_->executed = true;
        const auto answer = co_await link_.execute(firmware::update, "");
        if (answer && answer->ok()) break;
        if (!answer && answer.error().code() == Errc::cancelled) co_return Failure(answer.error());
        // Silence is not failure: the device may have rebooted before its answer left. Only a State that is still 2
        // proves that it did not start.
        if (serial() != last_serial_) break;
        const auto state = co_await link_.read(firmware::state, lwm2m::Format::text);
        if (!state) {
            if (state.error().code() == Errc::cancelled) co_return Failure(state.error());
            break;
        }
        const auto value = lwm2m::integer_value(firmware::state, state->format, state->payload);
        if (!state->ok() || !value || *value != downloaded) break;
        if (attempt >= 2)
            co_return fail(Errc::device_refused,
                           fmt::format("expected the update to start, found {} and State 2 (downloaded)",
                                       answer ? lwm2m::status_text(answer->code) : std::string("silence")));
    }
    co_return co_await await_return(0, std::nullopt);
}

/// What an observation means for the outcome; nullopt: go on waiting.
Result<std::optional<Outcome>> Runner::judged(const DeviceFacts& facts, int registrations) {
    report.running_version = facts.version;
    switch (judge(facts, target_, policy_, registrations)) {
        case Proof::proven:
            report.proven_by_hash = facts.running_hash.has_value();
            return Outcome::updated;
        case Proof::not_yet:
            return std::optional<Outcome>{};
        case Proof::deferred:
            return fail(Errc::deferred, "the device deferred the update (Result 11)");
        case Proof::not_applied:
            return fail(Errc::device_did_not_apply,
                        fmt::format("expected the update to be applied, found Result {} in State {}",
                                    lwm2m::result_text(facts.result), lwm2m::state_text(facts.state)));
        case Proof::rolled_back:
            return fail(
                Errc::rolled_back,
                registrations >= 2
                    ? fmt::format(
                          "expected {} to run after {} registrations, found {}: the bootloader reverted, the new "
                          "image never confirmed itself",
                          target_.version.text(), registrations, printable(facts.version))
                    : fmt::format("expected {} to run, found {} with Result {}", target_.version.text(),
                                  printable(facts.version), lwm2m::result_text(facts.result)));
        case Proof::unknown:
            return fail(Errc::not_proven, fmt::format("expected a version such as {} in 3/0/3, found \"{}\"",
                                                      target_.version.text(), printable(facts.version)));
    }
    return std::optional<Outcome>{};
}

awaitable<Result<Outcome>> Runner::await_return(int registrations, std::optional<DeviceFacts> known) {
    step(Step::await_return);
    const auto deadline = clock_.now() + policy_.return_deadline;
    auto seen = registrations > 0 || known ? serial() : last_serial_;
    auto facts = std::move(known);
    for (;;) {
        if (facts) {
            CO_TRY(const auto outcome, judged(*facts, registrations));
            if (outcome) break;
        }
        if (clock_.now() >= deadline)
            co_return fail(
                Errc::device_did_not_apply,
                registrations == 0
                    ? fmt::format("expected {} to return within {} after Execute, it did not register",
                                  link_.endpoint(), human_duration(policy_.return_deadline))
                    : fmt::format("expected {} to run within {} after Execute, found {}", target_.version.text(),
                                  human_duration(policy_.return_deadline), printable(report.running_version)));
        facts.reset();
        if (!link_.registration() || link_.registration()->serial == seen) {
            auto awake =
                co_await link_.await_awake(link_.awake_serial(), std::min(deadline, clock_.now() + return_poll));
            if (!awake && awake.error().code() == Errc::cancelled) co_return Failure(awake.error());
        }
        if (link_.registration() && link_.registration()->serial != seen) {
            seen = link_.registration()->serial;
            ++registrations;
            observer_.registered(*link_.registration());
            step(Step::prove);
            CO_TRY(facts, co_await view_.facts());
        } else if (link_.registration() && !link_.registration()->parameters.queue_mode) {
            // Still the old session: has it given up without a reboot? Silence means it is on its way.
            const auto state = co_await link_.read(firmware::result, lwm2m::Format::text);
            if (!state && state.error().code() == Errc::cancelled) co_return Failure(state.error());
            if (state && state->ok() && link_.registration() && link_.registration()->serial == seen) {
                CO_TRY(facts, co_await view_.facts());
            }
        }
    }
    CO_TRY_VOID(journal_.proven(attempt_->id, facts->version));
    if (policy_.soak.count() > 0) {
        co_return co_await soak(seen);
    }
    co_return Outcome::updated;
}

/// Detects a late revert; it cannot cause one.
awaitable<Result<Outcome>> Runner::soak(std::uint64_t seen) {
    step(Step::soak);
    const auto deadline = clock_.now() + policy_.soak;
    while (clock_.now() < deadline) {
        auto awake = co_await link_.await_awake(link_.awake_serial(), deadline);
        if (!awake && awake.error().code() == Errc::cancelled) co_return Failure(awake.error());
        if (!link_.registration() || link_.registration()->serial == seen) continue;
        seen = link_.registration()->serial;
        CO_TRY(const auto facts, co_await view_.facts());
        report.running_version = facts.version;
        if (what_runs(facts, target_, policy_) != Running::target)
            co_return fail(Errc::rolled_back, fmt::format("expected {} to stay, found {} after a later reboot",
                                                          target_.version.text(), printable(facts.version)));
    }
    co_return Outcome::updated;
}

Outcome outcome_of(Errc code, bool attempt_begun) {
    switch (code) {
        case Errc::device_absent:
        case Errc::authentication_failed:
            return Outcome::absent;
        case Errc::cancelled:
        case Errc::interrupted:
        case Errc::terminated:
            return Outcome::interrupted;
        case Errc::downgrade_refused:
        case Errc::board_mismatch:
        case Errc::policy_refused:
        case Errc::image_too_large:
            return Outcome::refused;
        case Errc::device_refused:
            return attempt_begun ? Outcome::failed : Outcome::refused;
        case Errc::rolled_back:
            return Outcome::rolled_back;
        case Errc::deferred:
            return Outcome::deferred;
        default:
            return Outcome::failed;
    }
}

}  // namespace

awaitable<Report> run(ports::DeviceLink& link, const Target& target, const Policy& policy, ports::Store& store,
                      ports::Clock& clock, Observer& observer) {
    const auto begun = clock.now();
    Runner runner(link, target, policy, store, clock, observer);
    Result<Outcome> end = Outcome::failed;
    try {
        end = co_await runner.run();
    } catch (const boost::system::system_error& cancelled) {
        // Asio throws when a cancelled coroutine awaits once more.
        end = fail(cancelled.code() == boost::asio::error::operation_aborted ? Errc::cancelled : Errc::internal,
                   cancelled.what());
    }
    auto report = std::move(runner.report);
    report.elapsed = to_ms(clock.now() - begun);
    if (end) {
        report.outcome = *end;
    } else {
        report.outcome = outcome_of(end.error().code(), !report.attempt.empty());
        report.error = std::move(end.error());
    }
    co_return report;
}

Result<> close(ports::Store& store, const std::string& endpoint, const Report& report) {
    // An interrupted attempt stays open, and so does one whose device went silent: the same command resumes them.
    const bool resumable = report.outcome == Outcome::interrupted || report.outcome == Outcome::absent ||
                           (report.error && report.error->code() == Errc::transfer_stalled);
    if (report.attempt.empty() || resumable) return {};
    return Journal(store, endpoint).close(report.attempt, report.outcome);
}

}  // namespace fota::update
