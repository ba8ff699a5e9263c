#include "update/smp_device.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "smp/refusal.hpp"

namespace fota::update {

using boost::asio::awaitable;

namespace {

/// Smallest default of any Zephyr or MCUboot release, less framing.
constexpr std::size_t modest_message = 252;
/// A bootloader waits for half a second by default (BOOT_SERIAL_WAIT_FOR_DFU_TIMEOUT).
constexpr Milliseconds dfu_poll{100};
/// From the answer to a reset until it has happened.
constexpr Milliseconds reset_time{2'000};

/// The answer, or nullopt where the server does not have the command or has something odd to say.
awaitable<Result<std::optional<smp::Json>>> ask_optional(SmpClient& client, smp::Command command, Patience patience) {
    auto answer = co_await client.ask(std::move(command), patience);
    if (answer) co_return std::optional<smp::Json>(std::move(*answer));
    switch (answer.error().code()) {
        case Errc::device_refused:
        case Errc::message_malformed:
            co_return std::optional<smp::Json>{};
        default:
            co_return fail(std::move(answer.error()));
    }
}

Failure absent(SmpClient& client, const Patience& patience) {
    return fail(Error(Errc::device_absent, fmt::format("expected an SMP server on {}, found silence for {}",
                                                       printable(client.channel().name()),
                                                       human_duration(patience.timeout * patience.attempts)))
                    .with("device", client.channel().name()));
}

bool speaks_of_state(const std::vector<smp::ImageSlot>& images) {
    return std::ranges::any_of(images, &smp::ImageSlot::has_flags);
}

}  // namespace

const smp::ImageSlot* SmpDevice::slot(std::uint32_t number) const {
    const auto found = std::ranges::find_if(
        images, [&](const smp::ImageSlot& each) { return each.image == 0 && each.slot == number; });
    return found == images.end() ? nullptr : &*found;
}

std::size_t SmpDevice::longest_message() const {
    return parameters ? parameters->longest_message() : modest_message;
}

std::string board_in_info(const std::string& output) {
    // "Zephyr unknown 4f2e1c v3.5.99-ncs1 ... arm cortex-m33 nrf9160dk_nrf9160_ns Zephyr"; newer with slashes.
    std::vector<std::string> words;
    std::string word;
    for (const char c : output + " ") {
        if (c != ' ') {
            word += c;
        } else if (!word.empty()) {
            words.push_back(std::exchange(word, {}));
        }
    }
    return words.size() < 3 ? std::string() : words[words.size() - 2];
}

Result<> require_images(const SmpDevice& device, const std::string& name) {
    if (device.manages_images) return {};
    return fail(
        Error(Errc::device_refused,
              fmt::format("expected an SMP server that manages images on {}, found one that does not", printable(name)))
            .with("device", name)
            .with("rc", "8"));
}

awaitable<Result<>> greet(SmpClient& client, Patience patience) {
    auto answer = co_await ask_optional(client, smp::parameters(), patience);
    if (answer) co_return Result<>{};
    if (answer.error().code() != Errc::timed_out) co_return fail(std::move(answer.error()));
    co_return absent(client, patience);
}

awaitable<Result<SmpDevice>> get_acquainted(SmpClient& client, Patience patience) {
    SmpDevice device;
    auto parameters = co_await ask_optional(client, smp::parameters(), patience);
    if (!parameters) {
        if (parameters.error().code() != Errc::timed_out) co_return fail(std::move(parameters.error()));
        co_return absent(client, patience);
    }
    if (*parameters) {
        auto parsed = smp::parse_parameters(**parameters);
        if (parsed) device.parameters = *parsed;
    }
    auto list = co_await client.ask(smp::image_list());
    if (list) {
        CO_TRY(device.images, smp::parse_image_list(*list));
    } else {
        if (!smp::is_unsupported(list.error())) co_return fail(std::move(list.error()));
        device.manages_images = false;
    }
    CO_TRY(const auto info, co_await ask_optional(client, smp::application_info(), Patience{}));
    if (info) device.board = board_in_info(smp::text(*info, "output").value_or(""));
    // Recovery says nothing of state, or only what is true; an application has other commands as well.
    bool application = speaks_of_state(device.images) || device.images.empty();
    if (application && !info && device.manages_images && !list->contains("splitStatus") &&
        (!device.parameters || device.parameters->buffer_count == 1)) {
        CO_TRY(const auto groups, co_await ask_optional(client, smp::groups(), Patience{}));
        application = groups.has_value();
    }
    device.mode = application ? SmpMode::application : SmpMode::recovery;
    co_return device;
}

awaitable<Result<SmpDevice>> enter_recovery(SmpClient& client, Milliseconds deadline) {
    auto& clock = client.clock();
    const auto& name = client.channel().name();
    auto asked = co_await client.ask(smp::reset(true), {Milliseconds(2'500), 1});
    // The answer may be lost with the reset; a port may go with it.
    if (!asked && asked.error().code() != Errc::timed_out && asked.error().code() != Errc::port_unavailable)
        co_return fail(std::move(asked.error()));
    const auto began = clock.now();
    bool application = false;
    while (clock.now() - began < deadline) {
        const auto next = clock.now() + dfu_poll;
        // A raw channel's wait for a server to forget half a message is longer than a bootloader's for a request. Later
        // on it is back, for a bootloader that was started in the middle of one.
        if (clock.now() - began < deadline / 2) client.channel().device_was_reset();
        auto answer = co_await client.ask(smp::parameters(), {dfu_poll, 1});
        const bool refused = !answer && answer.error().code() == Errc::device_refused;
        if (answer || refused) {
            auto device = co_await get_acquainted(client, {Milliseconds(1'000), 1});
            if (device && device->mode == SmpMode::recovery) co_return device;
            // Before the reset the application still answers.
            application = device.has_value() && clock.now() - began > reset_time;
        } else if (answer.error().code() == Errc::port_unavailable) {
            CO_TRY_VOID(co_await client.channel().reopen(began + deadline));
        } else if (answer.error().code() == Errc::cancelled) {
            co_return fail(std::move(answer.error()));
        }
        const bool slept = co_await clock.sleep_until(next);
        if (!slept) co_return fail(Errc::cancelled, "the wait was cancelled");
    }
    co_return fail(Error(Errc::device_did_not_apply,
                         fmt::format("expected {} in its bootloader's recovery after the reset, found {}",
                                     printable(name), application ? "its application again" : "silence"))
                       .with("device", name)
                       .with("bootloader", application ? "application" : "silence"));
}

}  // namespace fota::update
