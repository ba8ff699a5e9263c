#include <array>

#include "layout/check.hpp"
#include "layout/rules.hpp"

namespace fota::layout {
namespace {

constexpr unsigned both_configs = need::app_config | need::mcuboot_config;
constexpr unsigned both_trees = need::app_devicetree | need::mcuboot_devicetree;
constexpr unsigned ext = need::external;
constexpr unsigned on_spi = need::external | need::spi;

using namespace rules;  // the table's third column

/// The order is the order of findings of one severity: what causes other findings comes first.
constexpr std::array table{
    // driver and bus
    Rule{"M01", "qspi-driver-on-spi-flash", on_spi | both_configs, qspi_driver_on_spi_flash},
    Rule{"M02", "mcuboot-spi-nor-disabled", on_spi | need::mcuboot_config, mcuboot_spi_nor_disabled},
    Rule{"M03", "app-spi-nor-disabled", on_spi | need::app_config, app_spi_nor_disabled},
    Rule{"M04", "driver-gate-closed", ext | need::build, driver_gate_closed},
    Rule{"M05", "undefined-device-ord", ext | need::build | both_configs, undefined_device_ord, undefined_device_seen},
    // devicetree and board
    Rule{"M16", "pm-ext-flash-not-chosen-app", need::app_devicetree, pm_ext_flash_not_chosen_app},
    Rule{"M17", "pm-ext-flash-not-chosen-mcuboot", ext | need::mcuboot_devicetree, pm_ext_flash_not_chosen_mcuboot},
    Rule{"M18", "flash-node-disabled-in-mcuboot", ext | both_trees, flash_node_disabled_in_mcuboot},
    Rule{"M20", "board-revision-without-flash", ext | need::board, board_revision_without_flash},
    Rule{"M09", "flash-bus-differs-between-images", ext | need::build | both_trees, flash_bus_differs},
    Rule{"M22", "flash-not-routed", need::flash_part, flash_not_routed},
    Rule{"M24", "jedec-id-mismatch", ext | need::flash_part, jedec_id_mismatch},
    Rule{"M25", "sfdp-bfp-of-other-part", ext, sfdp_bfp_of_other_part},
    Rule{"M26", "flash-size-in-bytes-not-bits", ext, flash_size_in_bytes},
    Rule{"M27", "nand-part-as-nor", ext | need::flash_part, nand_part_as_nor},
    // slots, sectors and partitions
    Rule{"M33", "spi-nor-page-size-not-4096", ext, spi_nor_page_size},
    Rule{"M34", "max-img-sectors-too-small", need::slots | need::mcuboot_config, max_img_sectors_too_small},
    Rule{"M35", "slot-sizes-differ", need::slots, slot_sizes_differ},
    Rule{"M36", "slot-not-erase-aligned", need::slots, slot_not_erase_aligned},
    Rule{"M37", "spu-misaligned", need::partitions | need::board, spu_misaligned},
    Rule{"M39", "external-flash-placeholder-overlap", ext | need::partitions, external_flash_placeholder},
    Rule{"M38", "partitions-overlap", need::partitions, partitions_overlap},
    Rule{"M38", "static-layout-gaps", need::source | need::partitions, static_layout_gaps},
    Rule{"M40", "region-exceeds-device", need::partitions, region_exceeds_device},
    Rule{"M42", "mcuboot-partition-too-small", on_spi, mcuboot_partition_too_small, mcuboot_overflow_seen},
    Rule{"M43", "fprotect-length-misaligned", need::build | need::partitions | need::mcuboot_config,
         fprotect_length_misaligned, fprotect_seen},
    Rule{"M46", "wrong-slot-partition-names", need::source | need::partitions, wrong_slot_partition_names},
    Rule{"M51", "dts-partitions-differ", need::build | both_trees, dts_partitions_differ},
    Rule{"M52", "secure-and-nonsecure-share-block", need::app_devicetree, secure_and_nonsecure_share_block},
    Rule{"M69", "fmfu-and-secondary-exceed-device", ext | need::partitions, fmfu_and_secondary_exceed_device},
    Rule{"-", "slot-write-sizes-differ", need::build | need::app_devicetree, slot_write_sizes_differ, write_sizes_seen},
    // against what is in the field
    Rule{"M53", "layout-drifted-from-baseline", need::baseline | need::slots, layout_drifted_from_baseline},
    Rule{"M55", "app-start-moved", need::baseline | need::slots, app_start_moved},
    Rule{"M59", "version-not-raised", need::baseline | need::image, version_not_raised},
    Rule{"M41", "secondary-moved-from-baseline", need::baseline | need::slots, secondary_moved_from_baseline},
    Rule{"M54", "secondary-went-external", need::baseline | need::slots, secondary_went_external},
    // the image
    Rule{"M82", "full-modem-image-for-app", need::image, full_modem_image_for_app},
    Rule{"M58", "image-not-signed", need::image, image_not_signed},
    Rule{"M74", "image-larger-than-secondary", need::image | need::slots, image_larger_than_secondary},
    Rule{"M44", "image-exceeds-swap-limit", need::image | need::slots | need::mcuboot_config, image_exceeds_swap_limit},
    Rule{"M56", "key-not-in-mcuboot", need::image | need::known_key, key_not_in_mcuboot},
    Rule{"M61", "reset-vector-outside-primary", need::image | need::build | need::slots, reset_vector_outside_primary},
    Rule{"M60", "wrong-slot-mcuboot-update", need::image | need::build | need::partitions, wrong_slot_mcuboot_update},
    Rule{"M47", "stale-signing-parameters", need::build | need::partitions, stale_signing_parameters},
    // what works badly rather than not at all
    Rule{"M06", "option-in-wrong-conf-file", need::source | need::app_config, option_in_wrong_conf_file},
    Rule{"M19", "overlay-not-picked-up", ext | need::source, overlay_not_picked_up},
    Rule{"M07", "mcuboot-without-multithreading", on_spi | need::mcuboot_config, mcuboot_without_multithreading},
    Rule{"M08", "spi-ram-buffer-too-small", on_spi | both_configs, spi_ram_buffer_too_small, trailer_write_seen},
    Rule{"M10", "shared-pins-or-instance", need::build, shared_pins},
    Rule{"M11", "spi-clock-above-board", ext | need::board, spi_clock_above_board},
    Rule{"M13", "tfm-protects-secondary", ext | need::build, tfm_protects_secondary, tfm_protects_secondary_seen},
    Rule{"M12", "spim-not-released", need::log, nullptr, spim_not_released},
    Rule{"M14", "flash-stuck-after-warm-reset", ext | need::build | both_configs, flash_stuck_after_warm_reset,
         flash_stuck_seen},
    Rule{"-", "four-byte-opcodes-without-erase", on_spi | both_configs, four_byte_opcodes_without_erase},
    Rule{"M23", "board-controller-routing-disabled", need::source | need::app_devicetree, routing_disabled},
    Rule{"M28", "flash-cs-index-out-of-range", ext | need::build, flash_cs_index_out_of_range},
    Rule{"M29", "several-spi-nor-nodes", ext | need::build | need::app_devicetree, several_spi_nor_nodes},
    Rule{"M30", "write-protect-unhandled", ext | need::build | need::board, write_protect_unhandled, protection_seen},
    Rule{"M31", "flash-node-differs-between-images", ext | need::build | both_trees, flash_node_differs},
    Rule{"M32", "dpd-exit-time-too-short", ext | need::build | need::board, dpd_exit_time_too_short},
    Rule{"M45", "data-in-slot-trailer", need::build | need::slots | need::partitions, data_in_slot_trailer},
    Rule{"M48", "secondary-split", need::partitions, secondary_split},
    Rule{"M49", "scratch-with-external-flash", ext, scratch_with_external_flash},
    Rule{"M57", "development-key", 0, development_key},
    Rule{"M62", "image-never-confirmed", need::source | need::app_config, image_never_confirmed},
    Rule{"M68", "full-modem-offset-collision", need::partitions | need::app_config, full_modem_offset_collision},
    Rule{"M71", "erase-stalls-ack", need::app_config, erase_stalls_ack},
    Rule{"M75", "psk-settings", need::app_config, psk_settings, psk_settings_seen},
    Rule{"M80", "update-object-mismatch", need::app_config, update_object_mismatch},
    Rule{"M64", "external-write-corrupted", need::log | need::image, nullptr, external_write_corrupted},
    Rule{"M76", "credentials-while-modem-active", need::log, nullptr, credentials_while_modem_active},
    Rule{"M81", "modem-too-old-for-cid", need::log, nullptr, modem_too_old_for_cid},
    Rule{"-", "image-placed-for-other-mode", need::log, nullptr, image_placed_for_other_mode},
    // worth knowing
    Rule{"M15", "flash-not-ready-on-cold-boot", need::log, nullptr, not_ready_on_cold_boot},
    Rule{"M21", "dk-without-external-flash", need::flash_part, dk_without_external_flash},
    Rule{"M63", "stale-image-in-secondary", need::log, nullptr, stale_image_in_secondary},
    Rule{"M65", "swap-interrupted", need::log, nullptr, swap_interrupted},
    Rule{"M70", "transfer-budget-exceeded", need::image | need::app_config, transfer_budget_exceeded},
    Rule{"M77", "pull-without-ca", need::log, nullptr, pull_without_ca},
    Rule{"M78", "endpoint-not-imei", need::log, nullptr, endpoint_not_imei},
    Rule{"M79", "modem-delta-timeout", need::image, modem_delta_timeout},
    Rule{"M50", "static-layout-in-use", need::partitions, static_layout_in_use},
    Rule{"M66", "merged-hex-has-external", need::build, merged_hex_has_external},
    Rule{"M67", "swap-plaintext-on-bus", ext, swap_plaintext_on_bus},
    Rule{"-", "external-image-readable", ext, external_image_readable},
    Rule{"M72", "push-restart-bug", need::build | need::app_config, push_restart_bug},
    Rule{"M73", "resume-disabled", need::app_config, resume_disabled},
};

}  // namespace

std::span<const Rule> catalogue() {
    return table;
}

}  // namespace fota::layout
