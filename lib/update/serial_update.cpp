#include "update/serial_update.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/system/system_error.hpp>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "smp/refusal.hpp"
#include "update/decide.hpp"
#include "update/serial_runner.hpp"

namespace fota::update {

using boost::asio::awaitable;

namespace {

/// "1.2.3.4", as servers write it; they leave a build of 0 out.
std::optional<image::Version> smp_version(std::string text) {
    std::size_t dots = 0;
    for (auto& c : text)
        if (c == '.' && ++dots == 3) c = '+';
    const auto version = image::Version::parse(text);
    if (!version) return std::nullopt;
    return *version;
}

}  // namespace

awaitable<Result<>> SerialRunner::pause(Milliseconds span) {
    const bool slept = co_await client_.clock().sleep_until(client_.clock().now() + span);
    if (!slept) co_return fail(Errc::cancelled, "the update was cancelled");
    co_return Result<>{};
}

awaitable<Result<>> SerialRunner::replug(const Error& error) {
    observer_.remark(
        fmt::format("{}: waiting for the same device, for {}", error.message(), human_duration(policy_.replug)));
    const auto began = client_.clock().now();
    CO_TRY_VOID(co_await client_.channel().reopen(began + policy_.replug));
    observer_.remark(fmt::format("it is back after {}", human_duration(to_ms(client_.clock().now() - began))));
    co_return Result<>{};
}

awaitable<Result<>> SerialRunner::connect() {
    step(SerialStep::connect);
    for (;;) {
        auto device = co_await get_acquainted(client_, {Milliseconds(2'500), acquainted_ ? 10 : 4});
        if (device) {
            device_ = std::move(*device);
            break;
        }
        // A port that was never open has no device to wait for.
        if (device.error().code() != Errc::port_unavailable) co_return fail(std::move(device.error()));
        CO_TRY_VOID(co_await replug(device.error()));
    }
    CO_TRY_VOID(require_images(device_, client_.channel().name()));
    const auto* running = device_.running();
    if (running != nullptr) report.running_version = running->version;
    if (!acquainted_ && running != nullptr) report.from_version = running->version;
    acquainted_ = true;
    observer_.connected(device_);
    co_return Result<>{};
}

Result<SerialRunner::Next> SerialRunner::plan() {
    step(SerialStep::plan);
    const auto* running = device_.running();
    if (!policy_.board.empty() && !device_.board.empty() && !is_board(device_.board, policy_.board))
        return fail(Errc::board_mismatch,
                    fmt::format("expected board {}, found {}", printable(policy_.board), printable(device_.board)));
    if (device_.mode == SmpMode::recovery) {
        if (!policy_.signature_verified)
            return fail(Error(Errc::usage,
                              "expected the public key of an image for recovery, which overwrites the image that runs "
                              "and checks nothing; found none")
                            .with("hint", "--key PUB.pem"));
        // What recovery lists, its bootloader has just validated.
        if (is_target(running)) return Next::done;
        // Where nothing is listed there is nothing to take the place of.
        if (running != nullptr)
            if (auto fault = release::replace_fault(policy_.replaces, smp_version(running->version), running->version))
                return fail(std::move(*fault));
        return Next::upload;
    }
    if (is_target(running)) return running->confirmed ? Next::done : Next::confirm;
    if (auto fault =
            release::replace_fault(policy_.replaces, running == nullptr ? std::nullopt : smp_version(running->version),
                                   running == nullptr ? std::string_view() : std::string_view(running->version)))
        return fail(std::move(*fault));
    if (running != nullptr && !policy_.downgrade_reason) {
        const auto reported = smp_version(running->version);
        if (reported && *reported > target_.version)
            return fail(Errc::downgrade_refused, fmt::format("expected a version above the running {}, found {}",
                                                             printable(running->version), target_.version.text()));
    }
    const auto* other = device_.slot(1);
    if (is_target(other)) return other->pending && (other->permanent || !policy_.permanent) ? Next::reset : Next::test;
    return Next::upload;
}

awaitable<Result<>> SerialRunner::upload(std::uint32_t image) {
    step(SerialStep::upload);
    const bool recovery = device_.mode == SmpMode::recovery;
    smp::UploadPlan plan;
    plan.longest_message = std::min(device_.longest_message(), client_.channel().longest_message());
    // Recovery counts one buffer, and a UART without flow control behind it has no more.
    plan.window =
        policy_.window.value_or(recovery || !device_.parameters ? 1 : std::min(device_.parameters->buffer_count, 16U));
    plan.alignment = recovery ? 16 : 4;
    plan.image = image;
    if (!recovery) plan.sha = to_bytes(sha256(target_.image));
    CO_TRY(auto upload, smp::Upload::plan(target_.image, std::move(plan)));
    if (recovery && recovery_began_) {
        auto answer = co_await client_.ask(upload.probe());
        if (!answer) co_return fail(std::move(answer.error()));
        const auto offset = smp::number(*answer, "off").value_or(0);
        upload.resume_at(offset);
        observer_.remark(offset == 0
                             ? std::string("the board was reset meanwhile: recovery takes the image from its begin")
                             : fmt::format("recovery goes on at {}", human_size(offset)));
    }
    recovery_began_ = recovery_began_ || recovery;
    UploadPace pace;
    pace.stall = policy_.stall;
    // Without a hash a repeated first piece erases again.
    if (recovery) pace.erase *= 3;
    bool resumed = false;
    auto result = co_await drive(client_, upload, pace, [&](const smp::Upload& state) {
        if (!resumed && state.requests() == 1 && state.acknowledged() > state.chunk() && !recovery)
            observer_.remark(fmt::format("goes on at {}", human_size(state.acknowledged())));
        resumed = true;
        observer_.progress(state);
    });
    report.bytes_sent += upload.bytes_sent();
    report.blocks += static_cast<std::uint32_t>(upload.requests());
    report.retransmissions += upload.resent();
    if (!result) co_return fail(std::move(result.error()).in("uploading the image"));
    if (upload.match() == false)
        co_return fail(Errc::transfer_failed,
                       "expected the device to have received the image unchanged, found that its hash differs");
    co_return Result<>{};
}

/// What is stored is what was sent: by the hash TLV in the image list.
awaitable<Result<>> SerialRunner::verify_stored() {
    CO_TRY(const auto list, co_await client_.ask(smp::image_list(), {Milliseconds(15'000), 2}));
    CO_TRY(device_.images, smp::parse_image_list(list));
    const auto number = device_.mode == SmpMode::recovery ? 0U : 1U;
    const auto* stored = device_.slot(number);
    if (is_target(stored)) co_return Result<>{};
    // A recovery built without hashes says at least that the image is valid, and which version it is.
    if (stored != nullptr && stored->hash.empty() && smp_version(stored->version) == target_.version)
        co_return Result<>{};
    if (stored == nullptr && device_.mode == SmpMode::recovery)
        co_return fail(Errc::device_did_not_apply,
                       "expected the bootloader to accept the image that it received, found that it lists none: it "
                       "trusts another key or is another board's");
    co_return fail(Errc::transfer_failed,
                   fmt::format("expected the image {} in slot {}, found {}", short_hex(target_.hash), number,
                               stored == nullptr ? "none" : short_hex(stored->hash)));
}

awaitable<Result<Outcome>> SerialRunner::update() {
    Next next = Next::upload;
    bool uploaded = false;
    for (;;) {
        CO_TRY_VOID(co_await connect());
        CO_TRY(next, plan());
        if (next == Next::done && device_.mode == SmpMode::application)
            co_return uploaded ? Outcome::updated : Outcome::already_installed;
        if (next != Next::upload) break;
        if (report.to_version.empty()) report.to_version = target_.version.text();
        auto sent = co_await upload(0);
        if (sent) sent = co_await verify_stored();
        if (sent) {
            uploaded = stored_ = true;
            next = Next::test;
            break;
        }
        if (sent.error().code() != Errc::port_unavailable) co_return fail(std::move(sent.error()));
        CO_TRY_VOID(co_await replug(sent.error()));
    }
    if (next == Next::confirm) {
        report.proven_by_hash = true;
        CO_TRY_VOID(co_await confirm());
        co_return Outcome::updated;
    }
    const bool recovery = device_.mode == SmpMode::recovery;
    if (next == Next::test && !recovery) {
        CO_TRY_VOID(co_await test());
    }
    CO_TRY_VOID(co_await reset());
    CO_TRY_VOID(co_await await_return());
    CO_TRY(const auto proof, co_await prove());
    (void)proof;
    CO_TRY_VOID(co_await confirm());
    co_return recovery && !uploaded ? Outcome::already_installed : Outcome::updated;
}

/// Slots are counted as in the image list; servers count images. Source: Zephyr grp/img_mgmt/src/img_mgmt.c; MCUboot
/// boot_serial.c with MCUBOOT_SERIAL_DIRECT_IMAGE_UPLOAD, where 1 is slot 0 and 0 is what it always writes.
Result<std::uint32_t> SerialRunner::image_of(std::optional<std::uint32_t> slot) const {
    if (!slot) return 0U;
    if (*slot > highest_slot)
        return fail(Errc::usage, fmt::format("expected a slot of 0 to {}, found {}", highest_slot, *slot));
    if (device_.mode == SmpMode::recovery) return *slot + 1;
    if (*slot % 2 == 0)
        return fail(Error(Errc::usage, fmt::format("expected a slot that does not run (1, 3) for an application's "
                                                   "server, found {}",
                                                   *slot))
                        .with("hint", "slot 0 is written by MCUboot's recovery: fotactl serial reset --bootloader"));
    return *slot / 2;
}

awaitable<Result<Outcome>> SerialRunner::upload_only(std::optional<std::uint32_t> slot) {
    for (;;) {
        CO_TRY_VOID(co_await connect());
        if (device_.mode == SmpMode::recovery && !policy_.signature_verified) {
            CO_TRY(const auto next, plan());
            (void)next;
        }
        CO_TRY(const auto image, image_of(slot));
        auto sent = co_await upload(image);
        // What recovery has written over the image that ran has to be one that its bootloader starts. Both 0 and 1 are
        // the primary slot, see image_of().
        if (sent && device_.mode == SmpMode::recovery && image <= 1) sent = co_await verify_stored();
        if (sent) {
            stored_ = true;
            co_return Outcome::updated;
        }
        if (slot && sent.error().code() == Errc::device_refused)
            co_return fail(std::move(sent.error()).with("slot", std::to_string(*slot)));
        if (sent.error().code() != Errc::port_unavailable) co_return fail(std::move(sent.error()));
        CO_TRY_VOID(co_await replug(sent.error()));
    }
}

std::string_view SerialRunner::standing() const {
    if (!acquainted_) return "";
    if (device_.mode == SmpMode::application) return "application";
    return recovery_began_ && !stored_ ? "overwritten" : "recovery";
}

namespace {

Outcome outcome_of(const Error& error) {
    switch (error.code()) {
        case Errc::cancelled:
            return Outcome::interrupted;
        case Errc::device_absent:
            return Outcome::absent;
        case Errc::rolled_back:
            return Outcome::rolled_back;
        case Errc::board_mismatch:
        case Errc::downgrade_refused:
        case Errc::policy_refused:
        case Errc::image_too_large:
            return Outcome::refused;
        default:
            return Outcome::failed;
    }
}

awaitable<Report> finish(ports::Clock& clock, SerialRunner& runner, awaitable<Result<Outcome>> work) {
    namespace this_coro = boost::asio::this_coro;
    co_await this_coro::throw_if_cancelled(false);
    const auto began = clock.now();
    Result<Outcome> result = fail(Errc::cancelled, "the update was cancelled");
    try {
        result = co_await std::move(work);
    } catch (const boost::system::system_error&) {
        // Cancellation that arrived between two waits.
    }
    auto report = std::move(runner.report);
    report.elapsed = to_ms(clock.now() - began);
    if (result) {
        report.outcome = *result;
    } else {
        report.outcome = outcome_of(result.error());
        report.error = std::move(result.error());
        if (!runner.standing().empty()) (void)std::move(*report.error).with("smp", std::string(runner.standing()));
    }
    co_return report;
}

}  // namespace

std::string_view step_name(SerialStep step) noexcept {
    switch (step) {
        case SerialStep::connect:
            return "connect";
        case SerialStep::plan:
            return "plan";
        case SerialStep::upload:
            return "upload";
        case SerialStep::test:
            return "test";
        case SerialStep::reset:
            return "reset";
        case SerialStep::await_return:
            return "await-return";
        case SerialStep::prove:
            return "prove";
        case SerialStep::confirm:
            return "confirm";
    }
    return "?";
}

awaitable<Report> run_serial(ports::SmpChannel& channel, const Target& target, const SerialPolicy& policy,
                             ports::Clock& clock, SerialObserver& observer) {
    SerialRunner runner(channel, target, policy, clock, observer);
    runner.report.to_version = target.version.text();
    co_return co_await finish(clock, runner, runner.update());
}

awaitable<Report> upload_serial(ports::SmpChannel& channel, const Target& target, std::optional<std::uint32_t> slot,
                                const SerialPolicy& policy, ports::Clock& clock, SerialObserver& observer) {
    SerialRunner runner(channel, target, policy, clock, observer);
    runner.report.to_version = target.version.text();
    co_return co_await finish(clock, runner, runner.upload_only(slot));
}

}  // namespace fota::update
