// What stands in the way of a package: what the device holds of another one, and the push that an earlier run of ours
// left in the middle.
#include <utility>

#include "lwm2m/value.hpp"
#include "update/runner.hpp"
#include "update/states.hpp"

namespace fota::update {

using boost::asio::awaitable;

namespace {

/// Blocks from the one that the journal knows on: it is up to 64 KiB old, and older where the link was fast.
constexpr std::uint32_t most_candidates = 257;
constexpr Milliseconds longest_reboot{180'000};

}  // namespace

/// From the gentlest to the crudest, looking at State after each (lwm2m-fota, section 1.9): only ever with State other
/// than 0.
awaitable<Result<>> Runner::reset() {
    step(Step::reset);
    for (int rung = 0; rung < 5; ++rung) {
        CO_TRY(const auto state, co_await view_.integer(object_.state()));
        if (state.value_or(idle) == idle) co_return Result<>{};
        // An empty URI is the clean reset; some clients without pull only know the NUL byte. In State 1 a lone NUL
        // completes the download instead, and the next one resets it. Cancel exists since version 1.1 and leaves
        // Result 10.
        if (rung == 0) {
            CO_TRY_VOID(co_await view_.write(object_.package_uri(), {}, lwm2m::Format::text));
        } else if (rung < 4) {
            CO_TRY_VOID(co_await view_.write(object_.package(), Bytes(1), lwm2m::Format::opaque));
        } else {
            CO_TRY_VOID(co_await view_.execute(object_.cancel()));
        }
    }
    co_return co_await reboot();
}

/// Clients that answer 5.03 to everything until an abandoned push is forgotten, minutes later (Anjay: 300 s), take an
/// early last block for its end.
awaitable<Result<>> Runner::end_left_behind() {
    if (!left_behind_ || left_behind_->pull || left_behind_->block_size == 0) co_return Result<>{};
    const auto left = *std::exchange(left_behind_, std::nullopt);
    observer_.remark(
        "the device waits for the rest of a package that was left unfinished: it is told that there is none");
    ports::UnfinishedTransfer transfer;
    transfer.package = object_.package();
    transfer.token = left.token;
    transfer.block_size = left.block_size;
    transfer.first_block = std::max(left.block, 1u);
    transfer.candidates = most_candidates;
    const auto ended = co_await link_.end_transfer(std::move(transfer));
    // Where it does not work, the device still forgets by itself.
    if (!ended && ended.error().code() == Errc::cancelled) co_return Failure(ended.error());
    co_return Result<>{};
}

/// NCS's client keeps what it has written of a package when it reboots, State 0 or not, and takes it for the beginning
/// of the next one. An empty URI clears that, and is the one reset that no client takes ill in Idle; those that cannot
/// fetch refuse it.
awaitable<Result<>> Runner::forget_other_package() {
    CO_TRY_VOID(co_await view_.write(object_.package_uri(), {}, lwm2m::Format::text));
    co_return Result<>{};
}

/// The last rung. Where even that leaves State 1 it is a fault of the client, and a transfer that begins at block 0
/// starts over nevertheless.
awaitable<Result<>> Runner::reboot() {
    CO_TRY(const auto state, co_await view_.integer(object_.state()));
    if (state.value_or(idle) == idle) co_return Result<>{};
    observer_.remark("no reset takes effect: the device is asked to reboot");
    const auto before = serial();
    const auto deadline = clock_.now() + longest_reboot;
    const auto answer = co_await link_.execute(lwm2m::device::reboot, "");
    if (!answer && answer.error().code() == Errc::cancelled) co_return Failure(answer.error());
    // Silence may be the reboot itself; a refusal is none.
    if (answer && !answer->ok()) co_return Result<>{};
    while (serial() == before && clock_.now() < deadline) {
        const auto awake = co_await link_.await_awake(link_.awake_serial(), deadline);
        if (!awake && awake.error().code() == Errc::cancelled) co_return Failure(awake.error());
    }
    co_return Result<>{};
}

}  // namespace fota::update
