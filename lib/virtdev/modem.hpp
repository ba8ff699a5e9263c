// The AT side of a virtual nRF9160: bytes in, timed bytes out, and a credential store behind them. Stricter than the
// hardware: what the real modem may forgive (a write while active, a second credential of one type) it refuses.
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace fota::virtdev {

/// How firmware and modems differ from each other on this line, as named options.
enum class ModemQuirk : std::uint8_t {
    // the firmware in front of the modem
    shell,
    narrow_shell,
    no_at_in_shell,
    echo,
    cr_line_ends,
    lf_line_ends,
    nul_line_ends,
    log_lines,
    unsolicited,
    silent,
    garbage_first,
    // the modem
    slow_offline,
    no_numeric_errors,
    store_full,
    overwrites,
    corrupts,
    no_digests,
    no_list,
    no_keygen,
    refuses_offline,
    refuses_restore,
    low_voltage,
    restarts_in_write,
    deaf_in_write,
    no_sim,
    count_,
};

struct ModemQuirkInfo {
    ModemQuirk quirk;
    std::string_view name;  ///< as in --quirk NAME
    std::string_view help;  ///< one line
};
/// In the order of the enumeration.
std::span<const ModemQuirkInfo> all_modem_quirks();

class ModemQuirks {
  public:
    ModemQuirks() = default;
    ModemQuirks(std::initializer_list<ModemQuirk> quirks) {
        for (const auto quirk : quirks) bits_.set(static_cast<std::size_t>(quirk));
    }
    /// Names as above, and "cme-N": every write of a credential is refused with that number. usage: an unknown name,
    /// with the nearest one.
    static Result<ModemQuirks> parse(std::span<const std::string> names);
    bool has(ModemQuirk quirk) const { return bits_.test(static_cast<std::size_t>(quirk)); }
    std::optional<int> refuse_writes;  ///< with this +CME ERROR

  private:
    std::bitset<static_cast<std::size_t>(ModemQuirk::count_)> bits_;
};

struct ModemConfig {
    std::string imei = "351358811331351";
    std::string model = "nRF9160-SICA";
    std::string firmware = "mfw_nrf9160_1.3.6";
    std::string hardware = "nRF9160 SICA B0A";
    std::string iccid = "8947080012345678901";
    int functionality = 1;
    ModemQuirks quirks;
};

class Modem {
  public:
    explicit Modem(ModemConfig config) : config_(std::move(config)), functionality_(config_.functionality) {}

    /// What the line sends back, each part `after` the bytes that caused it, in order.
    struct Output {
        Milliseconds after{0};
        std::string text;
    };
    std::vector<Output> feed(BytesView bytes);

    using Store = std::map<std::pair<std::uint32_t, int>, std::string>;
    Store store;  ///< (sec tag, type) -> text
    int functionality() const noexcept { return functionality_; }
    /// "AT+CFUN=4", in order, with the contents of writes left out.
    const std::vector<std::string>& commands() const noexcept { return commands_; }

  private:
    bool has(ModemQuirk quirk) const { return config_.quirks.has(quirk); }
    void command(std::string text, std::vector<Output>& out);
    void shell_line(std::string text, std::vector<Output>& out);
    std::string carry_out(const std::string& text, Milliseconds& after);
    std::string credentials(const std::string& text);
    std::string write(std::uint32_t tag, int type, std::string content);
    std::string key_pair(const std::string& text);
    std::string error(int cme) const;

    ModemConfig config_;
    int functionality_;
    bool numeric_errors_ = false;
    bool in_quotes_ = false;
    bool greeted_ = false;
    bool deaf_ = false;
    unsigned writes_ = 0;
    std::string input_;
    std::vector<std::string> commands_;
};

}  // namespace fota::virtdev
