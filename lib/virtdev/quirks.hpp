// How clients differ from each other, as named options: each is something a real LwM2M client was seen to do (or a
// failure that devices in the field have). Without any, the virtual device behaves like our companion firmware on
// Zephyr's engine.
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fota::virtdev {

enum class Quirk : std::uint8_t {
    // the transfer
    no_dedup,
    last_block_404,
    size1_required,
    stuck_state_1,
    smaller_szx,
    too_large_no_hint,
    too_large_with_hint,
    separate_response,
    slow_erase,
    gap_ends_transfer,
    refuse_after_retransmission,
    busy_during_push,
    no_update_in_push,
    reboot_in_push,
    late_first_answer,
    first_block_fails,
    silent_duplicates,
    token_context,
    keeps_old_context,
    restart_spoils,
    skips_written,
    early_end_aborts,
    echo_without_more,
    only_reboot_resets,
    wrong_echo,
    bad_block_402,
    // fetching a package
    push_only,
    pull_only,
    pull_coap_only,
    pull_same_session,
    pull_szx_64,
    pull_szx_1024,
    pull_no_block2,
    pull_restarts,
    pull_gives_up,
    pull_stops,
    unknown_host,
    // the verdict and the reset
    reject_package,
    bad_package_changed,
    unsupported_package,
    late_verdict,
    swallowed_write_error,
    connection_lost_once,
    early_success,
    reset_in_idle,
    nul_completes,
    no_uri_reset,
    always_downloading,
    defer,
    // Execute, the reboot and what comes back
    lost_execute_ack,
    silent_after_execute,
    executes_without_update,
    success_unchanged,
    install_fails,
    install_fails_idle,
    installs_nothing,
    deregisters,
    no_state_persist,
    self_confirm_result_8,
    revert,
    revert_unseen,
    same_port,
    stale_result,
    auto_upgrade,
    auto_upgrade_late,
    // what it says of itself
    no_external_flash_object,
    advanced_object,
    linked_instances,
    conflicting_instances,
    unmet_dependency,
    upgradable_bootloader,
    bootloader_unchanged,
    modem_unchanged,
    modem_half_done,
    firmware_1_1,
    weak_condition,
    version_dash,
    version_odd,
    version_fixed,
    lwm2m_1_0,
    lwm2m_1_2,
    alternate_root,
    blocked_register,
    no_accept,
    senml_cbor_only,
    no_observe,
    reads_in_blocks,
    queue_mode,
    count_,
};

struct QuirkInfo {
    Quirk quirk;
    std::string_view name;  ///< as in --quirk NAME
    std::string_view help;  ///< one line
};

/// In the order of the enumeration.
std::span<const QuirkInfo> all_quirks();

/// usage: none of the lists has a quirk of this name.
Failure unknown_quirk(std::string_view name);

class QuirkSet {
  public:
    QuirkSet() = default;
    QuirkSet(std::initializer_list<Quirk> quirks) {
        for (const auto quirk : quirks) add(quirk);
    }
    /// usage: an unknown name, with the nearest one.
    static Result<QuirkSet> parse(std::span<const std::string> names);

    void add(Quirk quirk) { bits_.set(static_cast<std::size_t>(quirk)); }
    bool has(Quirk quirk) const { return bits_.test(static_cast<std::size_t>(quirk)); }
    /// Whether the endpoint's message layer may recognise repeated messages: some clients have no memory of message
    /// ids.
    bool deduplicates() const {
        return !has(Quirk::no_dedup) && !has(Quirk::refuse_after_retransmission) && !has(Quirk::silent_duplicates);
    }

  private:
    std::bitset<static_cast<std::size_t>(Quirk::count_)> bits_;
};

/// It has 5/0/14, which says so.
inline bool upgrades_itself(const QuirkSet& quirks) {
    return quirks.has(Quirk::auto_upgrade) || quirks.has(Quirk::auto_upgrade_late);
}

/// It has 33629/x/16 and 17.
inline bool names_instances(const QuirkSet& quirks) {
    return quirks.has(Quirk::linked_instances) || quirks.has(Quirk::conflicting_instances) ||
           quirks.has(Quirk::unmet_dependency);
}

}  // namespace fota::virtdev
