// The rules on a source tree, case by case.
#include "unit/layout/rule_cases.hpp"

namespace fota::layout::testing {
namespace {

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

}  // namespace

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

namespace {

INSTANTIATE_TEST_SUITE_P(Catalogue, SourceRule, ::testing::ValuesIn(source_cases()), name_of);

}  // namespace
}  // namespace fota::layout::testing
