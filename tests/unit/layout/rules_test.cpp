// Every rule: one change to a tree in which nothing is wrong, and exactly the findings that follow from it. The
// unchanged tree is every rule's passing case.
#include <gtest/gtest.h>

#include "unit/layout/trees.hpp"

namespace fota::layout::testing {
namespace {

struct Case {
    const char* name;
    std::function<void(Files&)> change;
    std::multiset<std::string> expected;
};

std::ostream& operator<<(std::ostream& out, const Case& one) {
    return out << one.name;
}

std::string name_of(const ::testing::TestParamInfo<Case>& info) {
    return info.param.name;
}

constexpr const char* prj = "prj.conf";
constexpr const char* boot_conf = "sysbuild/mcuboot.conf";
constexpr const char* boot_overlay = "sysbuild/mcuboot.overlay";
constexpr const char* app_overlay = "boards/nrf9160dk_nrf9160_ns.overlay";
constexpr const char* pm = "pm_static.yml";
constexpr const char* secondary = "  end_address: 0xe8000\n  region: external_flash\n  size: 0xe8000\n";

std::string secondary_of(const char* end, const char* size) {
    return std::string("  end_address: ") + end + "\n  region: external_flash\n  size: " + size + "\n";
}

class SourceRule : public ::testing::TestWithParam<Case> {};

TEST_P(SourceRule, SaysExactlyWhatFollows) {
    auto files = good_source();
    GetParam().change(files);
    auto found = said(must_check(files));
    found.erase("note static-layout-in-use");
    EXPECT_EQ(found, GetParam().expected);
}

std::vector<Case> source_cases() {
    return {
        Case{"nothing_wrong", [](Files&) {}, {}},
        Case{"qspi_in_app",
             [](Files& f) { append(f, prj, "CONFIG_NORDIC_QSPI_NOR=y\n"); },
             {"error qspi-driver-on-spi-flash"}},
        Case{"qspi_in_mcuboot",
             [](Files& f) { append(f, boot_conf, "CONFIG_NORDIC_QSPI_NOR=y\n"); },
             {"error qspi-driver-on-spi-flash"}},
        Case{"mcuboot_without_spi",
             [](Files& f) { replace(f, boot_conf, "CONFIG_SPI=y\n", ""); },
             {"error mcuboot-spi-nor-disabled"}},
        Case{"mcuboot_spi_nor_off",
             [](Files& f) { replace(f, boot_conf, "CONFIG_SPI_NOR=y\n", "CONFIG_SPI_NOR=n\n"); },
             {"error mcuboot-spi-nor-disabled"}},
        Case{"mcuboot_spi_nor_unsaid",
             [](Files& f) { replace(f, boot_conf, "CONFIG_SPI_NOR=y\n", ""); },
             {"warning mcuboot-spi-nor-disabled"}},
        Case{
            "app_without_spi", [](Files& f) { replace(f, prj, "CONFIG_SPI=y\n", ""); }, {"error app-spi-nor-disabled"}},
        Case{"app_flash_node_off",
             [](Files& f) { replace(f, app_overlay, "okay", "disabled"); },
             {"error app-spi-nor-disabled"}},
        Case{"option_without_sb_form",
             [](Files& f) {
                 replace(f, "sysbuild.conf", "SB_CONFIG_PM_OVERRIDE_EXTERNAL_DRIVER_CHECK=y\n", "");
                 append(f, prj, "CONFIG_PM_OVERRIDE_EXTERNAL_DRIVER_CHECK=y\n");
             },
             {"warning option-in-wrong-conf-file"}},
        Case{"sb_option_in_prj",
             [](Files& f) { append(f, prj, "SB_CONFIG_WIFI_NRF70=y\n"); },
             {"warning option-in-wrong-conf-file"}},
        Case{"image_option_in_sysbuild",
             [](Files& f) { append(f, "sysbuild.conf", "CONFIG_SPI=y\n"); },
             {"warning option-in-wrong-conf-file"}},
        Case{"mcuboot_without_threads",
             [](Files& f) { replace(f, boot_conf, "CONFIG_MULTITHREADING=y\n", ""); },
             {"warning mcuboot-without-multithreading"}},
        Case{"threads_optional_from_3_1",
             [](Files& f) {
                 replace(f, boot_conf, "CONFIG_MULTITHREADING=y\n", "");
                 f["west.yml"] = "manifest:\n  projects:\n    - name: nrf\n      revision: v3.1.0\n";
             },
             {"note mcuboot-without-multithreading"}},
        Case{"ram_buffer_small",
             [](Files& f) { replace(f, boot_conf, "CONFIG_SPI_NRFX_RAM_BUFFER_SIZE=32\n", ""); },
             {"warning spi-ram-buffer-too-small"}},
        Case{"flash_not_chosen_app",
             [](Files& f) { replace(f, app_overlay, "nordic,pm-ext-flash = &mx25r64;", ""); },
             {"error pm-ext-flash-not-chosen-app"}},
        Case{"secondary_stayed_internal",
             [](Files& f) {
                 replace(f, pm,
                         "  address: 0x0\n  device: DT_CHOSEN(nordic_pm_ext_flash)\n  end_address: 0xe8000\n  region: "
                         "external_flash\n",
                         "  address: 0xf9000\n  end_address: 0x1e1000\n  region: flash_primary\n");
             },
             {"error partitions-overlap", "error pm-ext-flash-not-chosen-app", "error region-exceeds-device"}},
        Case{"flash_not_chosen_mcuboot",
             [](Files& f) { replace(f, boot_overlay, "nordic,pm-ext-flash = &mx25r64;", ""); },
             {"error pm-ext-flash-not-chosen-mcuboot"}},
        Case{"flash_off_in_mcuboot",
             [](Files& f) { replace(f, boot_overlay, "okay", "disabled"); },
             {"error flash-node-disabled-in-mcuboot"}},
        Case{"overlay_with_other_name",
             [](Files& f) {
                 f["sysbuild/mcuboot_mx.overlay"] = f[boot_overlay];
                 f["boards/nrf9160dk_nrf9160_ns_1_0_0.overlay"] = "";
             },
             {"warning overlay-not-picked-up", "warning overlay-not-picked-up"}},
        Case{"overlay_of_another_board", [](Files& f) { f["boards/native_sim.overlay"] = ""; }, {}},
        Case{"overlay_named_by_cmake",
             [](Files& f) {
                 f["extra.overlay"] = "&mx25r64 { status = \"okay\"; };";
                 append(f, "CMakeLists.txt", "set(EXTRA_DTC_OVERLAY_FILE extra.overlay)\n");
             },
             {}},
        Case{"old_kit",
             [](Files& f) { replace(f, "CMakePresets.json", "@1.0.0", "@0.9.0"); },
             {"error board-revision-without-flash"}},
        Case{"revision_not_given",
             [](Files& f) { replace(f, "CMakePresets.json", "@1.0.0", ""); },
             {"note board-revision-without-flash"}},
        Case{"clock_too_fast",
             [](Files& f) { append(f, app_overlay, "&mx25r64 { spi-max-frequency = <80000000>; };"); },
             {"warning spi-clock-above-board"}},
        Case{"size_in_bytes",
             [](Files& f) { append(f, app_overlay, "&mx25r64 { size = <8388608>; };"); },
             {"error flash-size-in-bytes-not-bits"}},
        Case{"size_of_another_part",
             [](Files& f) { append(f, app_overlay, "&mx25r64 { size = <0x10000000>; };"); },
             {"warning flash-size-in-bytes-not-bits"}},
        Case{"table_of_another_size",
             [](Files& f) { append(f, app_overlay, "&mx25r64 { sfdp-bfp = [e5 20 f1 ff ff ff ff 01]; };"); },
             {"error sfdp-bfp-of-other-part"}},
        Case{"page_size_default_mcuboot",
             [](Files& f) { replace(f, boot_conf, "CONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096\n", ""); },
             {"error spi-nor-page-size-not-4096"}},
        Case{"page_size_in_overwrite_mode",
             [](Files& f) {
                 replace(f, boot_conf, "PAGE_SIZE=4096", "PAGE_SIZE=65536");
                 append(f, "sysbuild.conf", "SB_CONFIG_MCUBOOT_MODE_OVERWRITE_ONLY=y\n");
             },
             {"warning spi-nor-page-size-not-4096"}},
        Case{"page_size_app",
             [](Files& f) { replace(f, prj, "PAGE_SIZE=4096", "PAGE_SIZE=65536"); },
             {"warning spi-nor-page-size-not-4096"}},
        Case{"sectors_default",
             [](Files& f) { replace(f, boot_conf, "CONFIG_BOOT_MAX_IMG_SECTORS=256\n", ""); },
             {"error max-img-sectors-too-small"}},
        Case{"slots_differ",
             [](Files& f) { replace(f, pm, secondary, secondary_of("0xe0000", "0xe0000")); },
             {"error slot-sizes-differ"}},
        Case{"one_sector_less_is_fine",
             [](Files& f) { replace(f, pm, secondary, secondary_of("0xe7000", "0xe7000")); },
             {}},
        Case{"offset_mode_equal_slots",
             [](Files& f) { append(f, "sysbuild.conf", "SB_CONFIG_MCUBOOT_MODE_SWAP_USING_OFFSET=y\n"); },
             {"note slot-sizes-differ"}},
        Case{"offset_mode_smaller_secondary",
             [](Files& f) {
                 append(f, "sysbuild.conf", "SB_CONFIG_MCUBOOT_MODE_SWAP_USING_OFFSET=y\n");
                 replace(f, pm, secondary, secondary_of("0xe7000", "0xe7000"));
             },
             {"error slot-sizes-differ"}},
        Case{"overwrite_mode_differing_slots",
             [](Files& f) {
                 append(f, "sysbuild.conf", "SB_CONFIG_MCUBOOT_MODE_OVERWRITE_ONLY=y\n");
                 replace(f, pm, secondary, secondary_of("0xd0000", "0xd0000"));
             },
             {"warning slot-sizes-differ"}},
        Case{"scratch_mode",
             [](Files& f) { append(f, "sysbuild.conf", "SB_CONFIG_MCUBOOT_MODE_SWAP_SCRATCH=y\n"); },
             {"warning scratch-with-external-flash"}},
        Case{"slot_not_on_a_sector",
             [](Files& f) { replace(f, pm, secondary, secondary_of("0xe7800", "0xe7800")); },
             {"error slot-not-erase-aligned", "error slot-sizes-differ"}},
        Case{"nonsecure_storage_inside_a_block",
             [](Files& f) {
                 replace(f, pm,
                         "nonsecure_storage:\n  address: 0xf8000\n  end_address: 0x100000\n  region: flash_primary\n  "
                         "size: 0x8000\n",
                         "nonsecure_storage:\n  address: 0xfc000\n  end_address: 0x100000\n  region: flash_primary\n  "
                         "size: 0x4000\n");
             },
             {"error spu-misaligned"}},
        Case{"nonsecure_end_inside_a_block",
             [](Files& f) {
                 replace(f, pm,
                         "tfm_nonsecure:\n  address: 0x18000\n  end_address: 0xf8000\n  region: flash_primary\n  size: "
                         "0xe0000\n",
                         "tfm_nonsecure:\n  address: 0x18000\n  end_address: 0xf4000\n  region: flash_primary\n  size: "
                         "0xdc000\n");
             },
             {"warning spu-misaligned"}},
        Case{"partitions_on_top_of_each_other",
             [](Files& f) {
                 append(f, pm,
                        "logs:\n  address: 0xe0000\n  size: 0x10000\n  region: external_flash\n"
                        "more:\n  address: 0xef000\n  size: 0x1000\n  region: external_flash\n");
             },
             {"error partitions-overlap", "error partitions-overlap"}},
        Case{"two_gaps",
             [](Files& f) {
                 replace(f, pm,
                         "mcuboot_pad:\n  address: 0x10000\n  end_address: 0x10200\n  region: flash_primary\n  size: "
                         "0x200\n",
                         "hole:\n  address: 0x10000\n  size: 0x100\n");
             },
             {"error static-layout-gaps"}},
        Case{"external_not_packed",
             [](Files& f) { append(f, pm, "logs:\n  address: 0xf0000\n  size: 0x10000\n  region: external_flash\n"); },
             {"error static-layout-gaps"}},
        Case{"placeholder_in_static_layout",
             [](Files& f) {
                 append(f, pm, "external_flash:\n  address: 0x0\n  size: 0x800000\n  region: external_flash\n");
             },
             {"error external-flash-placeholder-overlap"}},
        Case{"beyond_the_flash",
             [](Files& f) { append(f, pm, "logs:\n  address: 0xe8000\n  size: 0x800000\n  region: external_flash\n"); },
             {"error region-exceeds-device"}},
        Case{"mcuboot_too_small",
             [](Files& f) {
                 replace(f, pm,
                         "mcuboot:\n  address: 0x0\n  end_address: 0x10000\n  region: flash_primary\n  size: 0x10000\n",
                         "mcuboot:\n  address: 0x0\n  size: 0xc000\nempty:\n  address: 0xc000\n  size: 0x4000\n");
             },
             {"error mcuboot-partition-too-small"}},
        Case{"mcuboot_size_by_default",
             [](Files& f) {
                 f.erase(pm);
                 replace(f, boot_conf, "CONFIG_PM_PARTITION_SIZE_MCUBOOT=0x10000\n", "");
             },
             {"error mcuboot-partition-too-small"}},
        Case{"slots_by_other_names",
             [](Files& f) {
                 f[pm] =
                     "image_0:\n  address: 0x10000\n  size: 0xe8000\nimage_1:\n  address: 0x0\n  size: 0xe8000\n  "
                     "region: external_flash\n";
             },
             {"error wrong-slot-partition-names"}},
        Case{"secondary_split_badly",
             [](Files& f) { append(f, pm, "part:\n  address: 0x0\n  size: 0x8000\n  region: external_flash\n"); },
             {"warning secondary-split"}},
        Case{"development_key_by_default",
             [](Files& f) {
                 replace(f, "sysbuild.conf", "SB_CONFIG_BOOT_SIGNATURE_KEY_FILE",
                         "# SB_CONFIG_BOOT_SIGNATURE_KEY_FILE");
             },
             {"warning development-key"}},
        Case{"development_key_named",
             [](Files& f) { replace(f, "sysbuild.conf", "sensor-node.pem", "root-rsa-2048.pem"); },
             {"warning development-key"}},
        Case{"never_confirmed",
             [](Files& f) { replace(f, "src/main.c", "lwm2m_init_image()", "0"); },
             {"warning image-never-confirmed"}},
        Case{"full_modem_beside_secondary",
             [](Files& f) {
                 append(f, prj, "CONFIG_DFU_TARGET_FULL_MODEM=y\n");
                 append(f, pm, "fmfu_storage:\n  address: 0xe8000\n  size: 0x400000\n  region: external_flash\n");
             },
             {"warning full-modem-offset-collision"}},
        Case{"modem_image_and_slot_too_large",
             [](Files& f) {
                 append(f, pm, "fmfu_storage:\n  address: 0xe8000\n  size: 0x780000\n  region: external_flash\n");
             },
             {"error fmfu-and-secondary-exceed-device", "error region-exceeds-device"}},
        Case{"ack_timeout_short",
             [](Files& f) { replace(f, prj, "TIMEOUT_MS=15000", "TIMEOUT_MS=2000"); },
             {"warning erase-stalls-ack"}},
        Case{"no_resume",
             [](Files& f) { replace(f, prj, "CONFIG_DFU_TARGET_STREAM_SAVE_PROGRESS=y\n", ""); },
             {"note resume-disabled"}},
        Case{"psk_too_long", [](Files& f) { replace(f, prj, "KEY_SIZE=33", "KEY_SIZE=16"); }, {"warning psk-settings"}},
        Case{"no_update_object",
             [](Files& f) { replace(f, prj, "CONFIG_LWM2M_FIRMWARE_UPDATE_OBJ_SUPPORT=y\n", ""); },
             {"warning update-object-mismatch"}},
        Case{"encrypted_images",
             [](Files& f) { append(f, boot_conf, "CONFIG_BOOT_ENCRYPT_IMAGE=y\n"); },
             {"note swap-plaintext-on-bus"}},
        Case{"routing_off",
             [](Files& f) { append(f, app_overlay, "&external_flash_pins_routing { status = \"disabled\"; };"); },
             {"warning board-controller-routing-disabled"}}};
}

INSTANTIATE_TEST_SUITE_P(Catalogue, SourceRule, ::testing::ValuesIn(source_cases()), name_of);

class BuildRule : public ::testing::TestWithParam<Case> {};

TEST_P(BuildRule, SaysExactlyWhatFollows) {
    auto files = good_build();
    GetParam().change(files);
    EXPECT_EQ(said(must_check(files)), GetParam().expected);
}

constexpr const char* app_config = "sensor_node/zephyr/.config";
constexpr const char* boot_config = "mcuboot/zephyr/.config";
constexpr const char* app_dts = "sensor_node/zephyr/zephyr.dts";
constexpr const char* boot_dts = "mcuboot/zephyr/zephyr.dts";

/// A devicetree layout of both images, without Partition Manager.
void without_partition_manager(Files& f) {
    f.erase("partitions.yml");
    const std::string layout = R"(
/ { soc { flash0: flash@0 { compatible = "soc-nv-flash"; reg = <0 0x100000>; partitions { compatible = "fixed-partitions";
  boot_partition: partition@0 { reg = <0 0x10000>; };
  slot0_partition: partition@10000 { reg = <0x10000 0xe0000>; };
  slot0_ns_partition: partition@18000 { reg = <0x18000 0xd8000>; };
  storage_partition: partition@f0000 { reg = <0xf0000 0x8000>; };
  tfm_ps_partition: partition@f8000 { reg = <0xf8000 0x8000>; }; }; }; }; };
&mx25r64 { write-block-size = <1>; partitions { compatible = "fixed-partitions";
  slot1_partition: partition@0 { reg = <0 0xe0000>; }; }; };
)";
    append(f, app_dts, layout);
    append(f, boot_dts, layout);
}

/// A part of 32 MiB in both images, whose table has no erase types.
void large_part(Files& f, const std::string& property) {
    for (const auto* file : {app_dts, boot_dts}) {
        replace(f, file, "jedec-id = [ C2 28 17 ]; size = < 0x4000000 >;",
                property + "jedec-id = [ C8 65 19 ]; size = < 0x10000000 >;");
        replace(f, file, "FF FF FF FF 03 44 EB", "FF FF FF FF 0F 44 EB");
    }
}

std::vector<Case> build_cases() {
    return {
        Case{"nothing_wrong", [](Files&) {}, {}},
        Case{"nothing_wrong_without_partition_manager", without_partition_manager, {}},
        Case{"qspi_requested",
             [](Files& f) {
                 f["sensor_node/build_info.yml"] =
                     f["build_info.yml"] + "  kconfig:\n    user-files:\n      - conf/prj.conf\n";
                 f["conf/prj.conf"] = "CONFIG_SPI=y\nCONFIG_NORDIC_QSPI_NOR=y\n";
             },
             {"error qspi-driver-on-spi-flash"}},
        Case{"mcuboot_without_spi",
             [](Files& f) { replace(f, boot_config, "CONFIG_SPI=y", "# CONFIG_SPI is not set"); },
             {"error mcuboot-spi-nor-disabled"}},
        Case{"app_without_spi_nor",
             [](Files& f) { replace(f, app_config, "CONFIG_SPI_NOR=y", "# CONFIG_SPI_NOR is not set"); },
             {"error app-spi-nor-disabled"}},
        Case{"gate_closed",
             [](Files& f) {
                 replace(f, "mcuboot/zephyr/include/generated/pm_config.h", "CONFIG_PM_EXTERNAL_FLASH_HAS_DRIVER",
                         "CONFIG_NORDIC_QSPI_NOR");
             },
             {"error driver-gate-closed"}},
        Case{"gate_always_open",
             [](Files& f) {
                 replace(f, "mcuboot/zephyr/include/generated/pm_config.h", "CONFIG_PM_EXTERNAL_FLASH_HAS_DRIVER", "1");
             },
             {}},
        Case{"device_without_driver",
             [](Files& f) {
                 append(f, boot_config, "CONFIG_PM_OVERRIDE_EXTERNAL_DRIVER_CHECK=y\n");
                 replace(f, boot_config, "CONFIG_SPI_NOR=y", "# CONFIG_SPI_NOR is not set");
             },
             {"error mcuboot-spi-nor-disabled", "error undefined-device-ord"}},
        Case{"device_without_driver_that_was_linked",
             [](Files& f) {
                 append(f, boot_config, "CONFIG_PM_OVERRIDE_EXTERNAL_DRIVER_CHECK=y\n");
                 replace(f, boot_config, "CONFIG_SPI_NOR=y", "# CONFIG_SPI_NOR is not set");
                 f["mcuboot/zephyr/zephyr.elf"] =
                     "\x7f"
                     "ELF";
             },
             {"error mcuboot-spi-nor-disabled"}},
        Case{"flash_off_in_mcuboot",
             [](Files& f) {
                 replace(f, boot_dts, "reg = < 0x1 >; status = \"okay\"", "reg = < 0x1 >; status = \"disabled\"");
             },
             {"error flash-node-disabled-in-mcuboot"}},
        Case{"not_chosen_in_mcuboot",
             [](Files& f) { replace(f, boot_dts, "nordic,pm-ext-flash = &mx25r64;", ""); },
             {"error pm-ext-flash-not-chosen-mcuboot"}},
        Case{"chip_select_differs",
             [](Files& f) { replace(f, boot_dts, "&gpio0 0x19 0x1", "&gpio0 0x1a 0x1"); },
             {"error flash-bus-differs-between-images"}},
        Case{"pins_differ",
             [](Files& f) { replace(f, boot_dts, "0x4000d", "0x4000e"); },
             {"error flash-bus-differs-between-images"}},
        Case{"pins_shared",
             [](Files& f) { replace(f, app_dts, "psels = < 0x1d >", "psels = < 0xb >"); },
             {"warning shared-pins-or-instance"}},
        Case{"instance_shared",
             [](Files& f) {
                 append(f, app_dts,
                        "/ { soc { peripheral@40000000 { uart3: uart@b000 { status = \"okay\"; }; }; }; };");
             },
             {"note shared-pins-or-instance"}},
        Case{"dpd_without_time",
             [](Files& f) { replace(f, app_dts, "t-exit-dpd = < 0x88b8 >;", ""); },
             {"warning flash-stuck-after-warm-reset"}},
        Case{"idle_in_dpd",
             [](Files& f) { append(f, boot_config, "CONFIG_SPI_NOR_IDLE_IN_DPD=y\n"); },
             {"warning flash-stuck-after-warm-reset"}},
        Case{"part_in_4_byte_mode", [](Files& f) { large_part(f, ""); }, {"warning flash-stuck-after-warm-reset"}},
        Case{"part_with_4_byte_commands", [](Files& f) { large_part(f, "use-4b-addr-opcodes; "); }, {}},
        Case{"erase_commands_for_3_bytes",
             [](Files& f) {
                 large_part(f, "use-4b-addr-opcodes; ");
                 append(f, boot_config, "CONFIG_SPI_NOR_SFDP_DEVICETREE=y\n");
             },
             {"warning four-byte-opcodes-without-erase"}},
        Case{"erase_commands_for_4_bytes",
             [](Files& f) {
                 large_part(f, "use-4b-addr-opcodes; ");
                 append(f, boot_config, "CONFIG_SPI_NOR_SFDP_DEVICETREE=y\n");
                 replace(f, boot_dts, "0F 44 EB 08 6B 08 3B 04 BB ]",
                         "0F 44 EB 08 6B 08 3B 04 BB EE FF FF FF FF FF 00 FF FF FF 00 FF 0C 21 0F 5C 10 DC 00 FF ]");
             },
             {}},
        Case{"dpd_time_short",
             [](Files& f) { replace(f, app_dts, "t-exit-dpd = < 0x88b8 >;", "t-exit-dpd = < 35 >;"); },
             {"note dpd-exit-time-too-short"}},
        Case{"cs_index",
             [](Files& f) { replace(f, app_dts, "reg = < 0x1 >; status", "reg = < 0x2 >; status"); },
             {"error flash-bus-differs-between-images", "note flash-cs-index-out-of-range"}},
        Case{"two_flashes",
             [](Files& f) { append(f, app_dts, "&spi3 { other@0 { compatible = \"jedec,spi-nor\"; }; };"); },
             {"warning several-spi-nor-nodes"}},
        Case{"flash_described_differently",
             [](Files& f) {
                 for (const auto* file : {boot_dts})
                     replace(f, file, "jedec-id = [ C2 28 17 ]", "jedec-id = [ C2 28 18 ]");
             },
             {"note flash-node-differs-between-images"}},
        Case{"no_write_protect",
             [](Files& f) { replace(f, "build_info.yml", "nrf9160dk", "circuitdojo_feather"); },
             {"note write-protect-unhandled"}},
        Case{"sectors",
             [](Files& f) { replace(f, boot_config, "SECTORS=256", "SECTORS=128"); },
             {"error max-img-sectors-too-small"}},
        Case{
            "sectors_auto",
            [](Files& f) { replace(f, boot_config, "SECTORS=256", "SECTORS=128\nCONFIG_BOOT_MAX_IMG_SECTORS_AUTO=y"); },
            {}},
        Case{"placeholder_on_top",
             [](Files& f) {
                 replace(f, "partitions.yml",
                         "external_flash:\n  address: 0xe8000\n  end_address: 0x800000\n  region: external_flash\n  "
                         "size: 0x718000",
                         "external_flash:\n  address: 0x0\n  size: 0x800000\n  region: external_flash");
             },
             {"error external-flash-placeholder-overlap"}},
        Case{"fprotect_length",
             [](Files& f) {
                 replace(f, "partitions.yml",
                         "mcuboot:\n  address: 0x0\n  end_address: 0x10000\n  region: flash_primary\n  size: 0x10000",
                         "mcuboot:\n  address: 0x1000\n  size: 0xf000");
             },
             {"error fprotect-length-misaligned"}},
        Case{"tfm_of_2_0",
             [](Files& f) { replace(f, "sensor_node/zephyr/include/generated/ncs_version.h", "3.1.0", "2.0.2"); },
             {"note push-restart-bug", "warning tfm-protects-secondary"}},
        Case{"data_in_trailer",
             [](Files& f) {
                 append(f, "partitions.yml", "tail:\n  address: 0xe7000\n  size: 0x1000\n  region: external_flash\n");
             },
             {"note data-in-slot-trailer", "warning secondary-split"}},
        Case{"stale_header_size",
             [](Files& f) { replace(f, "sensor_node/build.ninja", "--header-size 0x200", "--header-size 0x800"); },
             {"error stale-signing-parameters"}},
        Case{"stale_slot_size",
             [](Files& f) { replace(f, "sensor_node/build.ninja", "--slot-size 0xe8000", "--slot-size 0xd0000"); },
             {"warning stale-signing-parameters"}},
        Case{"development_key",
             [](Files& f) {
                 replace(f, boot_config, "/keys/sensor-node.pem", "/ncs/bootloader/mcuboot/root-ec-p256.pem");
             },
             {"warning development-key"}},
        Case{"static_layout",
             [](Files& f) { f["CMakeCache.txt"] = "PM_STATIC_YML_FILE:FILEPATH=/app/pm_static.yml\n"; },
             {"note static-layout-in-use"}},
        Case{"external_records",
             [](Files& f) { f["merged.hex"] = ":020000041000EA\n:00000001FF\n"; },
             {"note merged-hex-has-external"}},
        Case{"partitions_differ",
             [](Files& f) {
                 without_partition_manager(f);
                 replace(f, boot_dts, "partition@10000 { reg = <0x10000 0xe0000>",
                         "partition@10000 { reg = <0x10000 0xe8000>");
             },
             {"error dts-partitions-differ"}},
        Case{"block_shared",
             [](Files& f) {
                 without_partition_manager(f);
                 replace(f, app_dts, "reg = <0xf0000 0x8000>", "reg = <0xf0000 0xa000>");
             },
             {"error secure-and-nonsecure-share-block"}},
        Case{"write_blocks",
             [](Files& f) {
                 without_partition_manager(f);
                 replace(f, app_dts, "write-block-size = <1>", "write-block-size = <16>");
             },
             {"error slot-write-sizes-differ"}}};
}

INSTANTIATE_TEST_SUITE_P(Catalogue, BuildRule, ::testing::ValuesIn(build_cases()), name_of);

// --- rules about an image, and about the part that is fitted ---------------------------------------------------------

ImageFacts good_image() {
    ImageFacts out;
    out.name = "app.bin";
    out.size = out.end = 0x60000;
    out.walkable = true;
    out.header_size = 0x200;
    out.signature_type = std::uint16_t{0x22};
    out.reset_vector = 0x18235;
    return out;
}

std::multiset<std::string> said_of(const ImageFacts& facts) {
    Inputs inputs;
    inputs.image = facts;
    return said(must_check(good_build(), inputs));
}

using Said = std::multiset<std::string>;

TEST(ImageRules, AGoodImagePasses) {
    EXPECT_EQ(said_of(good_image()), Said{});
}

TEST(ImageRules, TheRealSwapLimitAndWhatImgtoolWouldAccept) {
    auto image = good_image();
    image.end = image.size = 0xe6000;
    EXPECT_EQ(said_of(image), Said{});
    image.end = image.size = 0xe6001;
    Inputs inputs;
    inputs.image = image;
    const auto report = must_check(good_build(), inputs);
    ASSERT_EQ(said(report), Said{"error image-exceeds-swap-limit"});
    EXPECT_NE(report.findings[0].message.find("imgtool accepts up to 948,688"), std::string::npos)
        << report.findings[0].message;
    EXPECT_EQ(report.findings[0].expected, "at most 942,080 bytes");
}

TEST(ImageRules, LargerThanTheSlot) {
    auto image = good_image();
    image.size = image.end = 0xe8001;
    EXPECT_EQ(said_of(image), (Said{"error image-larger-than-secondary", "error image-exceeds-swap-limit"}));
}

TEST(ImageRules, NotSigned) {
    auto image = good_image();
    image.signature_type.reset();
    EXPECT_EQ(said_of(image), Said{"error image-not-signed"});
    EXPECT_EQ(said_of(image_facts(as_bytes("PK\x03\x04 and more"), "dfu.zip")), Said{"error image-not-signed"});
    EXPECT_EQ(said_of(image_facts(as_bytes("\x84\xd2 and more"), "modem.cbor")),
              (Said{"error full-modem-image-for-app", "error image-not-signed"}));
}

TEST(ImageRules, AnotherKey) {
    auto image = good_image();
    image.signature_type = std::uint16_t{0x20};
    EXPECT_EQ(said_of(image), Said{"error key-not-in-mcuboot"});
    image = good_image();
    image.key_hash = Bytes(32, 0x11);
    EXPECT_EQ(said_of(image), Said{"error key-not-in-mcuboot"});
}

TEST(ImageRules, LinkedElsewhere) {
    auto image = good_image();
    image.reset_vector = 0x8235;
    EXPECT_EQ(said_of(image), Said{"error reset-vector-outside-primary"});
}

TEST(PartRules, TheFixForFourByteModeDependsOnWhereTheParametersComeFrom) {
    const auto fix = [](const char* config) {
        auto files = good_build();
        large_part(files, "");
        append(files, boot_config, config);
        const auto report = must_check(files);
        const auto* finding = find(report, "flash-stuck-after-warm-reset");
        return finding == nullptr ? std::string() : finding->fix;
    };
    EXPECT_TRUE(fix("").starts_with("add use-4b-addr-opcodes;")) << fix("");
    const auto other = fix("CONFIG_SPI_NOR_SFDP_DEVICETREE=y\n");
    EXPECT_TRUE(other.starts_with("wire the part's reset")) << other;
}

TEST(PartRules, TheFittedPart) {
    Inputs inputs;
    inputs.flash_part = flash::JedecId{0xc2, 0x28, 0x17};
    EXPECT_EQ(said(must_check(good_build(), inputs)), Said{});
    inputs.flash_part = flash::JedecId{0xef, 0x40, 0x16};
    EXPECT_EQ(said(must_check(good_build(), inputs)), Said{"error jedec-id-mismatch"});
    inputs.flash_part = flash::JedecId{0x00, 0xef, 0xaa};
    EXPECT_EQ(said(must_check(good_build(), inputs)), Said{"error nand-part-as-nor"});
}

// --- rules about what is in the field, on the device, or in a log ----------------------------------------------------

struct InputCase {
    const char* name;
    std::function<void(Files&, Inputs&)> change;
    std::multiset<std::string> expected;
};

std::ostream& operator<<(std::ostream& out, const InputCase& one) {
    return out << one.name;
}

ImageFacts shipped_image() {
    auto out = good_image();
    out.version = image::Version{1, 0, 0, 0};
    out.security_counter = 1;
    return out;
}

/// What shipped: the good build, with one thing that is otherwise there.
Baseline shipped(const std::function<void(Baseline&)>& otherwise = {}) {
    const MemoryFileTree tree(good_build());
    const auto project = read_project(tree, "");
    const auto image = shipped_image();
    auto out = snapshot(*project, &image);
    if (!out) throw std::runtime_error(out.error().text());
    if (otherwise) otherwise(*out);
    return std::move(*out);
}

Partition& part_of(Baseline& baseline, std::string_view name) {
    for (auto& one : baseline.partitions)
        if (one.name == name) return one;
    throw std::logic_error(std::string(name));
}

std::function<void(Files&, Inputs&)> log_of(const char* text) {
    return [text](Files&, Inputs& inputs) { inputs.log = read_boot_log(text, "boot.log"); };
}

std::function<void(Files&, Inputs&)> part_id(flash::JedecId id) {
    return [id](Files&, Inputs& inputs) {
        inputs.probe.emplace();
        inputs.probe->id = id;
    };
}

std::vector<InputCase> input_cases() {
    return {
        {"image_as_shipped", [](Files&, Inputs& i) { i.image = good_image(); }, {}},
        {"image_too_large",
         [](Files&, Inputs& i) {
             i.image = good_image();
             i.image->end = i.image->size = 0xe6001;
         },
         {"error image-exceeds-swap-limit"}},
        {"image_beyond_slot",
         [](Files&, Inputs& i) {
             i.image = good_image();
             i.image->end = i.image->size = 0xe8001;
         },
         {"error image-larger-than-secondary", "error image-exceeds-swap-limit"}},
        {"full_modem_image",
         [](Files&, Inputs& i) { i.image = image_facts(as_bytes("\x84\xd2 and more"), "modem.cbor"); },
         {"error full-modem-image-for-app", "error image-not-signed"}},
        {"another_key_type",
         [](Files&, Inputs& i) {
             i.image = good_image();
             i.image->signature_type = std::uint16_t{0x20};
         },
         {"error key-not-in-mcuboot"}},
        {"linked_elsewhere",
         [](Files&, Inputs& i) {
             i.image = good_image();
             i.image->reset_vector = 0x8235;
         },
         {"error reset-vector-outside-primary"}},
        {"bootloader_update_for_the_other_slot",
         [](Files& f, Inputs& i) {
             replace(f, "partitions.yml",
                     "mcuboot:\n  address: 0x0\n  end_address: 0x10000\n  region: flash_primary\n  size: 0x10000",
                     "b0:\n  address: 0x0\n  size: 0x2000\ns0:\n  address: 0x2000\n  size: 0x7000\ns1:\n  address: "
                     "0x9000\n  size: 0x7000");
             i.image = good_image();
             i.image->name = "signed_by_mcuboot_and_b0_s1_image.bin";
             i.image->reset_vector = 0x2345;
         },
         {"error wrong-slot-mcuboot-update"}},
        {"server_gives_up_early",
         [](Files&, Inputs& i) {
             i.image = good_image();
             i.server_limit = std::chrono::minutes(2);
         },
         {"note transfer-budget-exceeded"}},
        {"server_waits_long",
         [](Files&, Inputs& i) {
             i.image = good_image();
             i.server_limit = std::chrono::hours(2);
         },
         {}},
        {"modem_delta_and_short_timeout",
         [](Files&, Inputs& i) {
             i.image = image_facts(as_bytes("delta"), "mfw_nrf9160_update_from_1.3.5_to_1.3.6.bin");
             i.server_limit = std::chrono::seconds(30);
         },
         {"error image-not-signed", "note modem-delta-timeout"}},

        {"as_in_the_field",
         [](Files&, Inputs& i) {
             i.image = shipped_image();
             i.image->version->minor = 1;
             i.baseline = shipped();
         },
         {}},
        {"primary_moved",
         [](Files&, Inputs& i) { i.baseline = shipped([](Baseline& b) { b.slots.primary.address = 0xc000; }); },
         {"error layout-drifted-from-baseline"}},
        {"mode_changed",
         [](Files&, Inputs& i) { i.baseline = shipped([](Baseline& b) { b.slots.mode = FOTA_BOOT_OVERWRITE; }); },
         {"error layout-drifted-from-baseline"}},
        {"mcuboot_grew",
         [](Files&, Inputs& i) { i.baseline = shipped([](Baseline& b) { part_of(b, "mcuboot").size = 0xc000; }); },
         {"error layout-drifted-from-baseline"}},
        {"secondary_moved",
         [](Files&, Inputs& i) { i.baseline = shipped([](Baseline& b) { b.slots.secondary.address = 0x100000; }); },
         {"error layout-drifted-from-baseline", "note secondary-moved-from-baseline"}},
        {"secondary_was_internal",
         [](Files&, Inputs& i) { i.baseline = shipped([](Baseline& b) { b.slots.secondary.external = false; }); },
         {"error layout-drifted-from-baseline", "note secondary-went-external"}},
        {"app_moved",
         [](Files&, Inputs& i) { i.baseline = shipped([](Baseline& b) { part_of(b, "app").address = 0x1c200; }); },
         {"warning app-start-moved"}},
        {"version_the_same",
         [](Files&, Inputs& i) {
             i.image = shipped_image();
             i.baseline = shipped();
         },
         {"warning version-not-raised"}},
        {"version_prevented",
         [](Files& f, Inputs& i) {
             append(f, boot_config, "CONFIG_MCUBOOT_DOWNGRADE_PREVENTION=y\n");
             i.image = shipped_image();
             i.baseline = shipped();
         },
         {"error version-not-raised"}},
        {"counter_lower",
         [](Files&, Inputs& i) {
             i.image = shipped_image();
             i.image->version->minor = 1;
             i.image->security_counter = 0;
             i.baseline = shipped();
         },
         {"warning version-not-raised"}},
        {"key_changed",
         [](Files&, Inputs& i) {
             i.image = shipped_image();
             i.image->version->minor = 1;
             i.image->key_hash = Bytes(32, 0x22);
             i.baseline = shipped([](Baseline& b) { b.key_hash = Bytes(32, 0x33); });
         },
         {"error key-not-in-mcuboot", "error key-not-in-mcuboot"}},

        {"part_fits", part_id({0xc2, 0x28, 0x17}), {}},
        {"another_part", part_id({0xef, 0x40, 0x16}), {"error jedec-id-mismatch"}},
        {"nand", part_id({0x00, 0xef, 0xaa}), {"error nand-part-as-nor"}},
        {"silent_part", part_id({0x00, 0x00, 0x00}), {"error flash-not-routed", "note dk-without-external-flash"}},
        {"table_differs",
         [](Files&, Inputs& i) {
             i.probe.emplace();
             i.probe->bfp = {0xe5, 0x20, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x0f};
         },
         {"error sfdp-bfp-of-other-part"}},
        {"blocks_protected",
         [](Files&, Inputs& i) {
             i.probe.emplace();
             i.probe->status = std::uint8_t{0x3c};
         },
         {"warning write-protect-unhandled"}},

        {"log_of_a_good_boot",
         log_of("I: Starting bootloader\nI: Bootloader chainload address offset: 0x10000\nI: Jumping to the first "
                "image slot\n"),
         {}},
        {"log_id_silent",
         log_of("E: Device id 00 00 00 does not match config c2 28 17\n"),
         {"error flash-not-routed", "note dk-without-external-flash"}},
        {"log_id_other", log_of("E: Device id ef 40 16 does not match config c2 28 17\n"), {"error jedec-id-mismatch"}},
        {"log_fault",
         log_of("I: Jumping to the first image slot\nFATAL ERROR: SecureFault\n"),
         {"warning spim-not-released"}},
        {"log_dpd", log_of("E: Failed to exit DPD (-116)\n"), {"warning flash-stuck-after-warm-reset"}},
        {"log_cold_boot",
         log_of("*** Booting MCUboot v2.1.0 ***\nE: Failed to open flash area ID 2 (image 0 slot 1): -19, cannot "
                "continue\n"
                "*** Booting MCUboot v2.1.0 ***\nI: Jumping to the first image slot\n"),
         {"note flash-not-ready-on-cold-boot"}},
        {"log_bp", log_of("E: BP clear failed: -5\n"), {"warning write-protect-unhandled"}},
        {"log_overflow",
         log_of("Linking mcuboot\nld: region `FLASH' overflowed by 736 bytes\n"),
         {"error mcuboot-partition-too-small"}},
        {"log_fprotect",
         log_of("E: Protect mcuboot flash failed, cancel startup.\n"),
         {"error fprotect-length-misaligned"}},
        {"log_ord", log_of("ld: undefined reference to `__device_dts_ord_95'\n"), {"error undefined-device-ord"}},
        {"log_trailer_write",
         log_of("E: Flash write failed at offset: 0xe7ff0, size: 0x10, area: 2, rc: -5\n"),
         {"warning spi-ram-buffer-too-small"}},
        {"log_write_sizes",
         log_of("W: Cannot upgrade: slot write sizes are not compatible\n"),
         {"error slot-write-sizes-differ"}},
        {"log_first_sector",
         log_of("E: Secondary header magic detected in first sector, wrong upload address?\n"),
         {"warning image-placed-for-other-mode"}},
        {"log_magic_bad",
         log_of("I: Secondary image: magic=bad, swap_type=0x1, copy_done=0x2, image_ok=0x2\n"),
         {"note stale-image-in-secondary"}},
        {"log_damaged_in_flash",
         [](Files&, Inputs& i) {
             i.image = good_image();
             i.image->intact = true;
             i.log = read_boot_log("E: Image in the secondary slot is not valid!\n", "boot.log");
         },
         {"warning external-write-corrupted"}},
        {"log_swap_interrupted",
         log_of("I: Primary image: magic=good, swap_type=0x2, copy_done=0x3, image_ok=0x1\n"
                "I: Secondary image: magic=unset, swap_type=0x1, copy_done=0x3, image_ok=0x3\n"
                "I: Boot source: primary slot\nE: Image in the primary slot is not valid!\n"),
         {"note swap-interrupted"}},
        {"log_never_swapped",
         log_of("I: Primary image: magic=unset, swap_type=0x1, copy_done=0x3, image_ok=0x3\n"
                "I: Boot source: primary slot\nE: Image in the primary slot is not valid!\n"),
         {}},
        {"log_cme_518",
         log_of("AT%CMNG=0,35724861,3,\"..\"\n+CME ERROR: 518\n"),
         {"warning credentials-while-modem-active"}},
        {"log_handshake", log_of("<err> net_sock_tls: TLS handshake error: -0x7780\n"), {"warning psk-settings"}},
        {"log_pull_without_ca",
         log_of("download coaps://files/app.bin\nAT%CMNG=1\n%CMNG: 35724861,3,\"..\"\n"),
         {"note pull-without-ca"}},
        {"log_endpoint",
         log_of("AT+CGSN=1\n+CGSN: \"358811331351351\"\n<inf> app_lwm2m_client: endpoint: urn:dev:mac:1234\n"),
         {"note endpoint-not-imei"}},
        {"log_cid",
         log_of("mfw_nrf9160_1.3.2\n<err> lwm2m_security: Failed to enable TLS_DTLS_CID: -45\n"),
         {"warning modem-too-old-for-cid"}},
        {"log_cid_on_new_modem", log_of("mfw_nrf9160_1.3.10\nEnable connection id\n"), {}}};
}

Report judged(const InputCase& one) {
    auto files = good_build();
    Inputs inputs;
    one.change(files, inputs);
    return must_check(files, inputs);
}

class InputRule : public ::testing::TestWithParam<InputCase> {};

TEST_P(InputRule, SaysExactlyWhatFollows) {
    EXPECT_EQ(said(judged(GetParam())), GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(Catalogue, InputRule, ::testing::ValuesIn(input_cases()),
                         [](const auto& info) { return std::string(info.param.name); });

/// Every row of the catalogue fails in a case above. (The unchanged trees are every row's passing case.)
TEST(Catalogue, EveryRuleHasAFailingCase) {
    std::set<std::string> fired;
    const auto take = [&](const Report& report) {
        for (const auto& finding : report.findings) fired.insert(finding.rule);
    };
    for (const auto& [cases, good] : {std::pair{source_cases(), good_source()}, std::pair{build_cases(), good_build()}})
        for (const auto& one : cases) {
            auto files = good;
            one.change(files);
            take(must_check(files));
        }
    for (const auto& one : input_cases()) take(judged(one));
    for (const auto& rule : catalogue()) EXPECT_TRUE(fired.contains(std::string(rule.name))) << rule.name;
}

TEST(Catalogue, NamesAndOrder) {
    std::set<std::string_view> names;
    for (const auto& rule : catalogue()) {
        EXPECT_TRUE(names.insert(rule.name).second) << rule.name;
        EXPECT_TRUE(rule.apply != nullptr || rule.observe != nullptr);
    }
    EXPECT_EQ(catalogue()[0].name, "qspi-driver-on-spi-flash");
    EXPECT_EQ(catalogue()[1].name, "mcuboot-spi-nor-disabled");
}

}  // namespace
}  // namespace fota::layout::testing
