#include <fmt/format.h>

#include "base/text.hpp"
#include "lwm2m/value.hpp"
#include "update/runner.hpp"

namespace fota::update {

using boost::asio::awaitable;

namespace {

constexpr auto downloaded = static_cast<std::int64_t>(lwm2m::State::downloaded);
/// After Execute: how often a reachable device is asked whether it has given up.
constexpr Milliseconds return_poll{30'000};

/// A device that was to go back to an older version and did not: it cannot say why, MCUboot erases the image without a
/// trace.
std::string downgrade_note(const DeviceFacts& facts, const Target& target) {
    const auto reported = parse_reported(reported_version(facts, target));
    if (target.component != Component::app || !reported || reported->version <= target.version) return {};
    return "; its bootloader seems to refuse a lower version or security counter (downgrade prevention)";
}

}  // namespace

/// Object 33629 may update linked instances along: this update is of one component alone (argument 0, empty).
awaitable<Result<std::string>> Runner::execute_arguments() {
    if (!object_.advanced()) co_return std::string();
    CO_TRY(const auto linked, co_await view_.entries(object_.linked()));
    co_return linked && !linked->empty() ? std::string("0") : std::string();
}

awaitable<Result<Outcome>> Runner::execute() {
    step(Step::execute);
    last_serial_ = serial();
    CO_TRY(const auto arguments, co_await execute_arguments());
    for (int attempt = 0;; ++attempt) {
        CO_TRY_VOID(journal_.execute(attempt_->id));
        attempt_->executed = true;
        const auto answer = co_await link_.execute(object_.update(), arguments);
        if (answer && answer->ok()) break;
        if (!answer && answer.error().code() == Errc::cancelled) co_return Failure(answer.error());
        // Silence is not failure: the device may have rebooted before its answer left. Only a State that is still 2
        // proves that it did not start.
        if (serial() != last_serial_) break;
        const auto state = co_await link_.read(object_.state(), lwm2m::Format::text);
        if (!state) {
            if (state.error().code() == Errc::cancelled) co_return Failure(state.error());
            break;
        }
        const auto value = lwm2m::integer_value(object_.state(), state->format, state->payload);
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
    report.running_version = reported_version(facts, target_);
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
                        fmt::format("expected the update to be applied, found Result {} in State {}{}",
                                    lwm2m::result_text(facts.result), lwm2m::state_text(facts.state),
                                    downgrade_note(facts, target_)));
        case Proof::rolled_back:
            return fail(
                Errc::rolled_back,
                registrations >= 2 && downgrade_note(facts, target_).empty()
                    ? fmt::format(
                          "expected {} to run after {} registrations, found {}: the bootloader reverted, the new "
                          "image never confirmed itself",
                          target_.text(), registrations, printable(reported_version(facts, target_)))
                    : fmt::format("expected {} to run, found {} with Result {}{}", target_.text(),
                                  printable(reported_version(facts, target_)), lwm2m::result_text(facts.result),
                                  downgrade_note(facts, target_)));
        case Proof::unknown:
            return fail(Errc::not_proven, fmt::format("expected a version such as {} in 3/0/3, found \"{}\"",
                                                      target_.text(), printable(reported_version(facts, target_))));
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
                    : fmt::format("expected {} to run within {} after Execute, found {}", target_.text(),
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
            const auto state = co_await link_.read(object_.result(), lwm2m::Format::text);
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
        report.running_version = reported_version(facts, target_);
        if (what_runs(facts, target_, policy_) != Running::target)
            co_return fail(Errc::rolled_back, fmt::format("expected {} to stay, found {} after a later reboot",
                                                          target_.text(), printable(reported_version(facts, target_))));
    }
    co_return Outcome::updated;
}

}  // namespace fota::update
