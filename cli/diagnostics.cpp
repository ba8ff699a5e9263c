#include "cli/diagnostics.hpp"

#include <fmt/format.h>

#include "cli/modem_hints.hpp"
#include "cli/serial_hints.hpp"

namespace fota::cli {

int exit_code(Errc code) noexcept {
    switch (code) {  // no default: a new enumerator must be given its exit code here
        case Errc::internal:
            return 1;
        case Errc::usage:
            return 2;
        case Errc::file_unreadable:
        case Errc::file_unwritable:
        case Errc::config_invalid:
        case Errc::image_malformed:
        case Errc::key_unusable:
        case Errc::message_malformed:
            return 3;
        case Errc::image_rejected:
        case Errc::signature_invalid:
        case Errc::key_mismatch:
        case Errc::policy_refused:
        case Errc::downgrade_refused:
        case Errc::board_mismatch:
            return 4;
        case Errc::image_too_large:
        case Errc::layout_failed:
            return 5;
        case Errc::address_in_use:
        case Errc::address_unusable:
        case Errc::device_absent:
        case Errc::port_unavailable:
            return 6;
        case Errc::timed_out:
        case Errc::peer_gone:
        case Errc::transfer_failed:
        case Errc::transfer_stalled:
            return 7;
        case Errc::device_refused:
        case Errc::device_did_not_apply:
        case Errc::not_proven:
            return 8;
        case Errc::rolled_back:
            return 9;
        case Errc::deferred:
            return 10;
        case Errc::credentials_unusable:
        case Errc::authentication_failed:
            return 13;
        case Errc::store_failed:
        case Errc::store_locked:
            return 14;
        case Errc::interrupted:
            return 130;
        case Errc::terminated:
            return 143;
        case Errc::cancelled:
            return 1;
    }
    return 1;
}

std::vector<std::string> hints(const Error& error) {
    if (const auto hint = error.detail("hint"); !hint.empty()) return {std::string(hint)};
    const std::string file(error.detail("file"));
    if (auto advice = modem_hints(error); !advice.empty()) return advice;
    if (auto advice = serial_hints(error); !advice.empty()) return advice;
    switch (error.code()) {
        case Errc::internal:
            return {"this is a bug in fotactl: please report it with the command line and `fotactl --version`"};
        case Errc::usage:
            return {};
        case Errc::file_unreadable:
            return {"check the path and its permissions: ls -l " + (file.empty() ? "FILE" : file)};
        case Errc::file_unwritable:
            return {"is the directory there, writable and not full? the old file was left as it was"};
        case Errc::config_invalid:
            return {};
        case Errc::image_malformed:
            return {
                "an MCUboot image begins with 3d b8 f3 96; sign one: fotactl image sign --key KEY --version 1.2.3 IN "
                "OUT"};
        case Errc::image_rejected:
            return {"look inside: fotactl image show " + (file.empty() ? "IMAGE" : file)};
        case Errc::signature_invalid:
            if (error.detail("signature") == "none")
                return {"sign it: fotactl image sign --key KEY --version 1.2.3 IN OUT"};
            return {"the file was changed after signing, or cut in transit: sign it again from the build's output"};
        case Errc::key_mismatch:
            return {"which key signed it: fotactl image show " + (file.empty() ? "IMAGE" : file),
                    "which key that is: fotactl key show --key KEY"};
        case Errc::key_unusable:
            return {"make one: fotactl key new --type ecdsa-p256 --out KEY.pem"};
        case Errc::image_too_large:
            return {"see what fits where: fotactl image show " + (file.empty() ? "IMAGE" : file)};
        case Errc::policy_refused:
            return {};
        case Errc::downgrade_refused:
            return {"if this is meant: --allow-downgrade \"the reason, for the record\""};
        case Errc::board_mismatch:
            return {"build for the board the device reports in 3/0/1, or pick the right --endpoint"};
        case Errc::layout_failed:
            return {"see all findings: fotactl layout check PATH"};
        case Errc::address_in_use:
            return {"who has it: ss -lunp", "take a free port: --listen ADDRESS:0"};
        case Errc::address_unusable:
            return {"list this machine's addresses: ip -brief address"};
        case Errc::device_absent:
            if (error.detail("heard") == "yes")
                return {"something speaks to this port: compare endpoint, identity and key with those on the device",
                        "after a restart of fotactl a device over DTLS needs minutes to begin anew: --wait"};
            return {"is the device's server URI this host and port, and is UDP open in the firewall?",
                    "queue-mode devices wake rarely: give more time with --wait"};
        case Errc::port_unavailable:
            return {"see what is there: fotactl serial ports"};
        case Errc::timed_out:
        case Errc::peer_gone:
        case Errc::transfer_failed:
        case Errc::transfer_stalled:
            return {"run the same command again: it resumes where the device allows it"};
        case Errc::message_malformed:
            return {};
        case Errc::device_refused:
            if (const auto path = error.detail("path"); !path.empty())
                return {
                    fmt::format("what the device has: fotactl device discover EP /{}",
                                path.find('/', 1) == std::string::npos ? "" : path.substr(1, path.find('/', 1) - 1))};
            return {"what the device says of itself: read /5/0/3 (State) and /5/0/5 (Update Result)"};
        case Errc::device_did_not_apply:
            return {"the bootloader's log tells why: capture it and run fotactl layout explain-log LOG"};
        case Errc::not_proven:
            return {"name what the device reports when the update runs: --expect-version STRING"};
        case Errc::rolled_back:
            return {"boot log: fotactl layout explain-log LOG",
                    "does the application call boot_write_img_confirmed() after it has reached the server?"};
        case Errc::deferred:
            return {"run the same command later: it goes on from the downloaded image"};
        case Errc::credentials_unusable: {
            if (!file.empty()) return {"only the owner may read a secret: chmod 600 " + file};
            return {};
        }
        case Errc::authentication_failed:
            return {"compare the identity and key on the device with --credentials or --psk"};
        case Errc::store_failed:
            return {"is the state directory writable and not full? another place: --state-dir DIR"};
        case Errc::store_locked:
            return {"wait for that process to end, or give this one its own --state-dir DIR"};
        case Errc::interrupted:
        case Errc::terminated:
            return {"state is saved: the same command resumes"};
        case Errc::cancelled:
            return {};
    }
    return {};
}

}  // namespace fota::cli
