#include "cli/serial_hints.hpp"

#include <fmt/format.h>

#include <filesystem>

#include "adapters/serial_port.hpp"
#include "adapters/smp_udp.hpp"
#include "adapters/usb_ports.hpp"

namespace fota::cli {
namespace {

using Hints = std::vector<std::string>;

constexpr auto boot_log = "why: capture what the board prints while it starts, and run: fotactl layout explain-log LOG";
constexpr auto overwritten =
    "the board's image is overwritten in part and does not start: run the same command again, to its end, while the "
    "board is in recovery";

Hints port_hints(const Error& error) {
    const auto reason = error.detail("reason");
    const std::string device(error.detail("device"));
    if (reason == "busy" && error.detail("program") == "ModemManager")
        return {
            "keep ModemManager away from these boards: install packaging/udev/70-fotactl.rules, then plug the board "
            "in again"};
    if (reason == "busy" && !error.detail("pid").empty())
        return {fmt::format("close {}, then run this again; or end it: kill {}", error.detail("program"),
                            error.detail("pid"))};
    if (reason == "busy") return {"see who has it: sudo fuser -v " + device};
    if (reason == "permission")
        return {fmt::format("join the group: sudo usermod -aG {} $USER, then log in again", error.detail("group")),
                "or install packaging/udev/70-fotactl.rules, which gives these boards to whoever sits at the machine"};
    if (reason == "vanished" || reason == "absent")
        return {"plug the board in and switch it on; see what is there: fotactl serial ports"};
    if (reason == "held") return {"switch the board off and on; a J-Link that stalls: unplug its USB cable as well"};
    if (reason == "not-serial") return {"see what is there: fotactl serial ports"};
    return {};
}

/// The device answered, and refused.
Hints refusal_hints(const Error& error) {
    const auto rc = error.detail("rc");
    if (!error.detail("slot").empty() && error.detail("group").empty() && rc == "3")
        return {
            "this recovery writes the primary slot only: leave --slot out; others need "
            "CONFIG_MCUBOOT_SERIAL_DIRECT_IMAGE_UPLOAD=y in MCUboot"};
    if (error.detail("group").empty() && rc == "8")
        return {
            "build the application with image management (CONFIG_MCUMGR_GRP_IMG=y), or hold the board in MCUboot's "
            "serial recovery"};
    if (error.detail("group") == "image" && rc == "9")
        return {"keep the image that runs: fotactl serial confirm; or go back to the one before: fotactl serial reset"};
    if (error.detail("group") == "image" && rc == "32")
        return {
            "the new image runs as a test and goes back at the next reset: it has to confirm itself "
            "(boot_write_img_confirmed()), or go back now: fotactl serial reset"};
    if (const auto group = error.detail("group"); !group.empty() && group != "image")
        return {"what this firmware can be asked: fotactl serial groups"};
    return {"what the device has, and in which state: fotactl serial info, fotactl serial list"};
}

/// An update that ended before its proof; `smp` is what the device was.
Hints update_hints(const Error& error, std::string_view smp) {
    const bool half = smp == "overwritten";
    switch (error.code()) {
        case Errc::interrupted:
        case Errc::terminated:
            if (half) return {overwritten};
            return {"run the same command again: it goes on where it was, as long as the board is not reset"};
        case Errc::timed_out:
        case Errc::transfer_stalled:
        case Errc::transfer_failed: {
            Hints out{half ? overwritten
                           : "run the same command again: it goes on where it was, unless the board was reset"};
            if (!error.detail("holder").empty())
                out.push_back(
                    fmt::format("another program on the port takes bytes from us: close {}", error.detail("holder")));
            if (error.detail("usb") == "there" && error.detail("holder").empty())
                out.emplace_back("the cable is still there, and nobody else has the port: switch the board off and on");
            if (error.detail("usb") == "gone") out.emplace_back("the board is no longer on USB: plug it in again");
            return out;
        }
        case Errc::port_unavailable:
            if (half) return {"plug the same board in again", overwritten};
            return {"plug the same board in again, then run the same command"};
        case Errc::not_proven:
            return {
                "see by hand what runs: fotactl serial info; the application may answer on another port of the "
                "board: fotactl serial ports"};
        case Errc::device_did_not_apply:
            if (half)
                return {
                    "the board does not start any more: upload an image that is signed for it (the same command, "
                    "while it is in recovery); whose key this one has: fotactl image show IMAGE"};
            return {boot_log};
        case Errc::rolled_back:
            return {boot_log,
                    "does the new image start, and answer on this port? what is in the slots: fotactl serial "
                    "list"};
        case Errc::board_mismatch:
            return {
                "another board may be on another port: fotactl serial ports; else build for the board that is "
                "here"};
        default:
            return {};
    }
}

}  // namespace

std::vector<std::string> serial_hints(const Error& error) {
    if (error.code() == Errc::device_absent && !error.detail("device").empty())
        return {
            "see what answers where: fotactl serial ports",
            "the application needs SMP on this port (CONFIG_MCUMGR_TRANSPORT_UART=y) at this speed (--baud); or hold "
            "the board in MCUboot's serial recovery"};
    if (error.code() == Errc::device_did_not_apply && !error.detail("bootloader").empty())
        return {
            "the firmware has to keep the boot mode (CONFIG_RETENTION_BOOT_MODE=y), or MCUboot to wait for an update "
            "(CONFIG_BOOT_SERIAL_WAIT_FOR_DFU=y)",
            "by hand: hold the board's recovery button while it is switched on (Thingy:91: SW3, not SW4)"};
    if (error.code() == Errc::device_refused && !error.detail("rc").empty()) return refusal_hints(error);
    if (const auto smp = error.detail("smp"); !smp.empty())
        if (auto out = update_hints(error, smp); !out.empty()) return out;
    if (error.code() == Errc::port_unavailable) return port_hints(error);
    return {};
}

Error with_port_facts(Error error, const std::string& port) {
    if (adapters::SmpUdp::is_udp(port)) return error;
    if (adapters::usb_port(port))
        (void)std::move(error).with("usb", "there");
    else if (std::error_code ignored; !std::filesystem::exists(port, ignored))
        (void)std::move(error).with("usb", "gone");
    if (const auto holders = adapters::port_holders(port); !holders.empty())
        (void)std::move(error).with("holder",
                                    fmt::format("{} (process {})", holders.front().program, holders.front().pid));
    return error;
}

}  // namespace fota::cli
