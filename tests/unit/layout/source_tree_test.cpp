// Source trees as people publish them: samples of a course, several boards in one project, layouts in included files,
// and boards whose own files decide.
#include <gtest/gtest.h>

#include "unit/layout/trees.hpp"

namespace fota::layout::testing {
namespace {

using Said = std::multiset<std::string>;

Said said_for(const Files& files, const std::string& board) {
    Inputs inputs;
    inputs.board = board;
    return said(must_check(files, inputs));
}

/// An SPI solution for several kits, each with overlays that sample.yaml hands to twister.
Files course_sample() {
    const auto overlay = [](const std::string& label) {
        return "&" + label + " { status = \"okay\"; };\n/ { chosen { nordic,pm-ext-flash = &" + label + "; }; };\n";
    };
    const std::string spi =
        "CONFIG_SPI=y\nCONFIG_SPI_NOR=y\nCONFIG_SPI_NOR_SFDP_DEVICETREE=y\nCONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096\n"
        "CONFIG_NORDIC_QSPI_NOR=n\nCONFIG_SPI_NRFX_RAM_BUFFER_SIZE=32\n";
    return {{"prj.conf", "CONFIG_MCUMGR=y\nCONFIG_MCUMGR_GRP_IMG=y\n" + spi},
            {"sysbuild.conf",
             "SB_CONFIG_BOOTLOADER_MCUBOOT=y\nSB_CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY=y\n"
             "SB_CONFIG_PM_OVERRIDE_EXTERNAL_DRIVER_CHECK=y\nSB_CONFIG_BOOT_SIGNATURE_KEY_FILE=\"/k.pem\"\n"},
            {"sysbuild/mcuboot.conf", spi + "CONFIG_MULTITHREADING=y\nCONFIG_BOOT_MAX_IMG_SECTORS=512\n"
                                            "CONFIG_PM_PARTITION_SIZE_MCUBOOT=0xF000\n"},
            {"app_mx.overlay", overlay("mx25r64")},
            {"app_gd.overlay", overlay("gd25wb256")},
            {"sysbuild/mcuboot_mx.overlay", overlay("mx25r64")},
            {"sysbuild/mcuboot_gd.overlay", overlay("gd25wb256")},
            {"sample.yaml",
             "tests:\n  gd:\n    platform_allow: [nrf9161dk/nrf9161/ns]\n    extra_dtc_overlay_files:\n"
             "      - app_gd.overlay\n      - sysbuild/mcuboot_gd.overlay\n"
             "  mx:\n    platform_allow:\n      - nrf9160dk/nrf9160/ns\n    extra_dtc_overlay_files:\n"
             "      - app_mx.overlay\n      - sysbuild/mcuboot_mx.overlay\n"}};
}

TEST(SourceTree, ACoursesSpiSolutionHasNoError) {
    for (const char* board : {"nrf9160dk@1.0.0/nrf9160/ns", "nrf9161dk/nrf9161/ns"})
        EXPECT_EQ(said_for(course_sample(), board),
                  (Said{"warning overlay-not-picked-up", "warning overlay-not-picked-up"}))
            << board;
    Inputs inputs;
    inputs.board = "nrf9160dk@1.0.0/nrf9160/ns";
    const auto report = must_check(course_sample(), inputs);
    const auto* overlay = find(report, "overlay-not-picked-up");
    ASSERT_NE(overlay, nullptr);
    EXPECT_EQ(overlay->where.file, "app_mx.overlay");
    EXPECT_NE(overlay->fix.find("-DEXTRA_DTC_OVERLAY_FILE=app_mx.overlay"), std::string::npos) << overlay->fix;
}

TEST(SourceTree, WithoutTheSampleFileTheSameOverlaysAreNotApplied) {
    auto files = course_sample();
    files.erase("sample.yaml");
    const auto found = said_for(files, "nrf9160dk@1.0.0/nrf9160/ns");
    EXPECT_TRUE(found.contains("error pm-ext-flash-not-chosen-app"));
    EXPECT_TRUE(found.contains("error flash-node-disabled-in-mcuboot"));
    EXPECT_EQ(found.count("warning overlay-not-picked-up"), 4u);
}

TEST(SourceTree, SeveralBoardsWithFilesOfTheirOwnAskForTheBoard) {
    const auto report = must_check(course_sample());
    EXPECT_EQ(said(report), Said{});
    EXPECT_GT(report.counts.need_board, 10u);
}

TEST(SourceTree, OverlaysForAnotherRevisionVariantOrSocAreRightWhereTheyAre) {
    auto files = good_source();
    files["boards/nrf9160dk_nrf9160_ns_0_7_0.overlay"] = "";
    files["boards/nrf9160dk_nrf9160.overlay"] = "";
    files["boards/nrf9160dk_nrf52840.overlay"] = "";
    files["sysbuild/mcuboot/boards/nrf9160dk_nrf52840.overlay"] = "";
    EXPECT_EQ(said(must_check(files)), Said{"note static-layout-in-use"});
    files["sysbuild/mcuboot/boards/nrf9160dk_nrf9160_ns.overlay"] = "";  // MCUboot is built for the secure target
    EXPECT_TRUE(said(must_check(files)).contains("warning overlay-not-picked-up"));
}

TEST(SourceTree, AnOverlayToChooseThatIsNotAboutFlashIsNoMistake) {
    auto files = good_source();
    files["one-wire.overlay"] = "&uart1 { status = \"okay\"; };\n";
    EXPECT_EQ(said(must_check(files)), Said{"note static-layout-in-use"});
    append(files, "one-wire.overlay", "&mx25r64 { status = \"okay\"; };\n");
    EXPECT_TRUE(said(must_check(files)).contains("warning overlay-not-picked-up"));
}

TEST(SourceTree, ALayoutInAnIncludedFileCountsWithItsOwnLines) {
    auto files = good_source();
    files.erase("pm_static.yml");
    append(files, "sysbuild.conf", "SB_CONFIG_PARTITION_MANAGER=n\n");
    const std::string include = "#include \"../dts/layout.dtsi\"\n#include <zephyr/dt-bindings/gpio/gpio.h>\n";
    append(files, "boards/nrf9160dk_nrf9160_ns.overlay", "\n" + include);
    append(files, "sysbuild/mcuboot.overlay", "\n" + include);
    files["dts/layout.dtsi"] =
        "/ { soc { flash0: flash@0 { compatible = \"soc-nv-flash\"; partitions { compatible = \"fixed-partitions\";\n"
        "  boot_partition: partition@0 { reg = <0x0 0x10000>; };\n"
        "  slot0_partition: partition@10000 { reg = <0x10000 0xe8000>; };\n"
        "  storage_partition: partition@f8000 { reg = <0xf8000 0x8000>; }; }; }; }; };\n"
        "&mx25r64 { partitions { compatible = \"fixed-partitions\";\n"
        "  slot1_partition: partition@0 { reg = <0x0 0xe8000>; }; }; };\n";
    const auto good = must_check(files);
    EXPECT_EQ(said(good), Said{});
    ASSERT_TRUE(good.slots);
    EXPECT_TRUE(good.slots->secondary.external);
    replace(files, "dts/layout.dtsi", "partition@0 { reg = <0x0 0xe8000>", "partition@0 { reg = <0x0 0xd0000>");
    const auto report = must_check(files);
    const auto* differ = find(report, "slot-sizes-differ");
    ASSERT_NE(differ, nullptr);
    EXPECT_EQ(differ->where.file, "dts/layout.dtsi");
    EXPECT_EQ(differ->where.line, 6u);
}

TEST(SourceTree, KconfigSysbuildGivesDefaultsForTheBoard) {
    auto files = good_source();
    files["Kconfig.sysbuild"] =
        "choice BOOTLOADER\n\tdefault BOOTLOADER_MCUBOOT\nendchoice\n"
        "config PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY\n\tdefault y if BOARD_NRF9160DK_NRF9160_NS && "
        "\"${BOARD_REVISION}\" != \"0.7.0\"\n";
    files["sysbuild.conf"] = "SB_CONFIG_BOOT_SIGNATURE_KEY_FILE=\"/k.pem\"\n";
    files.erase("pm_static.yml");
    replace(files, "sysbuild/mcuboot.conf", "CONFIG_SPI=y\n", "");
    EXPECT_EQ(said(must_check(files)), Said{"error mcuboot-spi-nor-disabled"});
    append(files, "sysbuild.conf", "SB_CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY=n\n");  // the project's word counts
    EXPECT_EQ(said(must_check(files)), Said{});
}

TEST(SourceTree, ATableAloneMakesNoBootloader) {
    const Files files{
        {"prj.conf", "CONFIG_SPI=y\nCONFIG_SPI_NOR=y\n"},
        {"pm_static.yml", "mcuboot_secondary:\n  region: external_flash\n  address: 0x0\n  size: 0xd0000\n"}};
    EXPECT_EQ(said_for(files, "nrf9151dk/nrf9151/ns"), Said{"note static-layout-in-use"});
}

TEST(SourceTree, TheThingy91XBringsItsOwnLayoutAndDrivers) {
    Files files{{"prj.conf", "CONFIG_MCUMGR_GRP_IMG=y\n"},
                {"sysbuild.conf", "SB_CONFIG_BOOT_SIGNATURE_KEY_FILE=\"/k.pem\"\n"}};
    const auto board = "thingy91x/nrf9151/ns";
    Inputs inputs;
    inputs.board = board;
    const auto report = must_check(files, inputs);
    EXPECT_EQ(said(report), Said{"note static-layout-in-use"});
    ASSERT_TRUE(report.slots);
    EXPECT_EQ(report.slots->secondary.size, 0xd0000u);
    EXPECT_TRUE(report.slots->secondary.external);
    append(files, "prj.conf", "CONFIG_SPI_NOR=n\n");
    EXPECT_TRUE(said_for(files, board).contains("error app-spi-nor-disabled"));
    append(files, "sysbuild.conf", "SB_CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY=n\n");
    EXPECT_EQ(said_for(files, board), Said{});
    EXPECT_EQ(said_for({{"prj.conf", "CONFIG_GPIO=y\n"}}, board), Said{});  // nothing that is ever updated
}

TEST(SourceTree, TheThingy91sFactoryLayoutIsNotCalledMisaligned) {
    const Files files{{"prj.conf", "CONFIG_MCUMGR_GRP_IMG=y\n"},
                      {"sysbuild.conf", "SB_CONFIG_BOOT_SIGNATURE_KEY_FILE=\"/k.pem\"\n"}};
    EXPECT_FALSE(said_for(files, "thingy91/nrf9160/ns").contains("error spu-misaligned"));
    EXPECT_FALSE(said_for(files, "thingy91/nrf9160/ns").contains("warning spu-misaligned"));
}

TEST(SourceTree, ALayoutAndOverlaysThatSysbuildsCmakeNames) {
    auto files = good_source();
    files["configuration/layout.yml"] = files["pm_static.yml"];
    files.erase("pm_static.yml");
    EXPECT_FALSE(must_check(files).slots);
    for (const char* line :
         {"set(PM_STATIC_YML_FILE ${CMAKE_CURRENT_LIST_DIR}/configuration/layout.yml CACHE INTERNAL \"\")\n",
          "set(PM_STATIC_YML_FILE \"${APP_DIR}/configuration/layout.yml\")\n",
          "  set(PM_STATIC_YML_FILE configuration/layout.yml)\n"}) {
        auto named = files;
        named["sysbuild.cmake"] = line;
        const auto report = must_check(named);
        EXPECT_TRUE(report.slots) << line;
        const auto* note = find(report, "static-layout-in-use");
        ASSERT_NE(note, nullptr) << line;
        EXPECT_EQ(note->where.file, "configuration/layout.yml");
    }
    auto other_board = files;
    other_board["configuration/nrf9151dk.yml"] = files["configuration/layout.yml"];
    other_board["sysbuild.cmake"] =
        "if(BOARD STREQUAL nrf9151dk)\nset(PM_STATIC_YML_FILE configuration/nrf9151dk.yml)\nendif()\n";
    EXPECT_FALSE(must_check(other_board).slots);
    files["other.yml"] = "";
    files["sysbuild.cmake"] =
        "if(A)\nset(PM_STATIC_YML_FILE configuration/layout.yml)\nelse()\n"
        "set(PM_STATIC_YML_FILE other.yml)\nendif()\n";
    EXPECT_FALSE(must_check(files).slots);  // CMake alone knows which

    auto overlays = good_source();
    overlays["sysbuild/mcuboot_nrf9160dk.overlay"] = overlays["sysbuild/mcuboot.overlay"];
    overlays["sysbuild/mcuboot_nrf9151dk.overlay"] = "&mx25r64 { status = \"disabled\"; };\n";
    overlays.erase("sysbuild/mcuboot.overlay");
    overlays["sysbuild.cmake"] =
        "if(BOARD STREQUAL nrf9160dk)\nadd_overlay_dts(mcuboot sysbuild/mcuboot_nrf9160dk.overlay)\n"
        "else()\nadd_overlay_dts(mcuboot sysbuild/mcuboot_nrf9151dk.overlay)\nendif()\n";
    EXPECT_EQ(said(must_check(overlays)), Said{"note static-layout-in-use"});
    overlays.erase("sysbuild.cmake");
    EXPECT_TRUE(said(must_check(overlays)).contains("warning overlay-not-picked-up"));
}

/// The file that the static layout in use was read from; "" when there is none.
std::string layout_file(const Files& files, const std::string& board) {
    Inputs inputs;
    inputs.board = board;
    const auto report = must_check(files, inputs);
    const auto* note = find(report, "static-layout-in-use");
    return note == nullptr ? "" : note->where.file;
}

TEST(SourceTree, OfLayoutsThatCmakeChoosesFromTheBoardsOwnIsTaken) {
    const auto board = "nrf9160dk@1.0.0/nrf9160/ns";
    auto good = good_source();
    const auto layout = good["pm_static.yml"];
    good.erase("pm_static.yml");
    good["pm_static_nrf9151dk.yml"] = layout;

    auto both = good;
    both["pm_static_nrf9160dk.yml"] = layout;
    both["sysbuild.cmake"] =
        "if(BOARD STREQUAL nrf9151dk)\nset(PM_STATIC_YML_FILE ${CMAKE_CURRENT_LIST_DIR}/pm_static_nrf9151dk.yml)\n"
        "else()\nset(PM_STATIC_YML_FILE ${CMAKE_CURRENT_LIST_DIR}/pm_static_nrf9160dk.yml)\nendif()\n";
    EXPECT_EQ(layout_file(both, board), "pm_static_nrf9160dk.yml");
    EXPECT_EQ(layout_file(both, "nrf9151dk/nrf9151/ns"), "pm_static_nrf9151dk.yml");

    // Another board's layout that a script names in a way that is not followed.
    auto one = good;
    one["pm_static.yml"] = layout;
    one["sysbuild.cmake"] = "if(X)\nset(PM_STATIC_YML_FILE ${LAYOUTS}/pm_static_nrf9151dk.yml)\nendif()\n";
    EXPECT_EQ(layout_file(one, board), "pm_static.yml");

    // Which of the two it is only CMake knows; the board's own is what is left.
    auto sizes = good;
    sizes["pm_static_large.yml"] = sizes["pm_static_small.yml"] = layout;
    sizes["sysbuild.cmake"] =
        "if(LARGE)\nset(PM_STATIC_YML_FILE pm_static_large.yml)\nelse()\n"
        "set(PM_STATIC_YML_FILE pm_static_small.yml)\nendif()\n";
    EXPECT_EQ(layout_file(sizes, board), "");
    sizes["pm_static_nrf9160dk_nrf9160_ns.yml"] = layout;
    EXPECT_EQ(layout_file(sizes, board), "pm_static_nrf9160dk_nrf9160_ns.yml");
}

TEST(SourceTree, FilesOfNeutralNamesThatCmakeGivesMcuboot) {
    auto files = good_source();
    files["extra.conf"] = files["sysbuild/mcuboot.conf"];
    files["flash.overlay"] = files["sysbuild/mcuboot.overlay"];
    files.erase("sysbuild/mcuboot.conf");
    files.erase("sysbuild/mcuboot.overlay");
    files["sysbuild.cmake"] =
        "add_overlay_config(mcuboot ${APP_DIR}/extra.conf)\nadd_overlay_dts(mcuboot ${APP_DIR}/flash.overlay)\n";
    EXPECT_EQ(said(must_check(files)), Said{"note static-layout-in-use"});
}

TEST(SourceTree, AScriptWithoutALastNewlineKeepsTheNextOnesFirstLine) {
    const MemoryFileTree files({{"prj.conf", "CONFIG_SPI=y\n"},
                                {"CMakeLists.txt", "find_package(Zephyr)\nproject(app)"},
                                {"sysbuild.cmake", "set(BOARD nrf9161dk/nrf9161/ns)\n"}});
    const auto project = read_project(files, "");
    ASSERT_TRUE(project);
    ASSERT_TRUE(project->board);
    EXPECT_EQ(project->board->board, "nrf9161dk");
}

TEST(SourceTree, ABoardsNameWithinALongerWordIsNotThatBoards) {
    const auto reads = [](const std::string& file, const std::string& board) {
        const MemoryFileTree files({{"prj.conf", "CONFIG_SPI=y\n"},
                                    {file, "CONFIG_MARK=y\n"},
                                    {"CMakeLists.txt", "list(APPEND EXTRA_CONF_FILE " + file + ")\n"}});
        const auto project = read_project(files, board);
        return project && project->app.config.on("CONFIG_MARK");
    };
    EXPECT_FALSE(reads("thingy91x.conf", "thingy91/nrf9160/ns"));
    EXPECT_TRUE(reads("thingy91x.conf", "thingy91x/nrf9151/ns"));
    EXPECT_TRUE(reads("my_thingy91_x.conf", "thingy91/nrf9160/ns"));
    EXPECT_FALSE(reads("my_thingy91_x.conf", "thingy91x/nrf9151/ns"));
    EXPECT_TRUE(reads("mythingy91xy.conf", "nrf9160dk/nrf9160/ns"));  // no board that is known
}

TEST(SourceTree, TooManyDirectoriesToSearchClaimNothing) {
    auto files = good_source();
    replace(files, "src/main.c", "lwm2m_init_image()", "0");
    const auto add = [&](int from, int to) {
        for (int i = from; i < to; ++i) files["src/d" + std::to_string(i) + "/readme.txt"] = "";
    };
    add(0, 2000);
    EXPECT_TRUE(said(must_check(files)).contains("warning image-never-confirmed"));
    add(2000, 3001);
    EXPECT_FALSE(said(must_check(files)).contains("warning image-never-confirmed"));
}

TEST(SourceTree, WhatPartitionManagerLeavesEmptyBehindStorageIsNoMisalignment) {
    const std::string storage =
        "mcuboot: {address: 0x0, size: 0x10000}\n"
        "mcuboot_primary: {address: 0x10000, size: 0xe8000, span: [mcuboot_pad, tfm, app]}\n"
        "mcuboot_pad: {address: 0x10000, size: 0x200}\ntfm: {address: 0x10200, size: 0x7e00}\n"
        "app: {address: 0x18000, size: 0xe0000}\n"
        "mcuboot_secondary: {address: 0x0, size: 0xe8000, region: external_flash}\n"
        "nonsecure_storage: {address: 0xf8000, size: 0x2000, span: [settings_storage]}\n"
        "settings_storage: {address: 0xf8000, size: 0x2000}\n";
    auto files = good_source();
    files["pm_static.yml"] = storage + "EMPTY_0: {address: 0xfa000, size: 0x6000}\n";
    EXPECT_EQ(said(must_check(files)), Said{"note static-layout-in-use"});
    files["pm_static.yml"] = storage + "logs: {address: 0xfa000, size: 0x6000}\n";  // the application can write these
    EXPECT_TRUE(said(must_check(files)).contains("warning spu-misaligned"));
    files["pm_static.yml"] = storage + "EMPTY_0: {address: 0xfa000, size: 0x2000}\n";  // what comes next is not known
    EXPECT_TRUE(said(must_check(files)).contains("warning spu-misaligned"));
    files["pm_static.yml"] = storage +
                             "EMPTY_0: {address: 0xfa000, size: 0x6000}\n"
                             "tfm_storage: {address: 0xfc000, size: 0x1000}\n";
    EXPECT_TRUE(said(must_check(files)).contains("error spu-misaligned"));
}

TEST(SourceTree, AnOverlayWithAConfFileOfItsNameIsChosenOnTheCommandLine) {
    auto files = good_source();
    files["overlay-trace.overlay"] = "&mx25r64 { partitions { }; };\n";
    EXPECT_TRUE(said(must_check(files)).contains("warning overlay-not-picked-up"));
    files["overlay-trace.conf"] = "CONFIG_NRF_MODEM_LIB_TRACE=y\n";
    EXPECT_EQ(said(must_check(files)), Said{"note static-layout-in-use"});
    files["flash_mx.overlay"] = files["overlay-trace.overlay"];  // by no convention: more likely forgotten
    files["flash_mx.conf"] = "";
    EXPECT_TRUE(said(must_check(files)).contains("warning overlay-not-picked-up"));
}

TEST(SourceTree, AQspiDriverIsWrongOnAnyNrf91EvenForANodeItDoesNotHave) {
    auto files = good_source();
    files["CMakePresets.json"] =
        "{\"configurePresets\": [{\"cacheVariables\": {\"BOARD\": "
        "\"nrf9151dk/nrf9151/ns\"}}]}";
    files["boards/nrf9151dk_nrf9151_ns.overlay"] = files["boards/nrf9160dk_nrf9160_ns.overlay"];  // &mx25r64
    append(files, "prj.conf", "CONFIG_NORDIC_QSPI_NOR=y\n");
    EXPECT_TRUE(said(must_check(files)).contains("error qspi-driver-on-spi-flash"));
    EXPECT_FALSE(said_for(files, "nrf5340dk/nrf5340/cpuapp").contains("error qspi-driver-on-spi-flash"));
}

TEST(SourceTree, WithoutSysbuildAnImagesOwnOptionIsInItsPlace) {
    Files files{{"prj.conf", "CONFIG_SPI=y\n"},
                {"boards/nrf9160dk_nrf9160_ns.conf", "CONFIG_PM_OVERRIDE_EXTERNAL_DRIVER_CHECK=y\n"}};
    // Today's west builds with sysbuild, so that an SDK of unknown version exempts nothing.
    EXPECT_EQ(said(must_check(files)), Said{"warning option-in-wrong-conf-file"});
    files["west.yml"] = "manifest:\n  projects:\n    - name: nrf\n      revision: v2.4.0\n";
    EXPECT_EQ(said(must_check(files)), Said{});
    files["west.yml"] = "manifest:\n  projects:\n    - name: nrf\n      revision: v3.0.0\n";
    EXPECT_EQ(said(must_check(files)), Said{"warning option-in-wrong-conf-file"});
    files.erase("west.yml");
    files["sysbuild.conf"] = "";
    EXPECT_EQ(said(must_check(files)), Said{"warning option-in-wrong-conf-file"});
}

TEST(SourceTree, TheImageManagerAloneBringsNoUpdate) {
    Files files{{"prj.conf", "CONFIG_BOOTLOADER_MCUBOOT=y\nCONFIG_IMG_MANAGER=y\nCONFIG_STREAM_FLASH=y\n"},
                {"src/main.c", "int main(void) {}\n"}};
    const auto board = "nrf9160dk@1.0.0/nrf9160/ns";
    EXPECT_FALSE(said_for(files, board).contains("warning image-never-confirmed"));
    files["src/main.c"] = "int main(void) { boot_request_upgrade(BOOT_UPGRADE_TEST); }\n";
    EXPECT_TRUE(said_for(files, board).contains("warning image-never-confirmed"));
    files["src/main.c"] = "int main(void) { boot_request_upgrade(BOOT_UPGRADE_PERMANENT); }\n";
    EXPECT_FALSE(said_for(files, board).contains("warning image-never-confirmed"));
}

TEST(SourceTree, ConfirmingBesideSrcCountsAndInTestsDoesNot) {
    auto files = good_source();
    replace(files, "src/main.c", "lwm2m_init_image()", "0");
    for (const char* elsewhere : {"tests/update/main.c", "build/src/main.c", "doc/example.c"})
        files[elsewhere] = "int confirm(void) { return boot_write_img_confirmed(); }\n";
    EXPECT_TRUE(said(must_check(files)).contains("warning image-never-confirmed"));
    for (const char* path : {"lib/update/confirm.c", "main.cpp", "modules/fota/src/fota.h"})
        for (const char* call : {"boot_write_img_confirmed()", "boot_set_confirmed_multi(0)", "updatehub_confirm()"}) {
            auto confirmed = files;
            confirmed[path] = std::string("int confirm(void) { return ") + call + "; }\n";
            EXPECT_FALSE(said(must_check(confirmed)).contains("warning image-never-confirmed")) << path << call;
        }
}

TEST(SourceTree, LibrariesThatConfirmAndBootloadersWithoutUpdates) {
    const Files nothing_to_confirm{{"prj.conf", "CONFIG_BOOTLOADER_MCUBOOT=y\n"},
                                   {"src/main.c", "int main(void) {}\n"}};
    const auto board = "nrf9160dk@1.0.0/nrf9160/ns";
    EXPECT_FALSE(said_for(nothing_to_confirm, board).contains("warning image-never-confirmed"));
    auto files = nothing_to_confirm;
    append(files, "prj.conf", "CONFIG_FOTA_DOWNLOAD=y\n");
    EXPECT_TRUE(said_for(files, board).contains("warning image-never-confirmed"));
    for (const char* option :
         {"CONFIG_NRF_CLOUD_FOTA=y\n", "CONFIG_GOLIOTH_FW_UPDATE=y\n", "CONFIG_MENDER_MCU_CLIENT=y\n"}) {
        auto confirmed = files;
        append(confirmed, "prj.conf", option);
        EXPECT_FALSE(said_for(confirmed, board).contains("warning image-never-confirmed")) << option;
    }
    files["sysbuild.conf"] = "SB_CONFIG_MCUBOOT_MODE_OVERWRITE_ONLY=y\n";  // nothing to go back to
    EXPECT_FALSE(said_for(files, board).contains("warning image-never-confirmed"));
}

TEST(SourceTree, AClientWithoutABootloaderIsNotToldAboutUpdates) {
    const Files files{{"prj.conf", "CONFIG_LWM2M=y\n"}};
    EXPECT_EQ(said_for(files, "nrf9151dk/nrf9151/ns"), Said{});
    const Files updated{{"prj.conf", "CONFIG_LWM2M=y\n"}, {"sysbuild.conf", "SB_CONFIG_BOOTLOADER_MCUBOOT=y\n"}};
    EXPECT_TRUE(said_for(updated, "nrf9151dk/nrf9151/ns").contains("warning update-object-mismatch"));
}

TEST(SourceTree, OptionsOfTheImagesAreRightBeforeSysbuild) {
    const Files files{{"prj.conf", "CONFIG_BOOTLOADER_MCUBOOT=y\nCONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY=n\n"}};
    EXPECT_FALSE(said_for(files, "circuitdojo_feather/nrf9160/ns").contains("warning option-in-wrong-conf-file"));
}

TEST(SourceTree, ANodeOfAnUnknownBoardMayBeEnabledThere) {
    Files files{
        {"prj.conf", "CONFIG_SPI=y\nCONFIG_SPI_NOR=y\nCONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096\n"},
        {"sysbuild.conf",
         "SB_CONFIG_BOOTLOADER_MCUBOOT=y\nSB_CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY=y\n"
         "SB_CONFIG_BOOT_SIGNATURE_KEY_FILE=\"/k.pem\"\n"},
        {"sysbuild/mcuboot.conf", "CONFIG_SPI=y\nCONFIG_SPI_NOR=y\nCONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096\n"},
        {"app.overlay", "&flash_x { status = \"okay\"; };\n/ { chosen { nordic,pm-ext-flash = &flash_x; }; };\n"},
        {"sysbuild/mcuboot.overlay", "/ { chosen { nordic,pm-ext-flash = &flash_x; }; };\n"}};
    EXPECT_EQ(said_for(files, "my_board/nrf9160/ns"), Said{});
    append(files, "sysbuild/mcuboot.overlay", "&flash_x { status = \"disabled\"; };\n");
    EXPECT_EQ(said_for(files, "my_board/nrf9160/ns"), Said{"error flash-node-disabled-in-mcuboot"});
}

TEST(SourceTree, AnUnencryptedExternalSlotCanBeReadWithAClip) {
    auto files = good_source();
    const auto plain = must_check(files);
    const auto* note = find(plain, "external-image-readable");
    ASSERT_NE(note, nullptr);
    EXPECT_EQ(note->severity, Severity::note);
    append(files, "sysbuild/mcuboot.conf", "CONFIG_BOOT_ENCRYPT_IMAGE=y\n");
    EXPECT_EQ(find(must_check(files), "external-image-readable"), nullptr);
    EXPECT_EQ(find(must_check({{"prj.conf", "CONFIG_GPIO=y\n"}}), "external-image-readable"), nullptr);
}

TEST(BuildTree, FilesTooLongToReadAreSaidNotSkipped) {
    auto files = good_build();
    files["merged.hex"].append(9U << 20, '\n');
    files["sensor_node/build.ninja"].append(17U << 20, '\n');
    EXPECT_EQ(said(must_check(files)), (Said{"note merged-hex-has-external", "note stale-signing-parameters"}));
}

/// The layouts of projects that worked, and of one that did not, as their builds left them.
Said said_of_layout(const std::string& partitions, const std::string& sdk = "3.1.0") {
    auto files = good_build();
    files["partitions.yml"] = partitions;
    files["sensor_node/zephyr/include/generated/ncs_version.h"] = "#define NCS_VERSION_STRING \"" + sdk + "\"\n";
    files.erase("sensor_node/build.ninja");  // of another layout
    return said(must_check(files));
}

TEST(SampleLayouts, ExternalSecondaryOfNcs20) {
    EXPECT_EQ(said_of_layout("mcuboot: {address: 0x0, size: 0xc000}\nEMPTY_0: {address: 0xc000, size: 0x4000}\n"
                             "mcuboot_primary: {address: 0x10000, size: 0xe8000, span: [tfm_secure, app]}\n"
                             "tfm_secure: {address: 0x10000, size: 0xc200, span: [mcuboot_pad, tfm]}\n"
                             "mcuboot_pad: {address: 0x10000, size: 0x200}\ntfm: {address: 0x10200, size: 0xc000}\n"
                             "app: {address: 0x1c200, size: 0xdbe00}\n"
                             "nonsecure_storage: {address: 0xf8000, size: 0x8000, span: [settings_storage]}\n"
                             "settings_storage: {address: 0xf8000, size: 0x2000}\n"
                             "mcuboot_secondary: {address: 0x0, size: 0xe8000, region: external_flash}\n"
                             "external_flash: {address: 0xe8000, size: 0x718000, region: external_flash}\n",
                             "2.0.0"),
              (Said{"note push-restart-bug", "warning tfm-protects-secondary"}));  // both true of every 2.0
}

TEST(SampleLayouts, ThingyWithImmutableBootloader) {
    auto files = good_build();
    const auto* board = Boards::built_in().find("thingy91x");
    files["partitions.yml"] = board->source.substr(board->source.find("partitions: |\n") + 14);
    files["build_info.yml"] = "cmake:\n  board:\n    name: thingy91x\n    qualifiers: nrf9151/ns\n";
    for (const char* image : {"sensor_node", "mcuboot"})
        files[std::string(image) + "/zephyr/zephyr.dts"] = board->devicetree;
    files.erase("sensor_node/build.ninja");
    append(files, "mcuboot/zephyr/.config", "CONFIG_BOOT_MAX_IMG_SECTORS=512\n");
    const auto found = said(must_check(files));
    EXPECT_EQ(found, Said{"warning flash-stuck-after-warm-reset"});  // a 32 MiB part in 4-byte mode: true of this board
}

TEST(SampleLayouts, InternalOnlyByDevicetree) {
    auto files = good_build();
    files.erase("partitions.yml");
    for (const char* image : {"sensor_node", "mcuboot"})
        files[std::string(image) + "/zephyr/zephyr.dts"] =
            "/ { soc { flash0: flash@0 { compatible = \"soc-nv-flash\"; reg = <0 0x100000>; write-block-size = <4>;\n"
            "  partitions { compatible = \"fixed-partitions\"; boot_partition: partition@0 { reg = <0 0x10000>; };\n"
            "  slot0_partition: partition@10000 { reg = <0x10000 0x70000>; };\n"
            "  slot1_partition: partition@80000 { reg = <0x80000 0x70000>; };\n"
            "  storage_partition: partition@f0000 { reg = <0xf0000 0x10000>; }; }; }; }; };\n";
    EXPECT_EQ(said(must_check(files)), Said{});
}

TEST(SampleLayouts, DynamicOfNcs3) {
    EXPECT_EQ(said_of_layout("mcuboot: {address: 0x0, size: 0xd000}\nEMPTY_0: {address: 0xd000, size: 0x3000}\n"
                             "mcuboot_primary: {address: 0x10000, size: 0xe8000, span: [mcuboot_pad, tfm, app]}\n"
                             "mcuboot_pad: {address: 0x10000, size: 0x200}\ntfm: {address: 0x10200, size: 0x7e00}\n"
                             "tfm_nonsecure: {address: 0x18000, size: 0xe0000, span: [app]}\n"
                             "app: {address: 0x18000, size: 0xe0000}\n"
                             "nonsecure_storage: {address: 0xf8000, size: 0x8000, span: [settings_storage]}\n"
                             "settings_storage: {address: 0xf8000, size: 0x8000}\n"
                             "mcuboot_secondary: {address: 0x0, size: 0xe8000, region: external_flash}\n"
                             "external_flash: {address: 0xe8000, size: 0x718000, region: external_flash}\n"),
              Said{});
}

TEST(SampleLayouts, OnlyTheModemsImageInExternalFlash) {
    auto files = good_build();
    files.erase("partitions.yml");
    for (const char* image : {"sensor_node", "mcuboot"})
        append(
            files, std::string(image) + "/zephyr/zephyr.dts",
            "/ { soc { flash0: flash@0 { compatible = \"soc-nv-flash\"; reg = <0 0x100000>; write-block-size = <4>;\n"
            "  partitions { compatible = \"fixed-partitions\"; boot_partition: partition@0 { reg = <0 0x10000>; };\n"
            "  slot0_partition: partition@10000 { reg = <0x10000 0x70000>; };\n"
            "  slot1_partition: partition@80000 { reg = <0x80000 0x70000>; };\n"
            "  storage_partition: partition@f0000 { reg = <0xf0000 0x10000>; }; }; }; }; };\n"
            "&mx25r64 { partitions { compatible = \"fixed-partitions\";\n"
            "  fmfu_storage: partition@0 { reg = <0x0 0x100000>; }; }; };\n");
    EXPECT_EQ(said(must_check(files)), Said{});
}

TEST(SampleLayouts, TheOneThatDidNotBoot) {
    const auto found = said_of_layout(
        "mcuboot: {address: 0x0, size: 0x10000}\n"
        "mcuboot_primary: {address: 0x10000, size: 0xe8000, span: [mcuboot_pad, tfm, app]}\n"
        "mcuboot_pad: {address: 0x10000, size: 0x200}\ntfm: {address: 0x10200, size: 0x7e00}\n"
        "app: {address: 0x18000, size: 0xe0000}\n"
        "mcuboot_secondary: {address: 0x0, size: 0x70000, region: external_flash}\n"
        "external_flash: {address: 0x0, size: 0x800000, region: external_flash}\n",
        "2.0.2");
    EXPECT_TRUE(found.contains("error external-flash-placeholder-overlap"));
    EXPECT_TRUE(found.contains("error slot-sizes-differ"));
}

}  // namespace
}  // namespace fota::layout::testing
