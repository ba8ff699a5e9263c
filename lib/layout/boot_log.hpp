// A log as it is pasted: MCUboot's console, the SPI NOR driver's complaints, a build's last lines, a modem dialogue.
// Reading it finds the lines that are known to mean something; explain.hpp says what.
//
// Texts: MCUboot boot/bootutil/src and boot/zephyr, Zephyr drivers/flash/spi_nor.c, nRF Connect SDK
// scripts/partition_manager.py, and the AT error codes of the nRF91 modem.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flash/parts.hpp"

namespace fota::layout {

/// What a line tells.
enum class Sign : std::uint8_t {
    slot_not_in_map,         ///< opening a slot fails with -2
    slot_not_ready,          ///< opening a slot fails with -19
    sectors_unreadable,      ///< "Failed reading sectors"
    sectors_incompatible,    ///< "not a compatible amount of sectors"
    sectors_too_many,        ///< "more sectors than allowed"
    sector_layout_differs,   ///< "not same sector layout"
    write_sizes_differ,      ///< "slot write sizes are not compatible"
    scratch_too_small,       ///< "not all sectors fit inside scratch"
    primary_invalid,         ///< "Image in the primary slot is not valid"
    secondary_invalid,       ///< "Image in the secondary slot is not valid"
    nothing_bootable,        ///< "Unable to find bootable image"
    no_room_to_swap,         ///< "Not enough free space to run swap upgrade", "Image size bigger than designated area"
    id_mismatch,             ///< "Device id .. does not match config .."
    id_read_failed,          ///< "JEDEC ID read failed"
    dpd_exit_failed,         ///< "Failed to exit DPD"
    sfdp_invalid,            ///< "SFDP magic invalid"
    four_byte_failed,        ///< "Unable to enter 4-byte mode"
    size_mismatch,           ///< "device size .. mismatch"
    page_incompatible,       ///< "layout page .. not compatible"
    protection_stuck,        ///< "BP clear failed"
    fprotect_failed,         ///< "Protect mcuboot flash failed"
    built_for_other_place,   ///< "built for offset", "not designated for the primary slot", "Reset address .."
    wrong_bootloader_slot,   ///< "Image in slot is for wrong s0/s1 image"
    version_too_low,         ///< downgrade prevention, security counter
    header_in_first_sector,  ///< "Secondary header magic detected in first sector"
    fault_after_jump,        ///< a fault after "Jumping to the first image slot"
    fault_loop,              ///< the same, and the bootloader starts again
    undefined_device,        ///< "undefined reference to `__device_dts_ord_N'"
    undefined_label,         ///< "undefined node label"
    bootloader_overflows,    ///< "region `FLASH' overflowed" while linking MCUboot
    alignment_error,         ///< Partition Manager: "Partition alignment error"
    gaps,                    ///< Partition Manager: "Incorrect amount of gaps"
    reserved_name,           ///< Partition Manager: "reserved name"
    bad_magic,               ///< "Bad image magic"
    trailer_magic_bad,       ///< "magic=bad"
    trailer_write_failed,    ///< a write at the trailer fails with -5
    swap_resumed,            ///< a swap that was interrupted goes on
    swap_resumed_invalid,    ///< and what it leaves is not valid
    reverted,                ///< "Swap type: revert"
    device_for_area,         ///< the application: "Failed to get device for area"
    file_too_big,            ///< the application: "Requested file too big to fit in flash"
    modem_active,            ///< "+CME ERROR: 518"
    handshake_failed,        ///< a DTLS handshake ends with an error
    ca_missing,              ///< a coaps or https pull, and no certificate in the tag that it uses
    endpoint_not_imei,       ///< the registered name is not urn:imei:IMEI
    cid_on_old_modem,        ///< connection id in use with modem firmware before 1.3.5
    only_after_power_on,     ///< -19 in the first boot, none in a later one
};

struct Observation {
    Sign sign{};
    unsigned line = 0;  ///< from 1
    std::string text;   ///< the line without colours and white space around it; at most 300 bytes
};

struct BootLog {
    std::string name;                          ///< as the user gave it
    std::vector<Observation> observations;     ///< in the order of lines; at most 500
    std::string sdk_version;                   ///< "3.1.0", or ""
    std::string mcuboot_version;               ///< "2.1.0-dev-2b69d93e75bc", or ""
    unsigned lines = 0;                        ///< read
    unsigned boots = 0;                        ///< banners of MCUboot
    std::optional<flash::JedecId> answered;    ///< the id that the flash gave ("Device id ..")
    std::optional<flash::JedecId> configured;  ///< the id that the driver was built for

    /// The first line that tells this, or nullptr.
    const Observation* first(Sign sign) const;
};

/// Any text is a log; one in which nothing is known has no observations. Colours, time stamps and prefixes before a
/// known text are ignored.
BootLog read_boot_log(std::string_view text, std::string name);

}  // namespace fota::layout
