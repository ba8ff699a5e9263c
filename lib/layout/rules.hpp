// The rules' functions, by subject; catalogue.cpp puts them in order. Conditions are those of the catalogue, row by
// row.
#pragma once

#include <string>
#include <string_view>

#include "layout/check.hpp"

namespace fota::layout::rules {

using Apply = void(const Project&, const Inputs&, Findings&);

// rules_driver.cpp: flash driver and bus
Apply qspi_driver_on_spi_flash, mcuboot_spi_nor_disabled, app_spi_nor_disabled, driver_gate_closed,
    undefined_device_ord, option_in_wrong_conf_file, mcuboot_without_multithreading, spi_ram_buffer_too_small,
    tfm_protects_secondary;
// rules_devicetree.cpp: flash node, chosen, board
Apply flash_bus_differs, shared_pins, spi_clock_above_board, flash_stuck_after_warm_reset, pm_ext_flash_not_chosen_app,
    pm_ext_flash_not_chosen_mcuboot, flash_node_disabled_in_mcuboot, overlay_not_picked_up,
    board_revision_without_flash, routing_disabled, several_spi_nor_nodes, write_protect_unhandled,
    flash_cs_index_out_of_range, flash_node_differs, dpd_exit_time_too_short;
// rules_part.cpp: which flash part it is
Apply jedec_id_mismatch, sfdp_bfp_of_other_part, four_byte_opcodes_without_erase, flash_size_in_bytes, nand_part_as_nor;
// rules_slots.cpp: slots and sectors
Apply spi_nor_page_size, max_img_sectors_too_small, slot_sizes_differ, slot_not_erase_aligned, secondary_split,
    scratch_with_external_flash, data_in_slot_trailer, slot_write_sizes_differ, dts_partitions_differ;
// rules_partitions.cpp: the partition table
Apply spu_misaligned, partitions_overlap, static_layout_gaps, external_flash_placeholder, region_exceeds_device,
    mcuboot_partition_too_small, fprotect_length_misaligned, wrong_slot_partition_names, stale_signing_parameters,
    static_layout_in_use, secure_and_nonsecure_share_block, fmfu_and_secondary_exceed_device;
// rules_image.cpp: the image, its key, its life
Apply image_not_signed, image_larger_than_secondary, image_exceeds_swap_limit, key_not_in_mcuboot, development_key,
    reset_vector_outside_primary, wrong_slot_mcuboot_update, image_never_confirmed, full_modem_image_for_app,
    merged_hex_has_external, swap_plaintext_on_bus, external_image_readable;
// rules_lwm2m.cpp: LwM2M client settings
Apply full_modem_offset_collision, erase_stalls_ack, push_restart_bug, resume_disabled, psk_settings,
    update_object_mismatch, transfer_budget_exceeded, modem_delta_timeout;
// drift.cpp: against what is in the field
Apply layout_drifted_from_baseline, secondary_moved_from_baseline, secondary_went_external, app_start_moved,
    key_of_baseline, version_not_raised;
// rules_device.cpp: what a log or a probe says
Apply flash_not_routed, dk_without_external_flash, spim_not_released, tfm_protects_secondary_seen, flash_stuck_seen,
    not_ready_on_cold_boot, protection_seen, mcuboot_overflow_seen, fprotect_seen, undefined_device_seen,
    trailer_write_seen, write_sizes_seen, image_placed_for_other_mode, stale_image_in_secondary,
    external_write_corrupted, swap_interrupted, psk_settings_seen, credentials_while_modem_active, pull_without_ca,
    endpoint_not_imei, modem_too_old_for_cid;

/// The id of the part that is fitted: as given, else as probed, else as the driver's complaint in the log has it.
std::optional<flash::JedecId> fitted_part(const Inputs& inputs);

/// Where a person writes it: the file in a source tree; in a build tree the usual source file, since generated files
/// are not for editing.
/// The board's own files enable the image's flash driver, and the project leaves it at that: as its maker ships it.
bool driver_by_board(const Project& project, const Image& image);
std::string place_for_config(const Project& project, const Image& image);
std::string place_for_overlay(const Project& project, const Image& image);

/// "0xe8000 (928 KiB)"
std::string hex_size(std::uint64_t bytes);

}  // namespace fota::layout::rules
