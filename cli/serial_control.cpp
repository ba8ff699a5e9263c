// fotactl serial reset|erase|test|confirm: one command to the device, and what it says of it.
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/serial.hpp"
#include "update/smp_device.hpp"

namespace fota::cli {
namespace {

using boost::asio::awaitable;

struct Options {
    SerialOptions serial;
    std::uint32_t slot = 1;
    std::string hash;
    bool bootloader = false;
};

/// A whole slot may be erased before the answer.
constexpr update::Patience erase_patience{Milliseconds(60'000), 1};

int carry_out(Program& program, const Options& options, smp::Command command, update::Patience patience,
              const std::string& done) {
    const auto end =
        with_smp_channel(options.serial, [&](ports::SmpChannel& channel, ports::Clock& clock) -> awaitable<Result<>> {
            update::SmpClient client(channel, clock);
            CO_TRY_VOID(co_await update::greet(client));
            const auto answer = co_await client.ask(command, patience);
            if (!answer) co_return Failure(answer.error());
            co_return Result<>{};
        });
    if (!end) return program.out.fail(end.error(), {{"port", options.serial.port}});
    program.out.line(done);
    return program.out.result("done", {{"port", options.serial.port}});
}

/// 64 hexadecimal digits, or fewer where one image of the device begins with them.
Result<Bytes> image_hash(const Options& options) {
    std::optional<Bytes> found;
    if (const auto whole = from_hex(options.hash); whole && whole->size() >= 32) return *whole;
    if (options.hash.size() < 4 || options.hash.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
        return fail(Errc::usage, fmt::format("expected an image's hash, or its first four digits and more, found {}",
                                             printable(options.hash)));
    std::string begin = options.hash;
    for (auto& c : begin)
        if (c >= 'A' && c <= 'F') c = static_cast<char>(c - 'A' + 'a');
    bool several = false;
    TRY_VOID(
        with_smp_channel(options.serial, [&](ports::SmpChannel& channel, ports::Clock& clock) -> awaitable<Result<>> {
            update::SmpClient client(channel, clock);
            CO_TRY(const auto device, co_await update::get_acquainted(client));
            CO_TRY_VOID(update::require_images(device, channel.name()));
            for (const auto& slot : device.images)
                if (to_hex(slot.hash).starts_with(begin)) {
                    several = several || (found && *found != slot.hash);
                    found = slot.hash;
                }
            co_return Result<>{};
        }));
    if (several)
        return fail(Errc::usage,
                    fmt::format("expected digits that one image begins with, found several for {}", begin));
    if (!found)
        return fail(Errc::usage, fmt::format("expected the hash of an image on the device, found none with {}", begin));
    return *found;
}

/// Long enough for a slow start, short enough to wait for.
constexpr Milliseconds recovery_deadline{10'000};

int run_reset_into_bootloader(Program& program, const Options& options) {
    const auto end =
        with_smp_channel(options.serial, [&](ports::SmpChannel& channel, ports::Clock& clock) -> awaitable<Result<>> {
            update::SmpClient client(channel, clock);
            CO_TRY_VOID(co_await update::greet(client));
            const auto device = co_await update::enter_recovery(client, recovery_deadline);
            if (!device) co_return Failure(device.error());
            co_return Result<>{};
        });
    if (!end) return program.out.fail(end.error(), {{"port", options.serial.port}});
    program.out.line(
        "MCUboot's recovery answers: an upload now overwrites what runs; back to the application: serial "
        "reset");
    return program.out.result("done", {{"port", options.serial.port}, {"mode", "recovery"}});
}

int run_reset(Program& program, const Options& options) {
    if (options.bootloader) return run_reset_into_bootloader(program, options);
    return carry_out(program, options, smp::reset(), {Milliseconds(2'500), 1}, "reset");
}

int run_erase(Program& program, const Options& options) {
    return carry_out(program, options, smp::erase_slot(options.slot), erase_patience,
                     fmt::format("slot {} is erased", options.slot));
}

int run_test(Program& program, const Options& options) {
    const auto hash = image_hash(options);
    if (!hash) return program.out.fail(hash.error());
    return carry_out(
        program, options, smp::set_image_state(*hash, false), {},
        fmt::format("{} starts at the next reset, as a test: serial reset, then serial confirm", short_hex(*hash)));
}

int run_confirm(Program& program, const Options& options) {
    Bytes hash;
    if (!options.hash.empty()) {
        auto given = image_hash(options);
        if (!given) return program.out.fail(given.error());
        hash = std::move(*given);
    }
    return carry_out(program, options, smp::set_image_state(hash, true), {},
                     hash.empty() ? std::string("the image that runs is confirmed")
                                  : fmt::format("{} is confirmed: there is no way back to the other", short_hex(hash)));
}

}  // namespace

void add_serial_control(CLI::App& serial, Program& program) {
    add_command<Options>(
        serial, program, "reset", "restart the device",
        [](CLI::App& app, Options& o) {
            bind_serial(app, o.serial);
            app.add_flag("--bootloader", o.bootloader, "into MCUboot's serial recovery, and wait until it answers");
        },
        run_reset);
    add_command<Options>(
        serial, program, "erase", "erase a slot",
        [](CLI::App& app, Options& o) {
            bind_serial(app, o.serial);
            app.add_option("--slot", o.slot, "which one")->type_name("N")->capture_default_str();
        },
        run_erase);
    add_command<Options>(
        serial, program, "test", "run an image of the other slot after the next reset, once",
        [](CLI::App& app, Options& o) {
            app.add_option("HASH", o.hash, "the image's hash, or how it begins")->required();
            bind_serial(app, o.serial);
        },
        run_test);
    add_command<Options>(
        serial, program, "confirm", "keep the image that runs, or the one with this hash",
        [](CLI::App& app, Options& o) {
            app.add_option("HASH", o.hash, "the image's hash, or how it begins");
            bind_serial(app, o.serial);
        },
        run_confirm);
}

}  // namespace fota::cli
