#include <fmt/format.h>

#include "base/text.hpp"
#include "lwm2m/value.hpp"
#include "update/runner.hpp"
#include "update/states.hpp"

namespace fota::update {

using boost::asio::awaitable;

namespace {

/// After Execute: how often a reachable device is asked whether it has given up.
constexpr Milliseconds return_poll{30'000};
/// A device that still holds its package is told to execute this often at most.
constexpr int most_executions = 4;
/// One that took Execute and is still in State 2 may be slow to reboot; longer than it takes to register anew is
/// enough once it has done so.
constexpr Milliseconds slow_to_reboot{300'000};
constexpr Milliseconds slow_to_begin{30'000};

/// A device that was to go back to an older version and did not: it cannot say why, MCUboot erases the image without a
/// trace.
std::string downgrade_note(const DeviceFacts& facts, const Target& target) {
    const auto reported = parse_reported(reported_version(facts, target));
    if (target.component != Component::app || !reported || reported->version <= target.version) return {};
    return "; its bootloader seems to refuse a lower version or security counter (downgrade prevention)";
}

}  // namespace

awaitable<Result<Outcome>> Runner::execute() {
    CO_TRY_VOID(co_await tell_to_execute());
    co_return co_await await_return(0, std::nullopt);
}

/// Only ever right after State 2 was read.
awaitable<Result<>> Runner::tell_to_execute() {
    step(Step::execute);
    on_its_way_ = false;
    ++executions_;
    CO_TRY(const bool waited, co_await clear_conflicts());
    if (waited) {
        CO_TRY(const auto state, co_await view_.integer(object_.state()));
        if (state != downloaded)
            co_return fail(Errc::device_refused, fmt::format("expected State 2 (downloaded) once nothing was in "
                                                             "conflict with the update, found {}",
                                                             lwm2m::state_text(state.value_or(-1))));
    }
    CO_TRY(const auto arguments, co_await execute_arguments());
    // Whatever it registers from here on may be the end of the update.
    last_serial_ = told_serial_ = serial();
    const auto begun = clock_.now();
    for (int refused = 0;;) {
        CO_TRY_VOID(journal_.execute(attempt_->id, attempt_->linked));
        attempt_->executed = true;
        const auto answer = co_await link_.execute(object_.update(), arguments);
        told_at_ = clock_.now();
        on_its_way_ = answer && answer->ok();
        if (on_its_way_) break;
        if (!answer && answer.error().code() == Errc::cancelled) co_return Failure(answer.error());
        if (answer) {
            const bool slept = co_await clock_.sleep_until(clock_.now() + busy_pause(*answer));
            if (!slept) co_return fail(Errc::cancelled, "waiting was cancelled");
        }
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
        // Busy (5.03) is no refusal for as long as reads take it for none.
        const bool busy = answer && answer->code == lwm2m::Status::service_unavailable;
        if (busy && clock_.now() - begun < longest_busy) continue;
        if (++refused >= 3)
            co_return fail(Errc::device_refused,
                           fmt::format("expected the update to start, found {} and State 2 (downloaded)",
                                       answer ? lwm2m::status_text(answer->code) : std::string("silence")));
    }
    co_return Result<>{};
}

/// The device is there and still holds its package: whatever became of Execute, it did not take effect. Not where the
/// package installs itself (5/0/14), nor where a Result says that it was tried.
bool Runner::awaits_execute(const DeviceFacts& facts) const {
    const bool installs_itself = automatic_ || (attempt_ && attempt_->transfer && attempt_->transfer->automatic);
    const bool tried = facts.result >= static_cast<std::int64_t>(lwm2m::UpdateResult::no_flash_space);
    return facts.state == downloaded && !tried && !installs_itself &&
           what_runs(facts, target_, policy_) == Running::other;
}

bool Runner::may_repeat_execute() const {
    if (executions_ >= most_executions) return false;
    const auto patience = serial() != told_serial_ ? slow_to_begin : slow_to_reboot;
    return !on_its_way_ || clock_.now() - told_at_ >= patience;
}

/// What an observation means for the outcome; nullopt: go on waiting.
Result<std::optional<Outcome>> Runner::judged(const DeviceFacts& facts, int registrations, const std::string& note) {
    report.running_version = reported_version(facts, target_);
    switch (judge(facts, target_, policy_, registrations)) {
        case Proof::proven:
            if (auto fault = proof_fault(facts, target_, attempt_)) return Failure(std::move(*fault));
            report.proven_by_hash = facts.running_hash.has_value();
            return Outcome::updated;
        case Proof::not_yet:
            return std::optional<Outcome>{};
        case Proof::deferred:
            return fail(Errc::deferred, "the device deferred the update (Result 11)");
        case Proof::not_applied:
            return fail(Errc::device_did_not_apply,
                        fmt::format("expected the update to be applied, found Result {} in State {}{}{}",
                                    lwm2m::result_text(facts.result), lwm2m::state_text(facts.state),
                                    downgrade_note(facts, target_), note));
        case Proof::rolled_back:
            return fail(
                Errc::rolled_back,
                registrations >= 2 && downgrade_note(facts, target_).empty()
                    ? fmt::format(
                          "expected {} to run after {} registrations, found {}: the bootloader reverted, the new "
                          "image never confirmed itself",
                          target_.text(), registrations, printable(reported_version(facts, target_)))
                    : fmt::format("expected {} to run, found {} with Result {}{}{}", target_.text(),
                                  printable(reported_version(facts, target_)), lwm2m::result_text(facts.result),
                                  downgrade_note(facts, target_), note));
        case Proof::unknown:
            return fail(Errc::not_proven, fmt::format("expected {}, found \"{}\"", wanted_version(facts, target_),
                                                      printable(reported_version(facts, target_))));
    }
    return std::optional<Outcome>{};
}

/// What a device that has just booted says of itself; nullopt when it cannot tell yet: its objects may come up after
/// its registration, and an update that runs must not fail for that.
awaitable<Result<std::optional<DeviceFacts>>> Runner::facts_if_told() {
    auto facts = co_await view_.facts();
    if (!facts && facts.error().code() != Errc::device_refused) co_return Failure(std::move(facts.error()));
    if (!facts || (!facts->running_hash && reported_version(*facts, target_).empty()))
        co_return std::optional<DeviceFacts>{};
    co_return std::optional<DeviceFacts>(std::move(*facts));
}

awaitable<Result<Outcome>> Runner::await_return(int registrations, std::optional<DeviceFacts> known) {
    step(Step::await_return);
    auto deadline = clock_.now() + policy_.return_deadline;
    auto seen = registrations > 0 || known ? serial() : last_serial_;
    auto asked = link_.awake_serial();
    bool stays_downloaded = false;
    std::string late;     ///< it runs what it should, and this is missing of what is updated along
    bool unread = false;  ///< it registered, and has not yet told what it is
    std::string stayed;   ///< what it says of itself in the session in which it was told to update
    auto facts = std::move(known);
    for (;;) {
        if (facts) {
            stays_downloaded = awaits_execute(*facts);
            if (facts->state == updating) {
                on_its_way_ = true;
                told_at_ = clock_.now();
            }
            // None of its registrations was the end of an update: they are no sign of a revert.
            if (stays_downloaded) registrations = 0;
            if (stays_downloaded && may_repeat_execute()) {
                observer_.remark("it holds the package and was not told to install it, or has forgotten: once more");
                CO_TRY_VOID(co_await tell_to_execute());
                step(Step::await_return);
                stayed.clear();
                seen = last_serial_;
                deadline = clock_.now() + policy_.return_deadline;
                facts.reset();
                continue;
            }
            if (registrations == 0)
                stayed = fmt::format("{} in State {} with Result {}", printable(reported_version(*facts, target_)),
                                     lwm2m::state_text(facts->state), lwm2m::result_text(facts->result));
            CO_TRY(const auto note, co_await conflict_note(facts->result));
            CO_TRY(const auto outcome, judged(*facts, registrations, note));
            if (outcome) {
                CO_TRY(late, co_await linked_late());
                if (late.empty()) break;
                unread = true;
            }
        }
        if (clock_.now() >= deadline && stays_downloaded)
            co_return fail(Errc::device_did_not_apply,
                           fmt::format("expected the update to start within {} after Execute (sent {} times), found "
                                       "State 2 (downloaded)",
                                       human_duration(policy_.return_deadline), executions_));
        if (clock_.now() >= deadline && !late.empty()) co_return Failure(linked_failure(late));
        if (clock_.now() >= deadline && unread)
            co_return fail(
                Errc::not_proven,
                fmt::format("expected {} to tell what it runs within {} after Execute, found no answer to that",
                            link_.endpoint(), human_duration(policy_.return_deadline)));
        if (clock_.now() >= deadline)
            co_return fail(
                Errc::device_did_not_apply,
                registrations == 0 && !stayed.empty()
                    ? fmt::format("expected {} to install the update and reboot within {} after Execute, found it "
                                  "registered all the while: it runs {}",
                                  link_.endpoint(), human_duration(policy_.return_deadline), stayed)
                : registrations == 0
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
        const auto* registration = link_.registration();
        if (registration == nullptr) continue;
        // One that sleeps by agreement is asked when it wakes, and not kept awake by questions.
        const bool listens = !registration->parameters.queue_mode || link_.awake_serial() != asked;
        asked = link_.awake_serial();
        if (registration->serial != seen) {
            seen = registration->serial;
            ++registrations;
            observer_.registered(*registration);
            step(Step::prove);
            CO_TRY(facts, co_await facts_if_told());
            unread = !facts;
        } else if (listens && unread) {
            CO_TRY(facts, co_await facts_if_told());
            unread = !facts;
        } else if (listens) {
            // Still the old session: has it given up without a reboot, or never been told? Silence means it is on its
            // way.
            stayed.clear();
            const auto state = co_await link_.read(object_.result(), lwm2m::Format::text);
            if (!state && state.error().code() == Errc::cancelled) co_return Failure(state.error());
            if (state && state->ok() && link_.registration() && link_.registration()->serial == seen) {
                CO_TRY(facts, co_await facts_if_told());
            }
        }
    }
    CO_TRY_VOID(journal_.proven(attempt_->id, facts->version));
    if (policy_.soak.count() > 0) {
        co_return co_await soak(seen);
    }
    co_return Outcome::updated;
}

/// Detects a late revert; it cannot cause one. A registration whose device has not told yet what it runs is asked
/// beyond the time: it may be the one after the revert.
awaitable<Result<Outcome>> Runner::soak(std::uint64_t seen) {
    step(Step::soak);
    const auto deadline = clock_.now() + policy_.soak;
    bool unread = false;
    for (;;) {
        const auto until = unread ? deadline + policy_.return_deadline : deadline;
        if (clock_.now() >= until) break;
        auto awake = co_await link_.await_awake(link_.awake_serial(), until);
        if (!awake && awake.error().code() == Errc::cancelled) co_return Failure(awake.error());
        if (!link_.registration() || link_.registration()->serial == seen) continue;
        const auto current = link_.registration()->serial;
        CO_TRY(const auto facts, co_await facts_if_told());
        unread = !facts;
        if (unread) continue;  // asked again as soon as it is heard of
        seen = current;
        report.running_version = reported_version(*facts, target_);
        if (what_runs(*facts, target_, policy_) != Running::target)
            co_return fail(Errc::rolled_back,
                           fmt::format("expected {} to stay, found {} after a later reboot", target_.text(),
                                       printable(reported_version(*facts, target_))));
    }
    if (unread)
        co_return fail(Errc::not_proven,
                       fmt::format("expected {} to tell what it runs after its last registration, found no answer to "
                                   "that within {} after the soak",
                                   link_.endpoint(), human_duration(policy_.return_deadline)));
    co_return Outcome::updated;
}

}  // namespace fota::update
