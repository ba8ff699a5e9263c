// Reading trees: what is a project, which board, which files count; the thread's project; bad bytes in place of any
// file.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "layout/memory_map.hpp"
#include "unit/layout/trees.hpp"

namespace fota::layout::testing {
namespace {

using Said = std::multiset<std::string>;

TEST(Thread, BothCausesFirstWithFileLineAndFix) {
    const auto report = must_check(load(TEST_DATA_DIR "/layout/thread"));
    EXPECT_EQ(report.description,
              "nRF9160-DK @1.0.0 (nrf9160/ns) · nRF Connect SDK sources · MCUboot secondary in external flash");
    ASSERT_GE(report.findings.size(), 3u);
    EXPECT_EQ(report.findings[0].rule, "qspi-driver-on-spi-flash");
    EXPECT_EQ(report.findings[0].where.file, "prj.conf");
    EXPECT_EQ(report.findings[0].where.line, 31u);
    EXPECT_NE(report.findings[0].message.find("MX25R6435F, node mx25r64) sits on spi3"), std::string::npos)
        << report.findings[0].message;
    EXPECT_EQ(report.findings[1].rule, "mcuboot-spi-nor-disabled");
    EXPECT_EQ(report.findings[1].where.file, "sysbuild/mcuboot.conf");
    EXPECT_EQ(report.findings[1].where.line, 1u);
    EXPECT_EQ(report.findings[1].found, "neither");
    EXPECT_NE(report.findings[1].fix.find("\n  CONFIG_SPI_NOR=y"), std::string::npos);
    EXPECT_EQ(report.findings[2].rule, "max-img-sectors-too-small");
    EXPECT_EQ(report.count(Severity::error), 3u);
}

TEST(Thread, TheFixedProjectPasses) {
    EXPECT_EQ(said(must_check(good_source())), Said{"note static-layout-in-use"});
}

/// The sources at the place that the build's build_info.yml names.
Files sources_of_the_build() {
    Files out;
    for (auto& [path, text] : load(TEST_DATA_DIR "/layout/thread")) out["ws/sensor-node/" + path] = std::move(text);
    return out;
}

TEST(Thread, ItsBuildTreeHasBothCausesFirst) {
    const MemoryFileTree everything(sources_of_the_build());
    Inputs inputs;
    inputs.absolute = &everything;
    const auto files = load(TEST_DATA_DIR "/layout/thread-build");
    const auto report = must_check(files, inputs);
    EXPECT_EQ(report.description,
              "nRF9160-DK @1.0.0 (nrf9160/ns) · nRF Connect SDK 3.1.0 build · MCUboot secondary in external flash");
    ASSERT_EQ(said(report), (Said{"error qspi-driver-on-spi-flash", "error mcuboot-spi-nor-disabled",
                                  "error undefined-device-ord", "error max-img-sectors-too-small"}));
    EXPECT_EQ(report.findings[0].rule, "qspi-driver-on-spi-flash");
    EXPECT_EQ(report.findings[0].where.file, "/ws/sensor-node/prj.conf");  // Kconfig dropped it from .config
    EXPECT_EQ(report.findings[0].where.line, 31u);
    EXPECT_NE(report.findings[0].message.find("(MX25R6435F, node mx25r64) sits on spi3: the nRF9160 has no QSPI"),
              std::string::npos)
        << report.findings[0].message;
    EXPECT_EQ(report.findings[0].fix, "remove the line; CONFIG_SPI=y and CONFIG_SPI_NOR=y are there already");
    EXPECT_EQ(report.findings[1].rule, "mcuboot-spi-nor-disabled");
    EXPECT_EQ(report.findings[1].where.file, "mcuboot/zephyr/.config");
    EXPECT_EQ(report.findings[1].where.line, 39u);
    EXPECT_NE(report.findings[1].message.find("calls the good primary image invalid"), std::string::npos);
    EXPECT_TRUE(report.findings[1].fix.starts_with("add to sysbuild/mcuboot.conf:\n  CONFIG_SPI=y\n"))
        << report.findings[1].fix;
}

TEST(Thread, TheBuildAloneStillHasMcubootsCauseFirst) {
    // A CI step that has the build and not the sources: what the sources asked for cannot be seen.
    const auto report = must_check(load(TEST_DATA_DIR "/layout/thread-build"));
    ASSERT_FALSE(report.findings.empty());
    EXPECT_EQ(report.findings[0].rule, "mcuboot-spi-nor-disabled");
    EXPECT_EQ(find(report, "qspi-driver-on-spi-flash"), nullptr);
    // Not found is not ruled out: .config never shows what Kconfig dropped.
    EXPECT_EQ(std::ranges::find(report.clean, "qspi-driver-on-spi-flash"), report.clean.end());
    const MemoryFileTree everything(sources_of_the_build());
    Inputs inputs;
    inputs.absolute = &everything;
    EXPECT_EQ(report.counts.need_source,
              must_check(load(TEST_DATA_DIR "/layout/thread-build"), inputs).counts.need_source + 1);
}

TEST(Thread, TheBuildOfTheFixedProjectPasses) {
    auto files = load(TEST_DATA_DIR "/layout/thread-build");
    replace(files, "mcuboot/zephyr/.config", "# CONFIG_SPI is not set\n",
            "CONFIG_SPI=y\nCONFIG_SPI_NRFX_RAM_BUFFER_SIZE=32\nCONFIG_SPI_NOR=y\n"
            "CONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096\n");
    replace(files, "mcuboot/zephyr/.config", "SECTORS=128", "SECTORS=256");
    auto sources = sources_of_the_build();
    replace(sources, "ws/sensor-node/prj.conf", "CONFIG_NORDIC_QSPI_NOR=y\n", "");
    const MemoryFileTree everything(sources);
    Inputs inputs;
    inputs.absolute = &everything;
    EXPECT_EQ(said(must_check(files, inputs)), Said{});
}

TEST(Board, Targets) {
    struct {
        const char *text, *board, *revision, *qualifiers;
    } const cases[] = {{"nrf9160dk@1.0.0/nrf9160/ns", "nrf9160dk", "1.0.0", "nrf9160/ns"},
                       {"nrf9160dk/nrf9160@1.0.0/ns", "nrf9160dk", "1.0.0", "nrf9160/ns"},
                       {"nrf9160dk_nrf9160_ns@1_0_0", "nrf9160dk", "1.0.0", "nrf9160/ns"},
                       {"nrf9160dk_nrf9160_ns_0_14_0", "nrf9160dk", "0.14.0", "nrf9160/ns"},
                       {"thingy91x/nrf9151/ns", "thingy91x", "", "nrf9151/ns"},
                       {"circuitdojo_feather_nrf9160_ns", "circuitdojo_feather", "", "nrf9160/ns"},
                       {"my_board_ns", "my_board", "", "ns"}};
    for (const auto& one : cases) {
        const auto target = Boards::built_in().target(one.text);
        ASSERT_TRUE(target) << one.text;
        EXPECT_EQ(target->board, one.board) << one.text;
        EXPECT_EQ(target->revision, one.revision) << one.text;
        EXPECT_EQ(target->qualifiers, one.qualifiers) << one.text;
    }
    EXPECT_FALSE(Boards::built_in().target("a b"));
    EXPECT_FALSE(Boards::built_in().target(""));
    EXPECT_EQ(Boards::built_in().target("nrf9160dk@1.0.0/nrf9160/ns")->file_revision(), "0_14_0");
    EXPECT_EQ(Boards::built_in().target("nrf9160dk@1.0.0/nrf9160/ns")->stem(true), "nrf9160dk_nrf9160");
}

TEST(Board, FoundInEachPlaceATreeNamesIt) {
    const auto board_of = [](const Files& files) {
        const MemoryFileTree tree(files);
        const auto project = read_project(tree, "");
        return project && project->board ? project->board->board + "@" + project->board->revision : std::string("none");
    };
    EXPECT_EQ(board_of({{"prj.conf", ""}, {"boards/nrf9161dk_nrf9161_ns.conf", ""}}), "nrf9161dk@");
    EXPECT_EQ(board_of({{"prj.conf", ""},
                        {"boards/nrf9160dk_nrf9160_ns_0_14_0.overlay", ""},
                        {"boards/nrf9160dk_nrf9160_ns.conf", ""}}),
              "nrf9160dk@");
    EXPECT_EQ(board_of({{"prj.conf", ""}, {"CMakeLists.txt", "set(BOARD nrf9151dk/nrf9151/ns)\n"}}), "nrf9151dk@");
    EXPECT_EQ(
        board_of({{"prj.conf", ""}, {"sample.yaml", "tests:\n  a:\n    platform_allow: nrf9160dk@1.0.0/nrf9160/ns\n"}}),
        "nrf9160dk@1.0.0");
    EXPECT_EQ(board_of({{"prj.conf", "CONFIG_NRF_MODEM_LIB=y\n"}, {"app.overlay", "&mx25r64 { };"}}), "nrf9160dk@");
    EXPECT_EQ(
        board_of(
            {{"prj.conf", ""}, {"boards/nrf9161dk_nrf9161_ns.conf", ""}, {"boards/nrf9160dk_nrf9160_ns.conf", ""}}),
        "none");
    EXPECT_EQ(board_of({{"prj.conf", ""}}), "none");
}

TEST(Board, WithoutOneTheRulesThatNeedItAreCounted) {
    auto files = good_source();
    files.erase("CMakePresets.json");
    files["app.overlay"] = files["boards/nrf9160dk_nrf9160_ns.overlay"];
    files.erase("boards/nrf9160dk_nrf9160_ns.overlay");
    replace(files, "prj.conf", "CONFIG_NRF_MODEM_LIB=y", "");
    EXPECT_GT(must_check(files).counts.need_board, 0u);
    Inputs inputs;
    inputs.board = "nrf9160dk@1.0.0/nrf9160/ns";
    EXPECT_EQ(must_check(files, inputs).counts.need_board, 0u);
}

TEST(Board, SeveralAreNamedRatherThanGuessed) {
    const auto report = must_check(
        {{"prj.conf", ""}, {"boards/nrf9161dk_nrf9161_ns.conf", ""}, {"boards/nrf9160dk_nrf9160_ns.conf", ""}});
    EXPECT_EQ(report.description,
              "board unknown (the tree names nrf9160dk, nrf9161dk: choose with --board) · nRF Connect SDK sources");
}

TEST(SourceTree, WithoutAStaticLayoutTheSlotsNeedABuild) {
    auto files = good_source();
    files.erase("pm_static.yml");
    const auto report = must_check(files);
    EXPECT_FALSE(report.slots);
    EXPECT_EQ(said(report), Said{});
    EXPECT_GT(report.counts.need_build, must_check(good_source()).counts.need_build);
}

TEST(SourceTree, APrjConfOfMcubootReplacesAndAConfFileExtends) {
    auto files = good_source();
    files["sysbuild/mcuboot/prj.conf"] = files["sysbuild/mcuboot.conf"];
    files.erase("sysbuild/mcuboot.conf");
    EXPECT_EQ(said(must_check(files)), Said{"note static-layout-in-use"});
    replace(files, "sysbuild/mcuboot/prj.conf", "CONFIG_SPI=y\n", "");
    const auto report = must_check(files);
    ASSERT_NE(find(report, "mcuboot-spi-nor-disabled"), nullptr);
    EXPECT_EQ(find(report, "mcuboot-spi-nor-disabled")->where.file, "sysbuild/mcuboot/prj.conf");
}

TEST(SourceTree, MultiImageBuildsBeforeSysbuild) {
    auto files = good_source();
    for (const char* ending : {"conf", "overlay"}) {
        files[std::string("child_image/mcuboot.") + ending] = files[std::string("sysbuild/mcuboot.") + ending];
        files.erase(std::string("sysbuild/mcuboot.") + ending);
    }
    files.erase("sysbuild.conf");
    append(files, "prj.conf", "CONFIG_BOOTLOADER_MCUBOOT=y\nCONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY=y\n");
    EXPECT_EQ(said(must_check(files)), Said{"note static-layout-in-use"});
    replace(files, "child_image/mcuboot.conf", "CONFIG_SPI=y\n", "");
    EXPECT_NE(find(must_check(files), "mcuboot-spi-nor-disabled"), nullptr);
}

TEST(SourceTree, ACorrectQspiBoardPasses) {
    Files files{{"prj.conf", "CONFIG_NORDIC_QSPI_NOR=y\nCONFIG_NORDIC_QSPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096\n"},
                {"sysbuild.conf",
                 "SB_CONFIG_BOOTLOADER_MCUBOOT=y\nSB_CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY=y\n"
                 "SB_CONFIG_BOOT_SIGNATURE_KEY_FILE=\"/k.pem\"\n"},
                {"sysbuild/mcuboot.conf",
                 "CONFIG_NORDIC_QSPI_NOR=y\nCONFIG_NORDIC_QSPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096\nCONFIG_BOOT_MAX_IMG_"
                 "SECTORS=512\n"},
                {"sysbuild/mcuboot.overlay", "/ { chosen { nordic,pm-ext-flash = &mx25r64; }; };"},
                {"app.overlay", "/ { chosen { nordic,pm-ext-flash = &mx25r64; }; };"}};
    Inputs inputs;
    inputs.board = "nrf5340dk/nrf5340/cpuapp";
    EXPECT_EQ(said(must_check(files, inputs)), Said{});

    // As the academy's solution has it: the SDK's own default for this driver is a page of 4096.
    auto by_default = files;
    for (const char* file : {"prj.conf", "sysbuild/mcuboot.conf"})
        replace(by_default, file, "CONFIG_NORDIC_QSPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096\n", "");
    EXPECT_EQ(said(must_check(by_default, inputs)), Said{});
    replace(files, "sysbuild/mcuboot.conf", "PAGE_SIZE=4096", "PAGE_SIZE=65536");
    EXPECT_EQ(said(must_check(files, inputs)), Said{"error spi-nor-page-size-not-4096"});
}

TEST(BuildTree, RegionsSayHowLargeTheMemoriesAre) {
    auto files = good_build();
    replace(files, "build_info.yml", "nrf9160dk", "my_board");
    for (const char* file : {"sensor_node/zephyr/zephyr.dts", "mcuboot/zephyr/zephyr.dts"})
        replace(files, file, "size = < 0x4000000 >;", "");
    append(files, "partitions.yml", "ram: {address: 0x20000000, size: 0x80000, region: sram_primary}\n");
    const std::string regions =
        "external_flash: {base_address: 0x0, size: 0x400000, placement_strategy: start_to_end}\n"
        "flash_primary: {base_address: 0x0, size: 0x80000}\n"
        "sram_primary: {base_address: 0x20000000, size: 0x100000, unknown: key}\notp: {base_address: 0xff8108}\n";
    EXPECT_EQ(said(must_check(files)), Said{});
    files["regions.yml"] = regions;
    const auto beyond = must_check(files);
    EXPECT_EQ(said(beyond), (Said{"error region-exceeds-device", "error region-exceeds-device"}));
    for (const auto& finding : beyond.findings)
        EXPECT_EQ(finding.message.find("devicetree"), std::string::npos) << finding.message;
    auto by_node = good_build();  // where the node does say a size, the message says so
    replace(by_node, "sensor_node/zephyr/zephyr.dts", "size = < 0x4000000 >;", "size = < 0x2000000 >;");
    const auto by_size = must_check(by_node);
    const auto* said_there = find(by_size, "region-exceeds-device");
    ASSERT_NE(said_there, nullptr);
    EXPECT_NE(said_there->message.find("(size / 8 of its devicetree node)"), std::string::npos) << said_there->message;
    const MemoryFileTree tree(files);
    const auto project = read_project(tree, "");
    ASSERT_TRUE(project);
    const auto map = memory_map(*project, nullptr);
    ASSERT_TRUE(map) << map.error().text();
    ASSERT_EQ(map->devices.size(), 3u);
    EXPECT_EQ(map->devices[2].size, 0x100000u);

    replace(files, "regions.yml", "size: 0x100000", "size: 0x100000000");
    const auto report = must_check(files);
    const auto* fault = find(report, "input-unreadable");
    ASSERT_NE(fault, nullptr);
    EXPECT_EQ(fault->where.file, "regions.yml");
    EXPECT_EQ(fault->where.line, 3u);
}

TEST(BuildTree, OldStyleMultiImage) {
    Files files;
    for (auto& [path, text] : good_build()) {
        if (path == "zephyr/.config" || path == "domains.yaml") continue;
        files[path.starts_with("sensor_node/") ? path.substr(12) : path] = text;
    }
    EXPECT_EQ(said(must_check(files)), Said{});
}

TEST(Slots, LimitFitAndKey) {
    const MemoryFileTree tree(good_build());
    const auto project = read_project(tree, "");
    ASSERT_TRUE(project) << project.error().text();
    const auto layout = slots(*project);
    ASSERT_TRUE(layout) << layout.error().text();
    EXPECT_EQ(layout->primary.address, 0x10000u);
    EXPECT_TRUE(layout->secondary.external);
    EXPECT_EQ(image_limit(*layout), 0xe6000u);
    EXPECT_TRUE(fit(*layout, 0xe6000));
    const auto too_large = fit(*layout, 0xe6001);
    ASSERT_FALSE(too_large);
    EXPECT_EQ(too_large.error().code(), Errc::image_too_large);
    EXPECT_EQ(too_large.error().message(),
              "expected at most 942,080 bytes (swap-using-move in slots of 0xe8000 and 0xe8000), found an image of "
              "942,081 bytes");
    const auto key = pinned_key(*project);
    ASSERT_TRUE(key) << key.error().text();
    EXPECT_EQ(key->size(), 91u);
}

TEST(Slots, TheLimitOfEverySwapMode) {
    auto good = good_build();
    good["partitions.yml"] =
        "mcuboot_primary: {address: 0x10000, size: 0x40000}\n"
        "mcuboot_secondary: {address: 0x0, size: 0x40000, region: external_flash}\n";
    replace(good, "mcuboot/zephyr/.config", "SECTORS=256", "SECTORS=128");
    for (const auto& [option, limit] :
         {std::pair{"CONFIG_BOOT_SWAP_USING_MOVE", 253952U}, std::pair{"CONFIG_BOOT_SWAP_USING_OFFSET", 253952U},
          std::pair{"CONFIG_BOOT_SWAP_USING_SCRATCH", 260560U}, std::pair{"CONFIG_BOOT_UPGRADE_ONLY", 262104U}}) {
        auto files = good;
        replace(files, "mcuboot/zephyr/.config", "CONFIG_BOOT_SWAP_USING_MOVE", option);
        const MemoryFileTree tree(files);
        const auto project = read_project(tree, "");
        ASSERT_TRUE(project) << project.error().text();
        const auto layout = slots(*project);
        ASSERT_TRUE(layout) << layout.error().text();
        EXPECT_EQ(image_limit(*layout), limit) << option;
        EXPECT_TRUE(fit(*layout, limit)) << option;
        EXPECT_FALSE(fit(*layout, limit + 1)) << option;
    }
}

TEST(BadInput, NeitherSourceNorBuild) {
    for (const Files& files : {Files{}, Files{{"README", "x"}}}) {
        const auto report = check(MemoryFileTree(files), {});
        ASSERT_FALSE(report);
        EXPECT_EQ(report.error().code(), Errc::file_unreadable);
    }
    const auto binary = check(MemoryFileTree({{"prj.conf", std::string(100, '\0')}}), {});
    ASSERT_FALSE(binary);
    EXPECT_EQ(binary.error().code(), Errc::config_invalid);
}

TEST(BadInput, AnUnreadableFileIsAFindingAndItsRulesAreSkipped) {
    auto files = good_source();
    files["pm_static.yml"] = "mcuboot:\n  address: 0\n  size: 0\n";
    const auto report = must_check(files);
    ASSERT_EQ(said(report), Said{"error input-unreadable"});
    EXPECT_EQ(report.findings[0].where.file, "pm_static.yml");
    EXPECT_EQ(report.findings[0].where.line, 3u);
    EXPECT_GT(report.counts.unreadable, 0u);
}

TEST(BadInput, FindingsAreSafeToPrint) {
    auto files = good_source();
    append(files, "prj.conf", "CONFIG_LWM2M_SECURITY_KEY_SIZE=3\x1b[31m\n");
    replace(files, "sysbuild/mcuboot.conf", "SECTORS=256", "SECTORS=\x1b[31m");
    for (const auto& finding : must_check(files).findings)
        for (const auto* text : {&finding.message, &finding.expected, &finding.found, &finding.fix})
            EXPECT_EQ(text->find('\x1b'), std::string::npos);
}

TEST(BadInput, AnyBytesInPlaceOfAnyFile) {
    const auto seed = std::random_device{}();
    RecordProperty("seed", std::to_string(seed));
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    for (const auto& good : {good_source(), good_build(), load(TEST_DATA_DIR "/layout/thread-build")})
        for (const auto& [path, text] : good)
            for (int round = 0; round < 20; ++round) {
                auto files = good;
                auto& victim = files[path];
                if (victim.empty()) continue;
                switch (round % 4) {
                    case 0:
                        victim.resize(random() % victim.size());
                        break;
                    case 1:
                        victim[random() % victim.size()] = static_cast<char>(random());
                        break;
                    case 2:
                        victim.insert(random() % victim.size(), victim.substr(random() % victim.size(), 40));
                        break;
                    default:
                        for (auto& c : victim) c = static_cast<char>(random());
                }
                (void)check(MemoryFileTree(files), {});
            }
}

}  // namespace
}  // namespace fota::layout::testing
