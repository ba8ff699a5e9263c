// The rules on a build tree, case by case.
#include "unit/layout/rule_cases.hpp"

namespace fota::layout::testing {
namespace {

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

}  // namespace

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

namespace {

INSTANTIATE_TEST_SUITE_P(Catalogue, BuildRule, ::testing::ValuesIn(build_cases()), name_of);

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

}  // namespace
}  // namespace fota::layout::testing
