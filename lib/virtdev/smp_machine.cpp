#include "virtdev/smp_machine.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fota::virtdev {

using boost::asio::awaitable;

namespace {

constexpr std::uint64_t lost_reply = 20;
constexpr std::uint64_t repeated_reply = 10;

bool ends(const Error& error) {
    return error.code() != Errc::timed_out;
}

}  // namespace

SmpMachine::SmpMachine(Board& board, ports::Clock& clock, SmpMachineConfig config, SmpMachineEvents events)
    : board_(board),
      clock_(clock),
      config_(std::move(config)),
      events_(std::move(events)),
      application_(board, config_.quirks,
                   has(SmpQuirk::small_buffer) ? SmpBuffers{96, config_.buffers.count} : config_.buffers),
      recovery_(board, config_.quirks, config_.recovery_buffers),
      recovery_mode_(config_.in_recovery || has(SmpQuirk::in_recovery)),
      booted_(board.running().has_value()) {}

void SmpMachine::power_cycle(bool into_recovery) {
    power_cycle_ = true;
    power_cycle_to_recovery_ = into_recovery;
}

Result<> SmpMachine::start_image() {
    const auto before = image_in(board_.primary());
    TRY(const auto boot, board_.reboot());
    if (events_.boot_log) {
        std::string line;
        for (const char c : boot.log) {
            if (c != '\n') {
                line += c;
            } else {
                events_.boot_log(std::exchange(line, {}));
            }
        }
    }
    const auto now = image_in(board_.primary());
    if (boot.swap == Swap::revert && events_.reverted && now) events_.reverted(now->version);
    if ((boot.swap == Swap::test || boot.swap == Swap::permanent) && events_.swapped && now)
        events_.swapped(before ? before->version : "", now->version);
    booted_ = boot.booted;
    return {};
}

/// Requests that arrive until the deadline; those for which there is no room are lost, as on a UART without flow
/// control.
awaitable<Result<>> SmpMachine::collect(ports::SmpChannel& channel, Instant deadline, std::size_t room) {
    for (;;) {
        auto message = co_await channel.receive(deadline);
        if (!message) {
            if (ends(message.error())) co_return fail(std::move(message.error()));
            co_return Result<>{};
        }
        if (queue_.size() < room)
            queue_.push_back(std::move(*message));
        else
            ++dropped_;
    }
}

awaitable<Result<>> SmpMachine::boot(ports::SmpChannel& channel, bool to_bootloader, const char* reason) {
    queue_.clear();
    application_.after_reset();
    recovery_.after_reset();
    if (events_.reboot) events_.reboot(reason);
    recovery_mode_ = to_bootloader;
    if (config_.reset_board && !to_bootloader) {
        config_.reset_board();
        // Whoever runs the board boots it meanwhile.
        CO_TRY_VOID(co_await collect(channel, clock_.now() + config_.boot_time * 2, 0));
        booted_ = true;
        co_return Result<>{};
    }
    CO_TRY_VOID(co_await collect(channel, clock_.now() + config_.boot_time / 2, 0));
    if (!to_bootloader) {
        CO_TRY_VOID(start_image());
        if (!booted_) recovery_mode_ = true;  // no image: recovery is all that is left
        if (booted_ && has(SmpQuirk::wait_for_dfu)) {
            CO_TRY_VOID(co_await collect(channel, clock_.now() + config_.dfu_window, 1));
            if (!queue_.empty()) {
                recovery_mode_ = true;
                co_return Result<>{};
            }
        }
        const bool testing = booted_ && !board_.confirmed().value_or(true);
        if (testing && has(SmpQuirk::revert)) {
            CO_TRY_VOID(co_await collect(channel, clock_.now() + config_.boot_time, 0));
            CO_TRY_VOID(start_image());
        }
        if (testing && has(SmpQuirk::self_confirm)) {
            CO_TRY_VOID(board_.confirm());
        }
    }
    CO_TRY_VOID(co_await collect(channel, clock_.now() + config_.boot_time / 2, 0));
    co_return Result<>{};
}

awaitable<Result<>> SmpMachine::answer(ports::SmpChannel& channel, SmpReaction reaction) {
    const std::size_t room = recovery_mode_ && !has(SmpQuirk::recovery_two_buffers) ? 0
                             : recovery_mode_                                       ? 4
                                                                                    : config_.buffers.count - 1;
    CO_TRY_VOID(co_await collect(channel, clock_.now() + config_.turnaround + reaction.busy, room));
    if (reaction.reply) {
        ++replies_;
        bool lose = reaction.lose_reply || (has(SmpQuirk::lose_replies) && replies_ % lost_reply == 0);
        if (reaction.reset && has(SmpQuirk::lost_reset_answer)) lose = true;
        if (!lose) {
            CO_TRY_VOID(co_await channel.send(*reaction.reply));
        }
        if (!lose && has(SmpQuirk::late_duplicates) && replies_ % repeated_reply == 0) {
            CO_TRY_VOID(co_await collect(channel, clock_.now() + config_.turnaround, room));
            CO_TRY_VOID(co_await channel.send(std::move(*reaction.reply)));
        }
    }
    if (reaction.reset) {
        CO_TRY_VOID(co_await collect(channel, clock_.now() + config_.reset_after, 0));
        CO_TRY_VOID(co_await boot(channel, reaction.to_bootloader, "SMP reset"));
    }
    co_return Result<>{};
}

awaitable<Result<>> SmpMachine::run(ports::SmpChannel& channel) {
    if (!booted_ && !recovery_mode_ && !config_.reset_board) {
        CO_TRY_VOID(start_image());
        recovery_mode_ = !booted_;
    }
    for (;;) {
        if (std::exchange(power_cycle_, false)) {
            CO_TRY_VOID(co_await boot(channel, power_cycle_to_recovery_, "power"));
        }
        if (queue_.empty()) {
            auto message = co_await channel.receive(clock_.now() + Milliseconds(100));
            if (!message) {
                if (ends(message.error())) co_return fail(std::move(message.error()));
                continue;
            }
            queue_.push_back(std::move(*message));
        }
        const auto request = std::move(queue_.front());
        queue_.pop_front();
        ++requests_;
        auto reaction = recovery_mode_ ? recovery_.handle(request) : application_.handle(request);
        CO_TRY_VOID(co_await answer(channel, std::move(reaction)));
    }
}

}  // namespace fota::virtdev
