// How SMP servers differ, as named options: each is something that a Zephyr server, MCUboot's serial recovery, or the
// line to them was seen to do. Without any: a Zephyr server with image checks on a clean console, and a recovery that
// overwrites the primary slot.
#pragma once

#include <bitset>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fota::virtdev {

enum class SmpQuirk : std::uint8_t {
    // the line
    log_lines,
    log_in_line,
    corrupt,
    lose_replies,
    late_duplicates,
    // both servers
    raw_framing,
    no_parameters,
    small_buffer,
    definite_maps,
    in_recovery,
    // the application
    version_1,
    no_optional_commands,
    no_images,
    no_image_check,
    no_boot_mode,
    slow_erase,
    reset_in_upload,
    frugal_list,
    self_confirm,
    refuse_confirm,
    revert,
    lost_test_answer,
    lost_reset_answer,
    // the bootloader
    wait_for_dfu,
    recovery_state,
    recovery_no_hash,
    recovery_two_buffers,
    recovery_decrypts,
    direct_upload,
    count_,
};

struct SmpQuirkInfo {
    SmpQuirk quirk;
    std::string_view name;
    std::string_view help;  ///< one line
};

/// In the order of the enumeration.
std::span<const SmpQuirkInfo> all_smp_quirks();
/// nullptr: no such name.
const SmpQuirkInfo* find_smp_quirk(std::string_view name);

class SmpQuirkSet {
  public:
    SmpQuirkSet() = default;
    SmpQuirkSet(std::initializer_list<SmpQuirk> quirks) {
        for (const auto quirk : quirks) add(quirk);
    }
    void add(SmpQuirk quirk) { bits_.set(static_cast<std::size_t>(quirk)); }
    bool has(SmpQuirk quirk) const { return bits_.test(static_cast<std::size_t>(quirk)); }

  private:
    std::bitset<static_cast<std::size_t>(SmpQuirk::count_)> bits_;
};

}  // namespace fota::virtdev
