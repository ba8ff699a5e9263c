// After the upload: test, reset, the wait for the device, the proof and the confirmation.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "smp/refusal.hpp"
#include "update/serial_runner.hpp"

namespace fota::update {

using boost::asio::awaitable;

namespace {

/// Servers answer a reset first and carry it out 250 ms later.
constexpr Milliseconds reset_delay{1'000};
constexpr Milliseconds poll_pause{500};
/// A bootloader that waits for an update takes any request for one: so long nothing is said after a reset.
constexpr Milliseconds first_quiet{3'000};
constexpr int most_traps = 4;

}  // namespace

awaitable<Result<>> SerialRunner::test() {
    step(SerialStep::test);
    auto answer = co_await client_.ask(smp::set_image_state(target_.hash, policy_.permanent));
    if (!answer) {
        if (answer.error().code() != Errc::device_refused) co_return fail(std::move(answer.error()));
        // A repeated request is refused where the first one's answer was lost: the list decides.
        CO_TRY(const auto list, co_await client_.ask(smp::image_list()));
        CO_TRY(const auto images, smp::parse_image_list(list));
        const auto waits = std::ranges::any_of(images, [&](const smp::ImageSlot& slot) {
            return slot.hash == target_.hash && slot.pending && (slot.permanent || !policy_.permanent);
        });
        if (!waits) co_return fail(std::move(answer.error()));
    }
    co_return Result<>{};
}

awaitable<Result<>> SerialRunner::reset() {
    step(SerialStep::reset);
    auto answer = co_await client_.ask(smp::reset(), {Milliseconds(2'500), 1});
    // Silence, or a port that goes with the device, may be the reset itself.
    if (!answer && answer.error().code() != Errc::timed_out && answer.error().code() != Errc::port_unavailable)
        co_return fail(std::move(answer.error()));
    if (!answer) observer_.remark("no answer to the reset: looking whether it happened");
    co_return Result<>{};
}

awaitable<Result<>> SerialRunner::await_return() {
    step(SerialStep::await_return);
    auto& clock = client_.clock();
    const auto deadline = clock.now() + policy_.return_deadline;
    const bool was_recovery = device_.mode == SmpMode::recovery;
    auto quiet = first_quiet;
    int traps = 0;
    CO_TRY_VOID(co_await pause(std::max(reset_delay, quiet)));
    for (;;) {
        auto device = co_await get_acquainted(client_, {Milliseconds(1'000), 1});
        if (device && device->mode == SmpMode::application) {
            const auto* other = device->slot(1);
            const bool still_waits = is_target(other) && other->pending;
            if (!still_waits) {
                device_ = std::move(*device);
                const auto* running = device_.running();
                if (running != nullptr) report.running_version = running->version;
                observer_.connected(device_);
                co_return Result<>{};
            }
        } else if (device) {
            if (++traps > most_traps)
                co_return fail(Errc::device_did_not_apply,
                               fmt::format("expected the device to start an application, found it in its bootloader "
                                           "after {} resets",
                                           traps));
            observer_.remark("the bootloader answers: resetting it again, and keeping quiet while it starts");
            auto ignored = co_await client_.ask(smp::reset(), {Milliseconds(1'000), 1});
            if (!ignored && ignored.error().code() == Errc::cancelled) co_return fail(std::move(ignored.error()));
            CO_TRY_VOID(co_await pause(quiet += first_quiet));
        } else if (device.error().code() == Errc::port_unavailable) {
            CO_TRY_VOID(co_await client_.channel().reopen(std::max(deadline, clock.now())));
        } else if (device.error().code() == Errc::cancelled) {
            co_return fail(std::move(device.error()));
        }
        if (clock.now() >= deadline) {
            if (was_recovery)
                co_return fail(
                    Errc::not_proven,
                    fmt::format("expected the application to answer on {}, found silence for {}: the "
                                "bootloader took the image, whether it runs is not known",
                                printable(client_.channel().name()), human_duration(policy_.return_deadline)));
            co_return fail(Errc::device_did_not_apply,
                           fmt::format("expected the device back after the reset, found silence for {}",
                                       human_duration(policy_.return_deadline)));
        }
        CO_TRY_VOID(co_await pause(poll_pause));
    }
}

awaitable<Result<std::optional<Outcome>>> SerialRunner::prove() {
    step(SerialStep::prove);
    if (!device_.manages_images)
        co_return fail(
            Errc::not_proven,
            fmt::format("expected {} to tell what runs, found an SMP server that does not manage images: the "
                        "bootloader took the image",
                        printable(client_.channel().name())));
    const auto* running = device_.running();
    if (is_target(running)) {
        report.proven_by_hash = true;
        co_return std::optional<Outcome>{};
    }
    const auto version = running == nullptr ? std::string("nothing") : printable(running->version);
    if (is_target(device_.slot(1)))
        co_return fail(Errc::rolled_back,
                       fmt::format("expected {} to run, found {}: the bootloader went back to the image before",
                                   target_.version.text(), version));
    if (!report.from_version.empty() && running != nullptr && running->version != report.from_version)
        co_return fail(Errc::rolled_back, fmt::format("expected {} to run, found {}", target_.version.text(), version));
    co_return fail(Errc::device_did_not_apply,
                   fmt::format("expected {} to run, found {}, and the new image gone: the bootloader refused it",
                               target_.version.text(), version));
}

awaitable<Result<>> SerialRunner::confirm() {
    const auto* running = device_.running();
    if (running != nullptr && running->confirmed) {
        observer_.remark("the device has confirmed it itself");
        co_return Result<>{};
    }
    step(SerialStep::confirm);
    auto answer = co_await client_.ask(smp::set_image_state(target_.hash, true));
    if (!answer && answer.error().code() != Errc::device_refused && answer.error().code() != Errc::timed_out &&
        answer.error().code() != Errc::port_unavailable)
        co_return fail(std::move(answer.error()));
    if (!answer && answer.error().code() != Errc::device_refused) {
        // Gone between the proof and the confirmation: it may have started again, and with what?
        if (answer.error().code() == Errc::port_unavailable) {
            CO_TRY_VOID(co_await replug(answer.error()));
        }
        CO_TRY_VOID(co_await await_return());
        CO_TRY(const auto proof, co_await prove());
        (void)proof;
        CO_TRY(const auto again, co_await client_.ask(smp::set_image_state(target_.hash, true)));
        (void)again;
    }
    CO_TRY(const auto list, co_await client_.ask(smp::image_list()));
    CO_TRY(device_.images, smp::parse_image_list(list));
    const auto* now = device_.running();
    if (!is_target(now)) {
        CO_TRY(const auto proof, co_await prove());
        (void)proof;
    }
    if (now != nullptr && now->confirmed) co_return Result<>{};
    if (!answer) co_return fail(std::move(answer.error()));
    co_return fail(Errc::device_refused, "expected the image to be confirmed, found that the device still tests it");
}

}  // namespace fota::update
