#include "update/update.hpp"

#include <fmt/format.h>

#include <boost/system/system_error.hpp>

#include "base/text.hpp"
#include "update/runner.hpp"
#include "update/states.hpp"

namespace fota::update {

using boost::asio::awaitable;

namespace {

constexpr auto conflicting_state = static_cast<std::int64_t>(lwm2m::UpdateResult::conflicting_state);

/// A transfer that starts over this often without getting further than before is given up.
constexpr int most_restarts = 6;
constexpr std::uint32_t smallest_block = 16;

}  // namespace

awaitable<Result<>> Runner::await_device() {
    step(Step::await_device);
    const auto begun = clock_.now();
    while (!link_.registration()) {
        const auto deadline = policy_.wait ? std::optional(begun + *policy_.wait) : std::nullopt;
        CO_TRY_VOID(co_await link_.await_awake(link_.awake_serial(), deadline));
    }
    last_serial_ = link_.registration()->serial;
    observer_.registered(*link_.registration());
    CO_TRY(object_, choose_object(link_.registration()->parameters, target_.component, policy_));
    view_.use(object_);
    co_return Result<>{};
}

void Runner::say_asleep(Milliseconds longest) const {
    const auto* registration = link_.registration();
    const auto silent = registration == nullptr ? Milliseconds(0) : to_ms(clock_.now() - registration->last_heard);
    observer_.remark(fmt::format("waiting for its next registration update: asleep, last heard {} ago; giving up in {}",
                                 human_duration(silent), human_duration(longest)));
}

/// What has to be known once before the first byte: the device's condition, and which way the package goes.
awaitable<Result<>> Runner::prepare(const DeviceFacts& facts) {
    CO_TRY(const auto condition, co_await view_.condition(policy_));
    if (auto fault = condition_fault(condition, policy_)) co_return Failure(std::move(*fault));
    const bool may_pull = policy_.method != Method::push || !policy_.package_uri.empty();
    auto told = co_await view_.delivery(may_pull);
    // Whoever asks for a push gets one, unless the device says in so many words that it takes none.
    if (!told && (may_pull || told.error().code() != Errc::device_refused)) co_return Failure(std::move(told.error()));
    const auto ways = told ? *told : DeliveryFacts{};
    CO_TRY(automatic_, co_await view_.automatic());
    if (automatic_) observer_.remark("it installs the package as soon as it is there, without being told to (5/0/14)");
    const bool secure = link_.registration() && link_.registration()->secure;
    CO_TRY(method_, choose_method(ways, policy_, secure));
    if (target_.component == Component::mcuboot) {
        CO_TRY(second_candidate_, sends_second_candidate(facts));
    }
    co_return Result<>{};
}

Result<> Runner::ensure_attempt(const DeviceFacts& facts) {
    if (!attempt_) {
        TRY(auto id, journal_.begin(target_, reported_version(facts, target_)));
        attempt_.emplace();
        attempt_->id = std::move(id);
        attempt_->image = to_hex(target_.hash);
        attempt_->from_version = reported_version(facts, target_);
    }
    report.attempt = attempt_->id;
    return {};
}

awaitable<Result<Outcome>> Runner::run() {
    report.to_version = target_.text();
    CO_TRY(attempt_, journal_.open_attempt(to_hex(target_.hash)));
    if (attempt_) report.attempt = attempt_->id;
    // A whole package is not in the middle of anything, whatever the device is busy with.
    if (!attempt_ || !attempt_->transfer)
        left_behind_ = journal_.unfinished();
    else if (!attempt_->downloaded && !attempt_->executed)
        left_behind_ = attempt_->transfer;
    const bool fetched = attempt_ && attempt_->transfer && attempt_->transfer->pull;
    if (fetched && policy_.package_uri.empty() && target_.component != Component::mcuboot) {
        CO_TRY(standing_offer_, link_.offer({target_.image, policy_.advertise, attempt_->transfer->token}));
    }
    CO_TRY_VOID(co_await await_device());
    bool may_resume = true;
    bool sent_again = false;
    int restarts = 0;
    std::uint64_t furthest = 0;
    for (;;) {
        step(Step::plan);
        CO_TRY(const auto facts, co_await view_.facts());
        if (report.from_version.empty())
            report.from_version =
                attempt_ && !attempt_->from_version.empty() ? attempt_->from_version : reported_version(facts, target_);
        report.running_version = reported_version(facts, target_);
        observer_.planned(facts);
        CO_TRY_VOID(co_await recognize_fetched(facts));
        auto plan = decide(facts, target_, policy_, attempt_, may_resume);
        if (std::holds_alternative<AlreadyRuns>(plan)) co_return Outcome::already_installed;
        if (std::holds_alternative<Deliver>(plan) && method_ == Method::automatic) {
            CO_TRY_VOID(co_await prepare(facts));
            // Whether something can be continued depends on the way the package goes.
            plan = decide(facts, target_, policy_, attempt_, may_resume && resumes_as(attempt_, method_));
        }
        if (auto* refusal = std::get_if<Refuse>(&plan)) co_return Failure(std::move(refusal->error));
        if (std::holds_alternative<AwaitReturn>(plan)) {
            CO_TRY_VOID(ensure_attempt(facts));
            // In State 2 or 3 it has not come back yet.
            co_return co_await await_return(facts.state == updating || facts.state == downloaded ? 0 : 1, facts);
        }
        CO_TRY_VOID(ensure_attempt(facts));
        if (const auto* delivery = std::get_if<Deliver>(&plan)) {
            if (delivery->reset_first) {
                CO_TRY_VOID(co_await reset());
            } else if (facts.state == idle && left_behind_ && journal_.unfinished()) {
                CO_TRY_VOID(co_await forget_other_package());
            }
            left_behind_.reset();
            CO_TRY(const auto end, co_await deliver(*delivery));
            if (end.end == ports::Delivery::End::refused) {
                // It may have judged the package by its first block: the same one again would be judged so again.
                CO_TRY(const auto result, co_await view_.integer(object_.result()));
                const auto why = result.value_or(0);
                if (why == conflicting_state) {
                    CO_TRY_VOID(co_await clear_conflicts());
                }
                if (end.most && *end.most < package().size() && *end.most > policy_.block_size)
                    co_return fail(
                        Errc::device_refused,
                        fmt::format("expected a device that takes a package of {} bytes, found 4.13 and at most {} "
                                    "bytes (Size1)",
                                    with_thousands(package().size()), with_thousands(*end.most)));
                if (why != facts.result && is_verdict(why))
                    co_return fail(Errc::device_refused,
                                   fmt::format("expected the package to be accepted, found {} with Result {}",
                                               lwm2m::status_text(end.last), lwm2m::result_text(why)));
                // Not idle after all, or a stale transfer in the way: once more from a clean state.
                if (++restarts > 2) {
                    CO_TRY(const auto note, co_await conflict_note(why));
                    co_return fail(Errc::device_refused, fmt::format("expected the package to be accepted, found {}{}",
                                                                     lwm2m::status_text(end.last), note));
                }
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
                const auto why =
                    end.last == lwm2m::Status{} ? std::string() : fmt::format(" ({})", lwm2m::status_text(end.last));
                observer_.remark(
                    fmt::format("the device lost its place after {}{}", human_size(end.progress.bytes), why));
                may_resume = false;
                block_size_ = std::min(block_size_, std::max(end.block_size, smallest_block));
                continue;
            }
            CO_TRY(const auto state, co_await settled_state());
            if (state == updating) {
                // It upgrades by itself (5/0/14): nobody has to tell it, and it is not sent again.
                CO_TRY_VOID(journal_.execute(attempt_->id));
                co_return co_await await_return(0, std::nullopt);
            }
            if (state != downloaded) {
                CO_TRY(const auto after, co_await view_.facts());
                if (what_runs(after, target_, policy_) == Running::target) {
                    // It upgrades by itself as soon as it has everything.
                    CO_TRY_VOID(journal_.execute(attempt_->id));
                    co_return co_await await_return(1, after);
                }
                const auto why = after.result;
                // Once more from a clean state, and no more: every try costs the whole image on a metered link.
                bool again = retry_helps(why) && !sent_again;
                if (why == conflicting_state && !sent_again) {
                    CO_TRY(again, co_await clear_conflicts());
                }
                if (!again) {
                    CO_TRY(auto note, co_await conflict_note(why));
                    // Where blocks of ours were fetched, it found the host.
                    if (method_ == Method::pull && report.bytes_sent == 0) note += fetch_advice(why, uri_);
                    co_return fail(
                        Errc::device_refused,
                        fmt::format("expected State 2 (downloaded) after the transfer, found {} with Result {}{}",
                                    lwm2m::state_text(state), lwm2m::result_text(why), note));
                }
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

namespace {

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
    const bool resumable =
        report.outcome == Outcome::interrupted || report.outcome == Outcome::absent ||
        (report.error && (report.error->code() == Errc::transfer_stalled || !report.error->detail(stays_open).empty()));
    if (report.attempt.empty() || resumable) return {};
    return Journal(store, endpoint).close(report.attempt, report.outcome);
}

}  // namespace fota::update
