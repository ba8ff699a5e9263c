#include <fmt/format.h>

#include <array>
#include <charconv>

#include "base/text.hpp"
#include "virtdev/modem.hpp"

namespace fota::virtdev {

std::span<const ModemQuirkInfo> all_modem_quirks() {
    using enum ModemQuirk;
    static constexpr std::array<ModemQuirkInfo, static_cast<std::size_t>(count_)> table{{
        {shell, "shell", "a Zephyr shell with prompt, colours and echo, whose `at` passes commands on (at_shell)"},
        {narrow_shell, "narrow-shell", "that shell, breaking its echo at 80 columns"},
        {no_at_in_shell, "no-at-in-shell", "a shell without the command `at`"},
        {echo, "echo", "echoes what it is sent (ATE1)"},
        {cr_line_ends, "cr-line-ends", "commands end with CR; an LF is the beginning of the next one (at_host)"},
        {lf_line_ends, "lf-line-ends", "commands end with LF alone (at_host)"},
        {nul_line_ends, "nul-line-ends", "commands end with NUL (at_host)"},
        {log_lines, "log-lines", "the firmware's log is on the same line"},
        {unsolicited, "unsolicited", "unsolicited result codes come between command and answer"},
        {silent, "silent", "answers nothing"},
        {garbage_first, "garbage-first", "half a log line and binary noise come before the first answer"},
        {slow_offline, "slow-offline", "takes 20 s to go offline (it detaches from the network first)"},
        {no_numeric_errors, "no-numeric-errors", "refuses +CMEE=1, and so says only ERROR"},
        {store_full, "store-full", "has room for one credential more (515 afterwards)"},
        {overwrites, "overwrites", "takes a second credential of one type instead of answering 519"},
        {corrupts, "corrupts", "stores a key other than the one it was sent, and says OK"},
        {no_digests, "no-digests", "lists credentials without their SHA-256 (old modem firmware)"},
        {no_list, "no-list", "refuses to list credentials (514)"},
        {no_keygen, "no-keygen", "knows no %KEYGEN (modem firmware before 1.3.0)"},
        {refuses_offline, "refuses-offline", "answers +CFUN=4 with an error"},
        {refuses_restore, "refuses-restore", "goes offline and then refuses to go back"},
        {low_voltage, "low-voltage", "refuses writes while it warns of a low supply voltage (528)"},
        {restarts_in_write, "restarts-in-write", "the device restarts while the second credential is written"},
        {deaf_in_write, "deaf-in-write", "stops answering while the second credential is written"},
        {no_sim, "no-sim", "has no SIM: no ICCID"},
    }};
    return table;
}

Result<ModemQuirks> ModemQuirks::parse(std::span<const std::string> names) {
    ModemQuirks out;
    for (const auto& name : names) {
        bool known = false;
        for (const auto& info : all_modem_quirks())
            if (info.name == name) {
                out.bits_.set(static_cast<std::size_t>(info.quirk));
                known = true;
            }
        if (name.starts_with("cme-")) {
            int number = 0;
            const auto* end = name.data() + name.size();
            const auto [stop, error] = std::from_chars(name.data() + 4, end, number);
            if (error == std::errc{} && stop == end && number >= 0) {
                out.refuse_writes = number;
                known = true;
            }
        }
        if (known) continue;
        std::vector<std::string> candidates;
        for (const auto& info : all_modem_quirks()) candidates.emplace_back(info.name);
        const auto best = nearest(name, candidates);
        return fail(Errc::usage,
                    fmt::format("expected a quirk of the modem that --quirk list names, found \"{}\"{}",
                                printable(name), best.empty() ? "" : fmt::format(" (did you mean \"{}\"?)", best)));
    }
    return out;
}

}  // namespace fota::virtdev
