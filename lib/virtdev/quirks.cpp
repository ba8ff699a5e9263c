#include "virtdev/quirks.hpp"

#include <fmt/format.h>

#include <array>
#include <vector>

#include "base/text.hpp"
#include "virtdev/board_quirks.hpp"
#include "virtdev/smp_quirks.hpp"

namespace fota::virtdev {

std::span<const QuirkInfo> all_quirks() {
    using enum Quirk;
    static constexpr std::array<QuirkInfo, static_cast<std::size_t>(count_)> table{{
        {no_dedup, "no-dedup", "has no memory of message ids: a repeated request is carried out again (Zephyr)"},
        {last_block_404, "last-block-404", "answers a repeated last block with 4.04 although State is 2 (Zephyr)"},
        {size1_required, "size1-required", "without Size1 acknowledges every block and stores none (Zephyr 4.1.99)"},
        {stuck_state_1, "stuck-state-1", "acknowledges the last block and stays in State 1"},
        {smaller_szx, "smaller-szx", "takes 512 of a 1024-byte block 0 and says so in Block1 (Zephyr 3.4)"},
        {too_large_no_hint, "413-no-hint", "answers blocks above 256 bytes with a bare 4.13 (Anjay)"},
        {too_large_with_hint, "413-hint", "answers blocks above 256 bytes with 4.13 and Block1 256"},
        {separate_response, "separate-response", "answers every block with an empty ACK and a response of its own"},
        {slow_erase, "slow-erase", "answers block 0 in a separate response, 8 s later (NCS)"},
        {gap_ends_transfer, "gap-ends-transfer", "a block after a gap ends the transfer: 4.08, then 4.04 (Zephyr 3.4)"},
        {refuse_after_retransmission, "503-after-retransmission",
         "answers a repeated block with 5.03, a repeated last one with 4.08 (Anjay)"},
        {busy_during_push, "busy-during-push",
         "answers every request but the next block of a push with 5.03 until it is over (Anjay)"},
        {no_update_in_push, "no-update-in-push", "sends no Update during a push, but registers anew after it (Anjay)"},
        {reboot_in_push, "reboot-in-push", "loses power once, in the middle of the first push"},
        {late_first_answer, "late-first-answer", "answers block 0 after the erase, 8 s later, and sends no empty ACK"},
        {first_block_fails, "first-block-fails",
         "refuses the first package with 5.00 in State 1, and every other one until it is reset (NCS)"},
        {silent_duplicates, "silent-duplicates", "says nothing to a repeated message (wakaama)"},
        {token_context, "token-context", "finds the place of a transfer by its token alone"},
        {keeps_old_context, "keeps-old-context",
         "takes block 0 of a new transfer for a copy of the old one until it is reset"},
        {restart_spoils, "restart-spoils",
         "a transfer that starts over in State 1 ends with 2.04 and stays there (Zephyr 3.4)"},
        {skips_written, "skips-written",
         "has what it wrote skipped at the next block 0, of whatever package, until it is reset (NCS)"},
        {early_end_aborts, "early-end-aborts",
         "an early last block ends a transfer with 2.04, then State 0 and Result 5 (Anjay)"},
        {echo_without_more, "echo-without-more", "acknowledges every block as if it were the last one (Zephyr)"},
        {only_reboot_resets, "only-reboot-resets", "acknowledges resets, yet only a reboot ends State 1"},
        {wrong_echo, "wrong-echo", "acknowledges another block than it was sent, once"},
        {bad_block_402, "402-bad-block",
         "answers a short block that is not the last, and a block size that there is not, with 4.02 (Anjay)"},
        {push_only, "push-only", "fetches nothing: 5/0/9 is 1, and a URI ends in Result 9"},
        {pull_only, "pull-only", "takes no pushed package: 5/0/9 is 0, and 5/0/0 is refused with 4.05"},
        {pull_coap_only, "pull-coap-only", "fetches over coap alone (5/0/8), never over coaps"},
        {pull_same_session, "pull-same-session", "fetches in the session it is registered in, not from another port"},
        {pull_szx_64, "pull-szx-64", "fetches in blocks of 64 bytes"},
        {pull_szx_1024, "pull-szx-1024", "fetches in blocks of 1024 bytes"},
        {pull_no_block2, "pull-no-block2", "asks for a package without Block2: the server chooses the size"},
        {pull_restarts, "pull-restarts", "starts a fetch over once, in the middle"},
        {pull_gives_up, "pull-gives-up", "gives a fetch up once, in the middle, with Result 4 (Zephyr, silent server)"},
        {pull_stops, "pull-stops", "stops fetching in the middle and stays in State 1"},
        {unknown_host, "unknown-host", "ends a fetch from a host it cannot reach with Result 8 (Zephyr, unknown host)"},
        {reject_package, "reject-package", "answers the last block with 2.04, then State 0 and Result 5"},
        {bad_package_changed, "bad-package-2.04", "answers the last block of a bad package with 2.04 as well (Anjay)"},
        {unsupported_package, "unsupported-package", "refuses block 0 with 4.15, State 0 and Result 6 (Zephyr)"},
        {late_verdict, "late-verdict", "stays in State 1 for 20 s after the last block before it tells (Anjay)"},
        {swallowed_write_error, "swallowed-write-error", "fails to store one block and acknowledges it (NCS)"},
        {connection_lost_once, "connection-lost-once",
         "answers the last block with 2.04, then State 0 and Result 4, once"},
        {early_success, "early-success", "reports Result 1 as soon as the package is there (Zephyr)"},
        {reset_in_idle, "reset-in-idle", "a NUL in Idle ends in Result 6, an empty package in Result 8 (NCS)"},
        {nul_completes, "nul-completes", "a NUL in State 1 completes the download (Zephyr)"},
        {no_uri_reset, "no-uri-reset", "refuses writes to the package URI with 4.05: it cannot pull"},
        {always_downloading, "always-downloading",
         "is in State 1 from the start, stores nothing, and goes to State 2 by Execute alone (wakaama's example)"},
        {defer, "defer", "postpones every update: Execute is answered, then State 2 and Result 11 (Anjay)"},
        {lost_execute_ack, "lost-execute-ack", "reboots before the answer to Execute has left"},
        {silent_after_execute, "silent-after-execute", "is never heard of again after Execute"},
        {executes_without_update, "execute-does-nothing", "answers Execute, reboots, and still runs the old image"},
        {success_unchanged, "success-unchanged",
         "answers Execute, reboots, still runs the old image and reports Result 1"},
        {install_fails, "install-fails", "answers Execute, then State 2 and Result 8 without a reboot"},
        {install_fails_idle, "install-fails-idle", "answers Execute, then State 0 and Result 8 without a reboot"},
        {installs_nothing, "installs-nothing",
         "answers Execute, then State 0 and Result 1, installs nothing and does not reboot (Zephyr's sample)"},
        {deregisters, "deregisters", "deregisters before it reboots"},
        {no_state_persist, "no-state-persist", "forgets State, Result and stored bytes in a reboot (Zephyr)"},
        {self_confirm_result_8, "self-confirm-result-8",
         "confirms itself before it meets a server and reports Result 8 although it runs (NCS)"},
        {revert, "revert", "the new image registers, never confirms itself and reboots back"},
        {revert_unseen, "revert-unseen", "the new image never registers and reboots back"},
        {same_port, "same-port", "comes back from the same port without a word"},
        {stale_result, "stale-result", "still has Result 8 from an update long ago"},
        {auto_upgrade, "auto-upgrade", "installs a package as soon as it is there (5/0/14)"},
        {auto_upgrade_late, "auto-upgrade-late",
         "installs a package by itself (5/0/14) after a while in State 2, and refuses Execute meanwhile"},
        {no_external_flash_object, "no-external-flash-object", "has no object 26245"},
        {advanced_object, "advanced-object",
         "has object 33629 (0 application, 1 modem) in the place of object 5 (NCS)"},
        {linked_instances, "linked-instances",
         "its application's package holds the modem's, too: both are in State 2 and updated at once (33629/x/16)"},
        {conflicting_instances, "conflicting-instances",
         "updates the application only while the modem's instance is in State 0 (33629/0/17, Result 13)"},
        {unmet_dependency, "unmet-dependency", "updates the application only after the modem (Result 13)"},
        {upgradable_bootloader, "upgradable-bootloader",
         "has MCUboot in s0, version 1 of it, and takes a candidate for s1 (26245/0/11 and 12)"},
        {bootloader_unchanged, "bootloader-unchanged",
         "reports Result 1 after a bootloader update, and the old version"},
        {modem_unchanged, "modem-unchanged", "reports Result 1 after a modem update, and the old modem version"},
        {modem_half_done, "modem-half-done", "refuses a modem package with 5.00 while it holds a part of one (NCS)"},
        {firmware_1_1, "firmware-object-1.1", "has version 1.1 of object 5: Cancel, Severity and the deferral period"},
        {weak_condition, "weak-condition", "has 7 % of battery, 12 kB of free memory and error code 1"},
        {version_dash, "version-dash", "reports its version as 1.2.3-4, with a dash (NCS)"},
        {version_odd, "version-odd", "reports a version string that is no version"},
        {version_fixed, "version-fixed", "reports 1.0.0+0 whatever runs"},
        {lwm2m_1_0, "lwm2m-1.0", "registers as LwM2M 1.0"},
        {lwm2m_1_2, "lwm2m-1.2", "registers as LwM2M 1.2"},
        {alternate_root, "alternate-root", "has its objects below /lwm2m"},
        {blocked_register, "blocked-register",
         "registers in blocks of 32 bytes, and lists its objects in every Update (Anjay)"},
        {no_accept, "no-accept", "ignores Accept and answers reads in TLV (wakaama)"},
        {senml_cbor_only, "senml-cbor-only", "answers every read in SenML CBOR, whatever was asked for"},
        {no_observe, "no-observe", "answers an observation as a plain read, and tells nothing by itself"},
        {reads_in_blocks, "reads-in-blocks",
         "answers reads 16 bytes at a time, and all else with 5.03 until one is read to its end (Anjay)"},
        {queue_mode, "queue-mode", "sleeps 10 s after the last message until its next Update"},
    }};
    return table;
}

Failure unknown_quirk(std::string_view name) {
    std::vector<std::string> candidates;
    for (const auto& info : all_quirks()) candidates.emplace_back(info.name);
    for (const auto& info : all_board_quirks()) candidates.emplace_back(info.name);
    for (const auto& info : all_smp_quirks()) candidates.emplace_back(info.name);
    const auto best = nearest(name, candidates);
    return fail(
        Error(Errc::usage, fmt::format("expected a quirk that --quirk list names, found \"{}\"{}", printable(name),
                                       best.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", best)))
            .with("nearest", best));
}

Result<QuirkSet> QuirkSet::parse(std::span<const std::string> names) {
    QuirkSet set;
    for (const auto& name : names) {
        bool known = false;
        for (const auto& info : all_quirks())
            if (info.name == name) {
                set.add(info.quirk);
                known = true;
            }
        if (!known) return unknown_quirk(name);
    }
    return set;
}

}  // namespace fota::virtdev
