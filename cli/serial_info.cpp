// fotactl serial info, fotactl serial list: who answers, and what is in its slots.
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/serial.hpp"
#include "update/smp_device.hpp"

namespace fota::cli {
namespace {

using boost::asio::awaitable;

struct Options {
    SerialOptions serial;
};

struct Seen {
    update::SmpDevice device;
    std::string bootloader;  ///< "MCUboot, swap-move"; "" where it cannot be asked
    std::vector<smp::SlotSize> sizes;
};

std::string_view mode_text(update::SmpMode mode) {
    return mode == update::SmpMode::application ? "application" : "recovery";
}

std::string flags(const smp::ImageSlot& slot) {
    std::string out;
    const auto add = [&](bool is, const char* name) {
        if (is) out += out.empty() ? name : std::string(", ") + name;
    };
    add(slot.active, "runs");
    add(slot.confirmed, "confirmed");
    add(slot.pending, slot.permanent ? "next for good" : "next, as a test");
    add(slot.bootable && !slot.active, "bootable");
    return out;
}

nlohmann::json fields(const smp::ImageSlot& slot) {
    return {{"image", slot.image},       {"slot", slot.slot},           {"version", printable(slot.version)},
            {"hash", to_hex(slot.hash)}, {"active", slot.active},       {"confirmed", slot.confirmed},
            {"pending", slot.pending},   {"permanent", slot.permanent}, {"bootable", slot.bootable}};
}

void show_slots(Output& out, const update::SmpDevice& device) {
    if (!device.manages_images)
        out.line("images      not managed: an update needs CONFIG_MCUMGR_GRP_IMG=y in the application");
    else if (device.images.empty())
        out.line("no image in any slot");
    for (const auto& slot : device.images)
        out.line(fmt::format("slot {}{}  {:<14} {}{}", slot.slot,
                             slot.image == 0 ? "" : fmt::format(" of image {}", slot.image), printable(slot.version),
                             slot.hash.empty() ? "no hash told" : to_hex(slot.hash),
                             flags(slot).empty() ? "" : "  " + flags(slot)));
}

/// Questions that not every server has: no answer is an answer.
awaitable<Result<Seen>> look(ports::SmpChannel& channel, ports::Clock& clock, bool everything) {
    update::SmpClient client(channel, clock);
    Seen seen;
    CO_TRY(seen.device, co_await update::get_acquainted(client));
    if (!everything) {
        CO_TRY_VOID(update::require_images(seen.device, channel.name()));
        co_return seen;
    }
    const auto bootloader = co_await client.ask(smp::bootloader_info());
    if (bootloader) seen.bootloader = smp::text(*bootloader, "bootloader").value_or("");
    const auto mode = co_await client.ask(smp::bootloader_mode());
    if (mode)
        if (const auto number = smp::number(*mode, "mode"))
            seen.bootloader += ", " + smp::bootloader_mode_name(*number);
    const auto slots = co_await client.ask(smp::slot_info());
    if (slots) {
        auto sizes = smp::parse_slot_info(*slots);
        if (sizes) seen.sizes = std::move(*sizes);
    }
    co_return seen;
}

Result<Seen> looked(const Options& options, bool everything) {
    Seen seen;
    TRY_VOID(
        with_smp_channel(options.serial, [&](ports::SmpChannel& channel, ports::Clock& clock) -> awaitable<Result<>> {
            CO_TRY(seen, co_await look(channel, clock, everything));
            co_return Result<>{};
        }));
    return seen;
}

nlohmann::json slots_json(const update::SmpDevice& device) {
    auto rows = nlohmann::json::array();
    for (const auto& slot : device.images) rows.push_back(fields(slot));
    return rows;
}

int run_list(Program& program, const Options& options) {
    const auto seen = looked(options, false);
    if (!seen) return program.out.fail(seen.error(), {{"port", options.serial.port}});
    for (const auto& slot : seen->device.images) program.out.event("image", fields(slot));
    show_slots(program.out, seen->device);
    return program.out.result(
        "done",
        {{"port", options.serial.port}, {"mode", mode_text(seen->device.mode)}, {"images", slots_json(seen->device)}});
}

int run_info(Program& program, const Options& options) {
    const auto seen = looked(options, true);
    if (!seen) return program.out.fail(seen.error(), {{"port", options.serial.port}});
    auto& out = program.out;
    const auto& device = seen->device;
    nlohmann::json result{{"port", options.serial.port},
                          {"mode", mode_text(device.mode)},
                          {"board", printable(device.board)},
                          {"bootloader", printable(seen->bootloader)},
                          {"manages_images", device.manages_images},
                          {"images", slots_json(device)}};
    out.line(fmt::format("answers     {}", device.mode == update::SmpMode::application
                                               ? "an application's SMP server"
                                               : "MCUboot's serial recovery: an upload overwrites what runs"));
    if (!device.board.empty()) out.line("board       " + printable(device.board));
    if (!seen->bootloader.empty()) out.line("bootloader  " + printable(seen->bootloader));
    if (device.parameters) {
        out.line(
            fmt::format("buffers     {} of {} bytes", device.parameters->buffer_count, device.parameters->buffer_size));
        result["buffers"] = {{"count", device.parameters->buffer_count}, {"size", device.parameters->buffer_size}};
    }
    auto sizes = nlohmann::json::array();
    for (const auto& each : seen->sizes) {
        if (each.size == 0) continue;
        out.line(fmt::format(
            "size        slot {}: {} bytes{}", each.slot, with_thousands(each.size),
            each.max_image ? fmt::format(", an image of at most {}", with_thousands(*each.max_image)) : ""));
        sizes.push_back({{"image", each.image}, {"slot", each.slot}, {"size", each.size}});
    }
    result["slots"] = std::move(sizes);
    show_slots(out, device);
    return out.result("done", std::move(result));
}

void bind(CLI::App& app, Options& o) {
    bind_serial(app, o.serial);
}

}  // namespace

void add_serial_info(CLI::App& serial, Program& program) {
    add_command<Options>(serial, program, "info", "who answers, on which board, with which buffers and slots", bind,
                         run_info);
    add_command<Options>(serial, program, "list", "the images in the slots, and their state", bind, run_list);
}

}  // namespace fota::cli
