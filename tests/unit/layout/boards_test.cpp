// Board files: those built in, a user's own, and what their names, revisions and faults come to.
#include <gtest/gtest.h>

#include "layout/board.hpp"
#include "layout/kconfig_defaults.hpp"

namespace fota::layout {
namespace {

TEST(BoardFiles, EveryBoardThatIsPromisedIsBuiltIn) {
    const auto& boards = Boards::built_in();
    struct {
        const char *name, *title, *flash, *bus;
    } const cases[] = {{"nrf9160dk", "nRF9160-DK", "MX25R6435F", "spi3"},
                       {"nrf9161dk", "nRF9161-DK", "GD25WB256E3IR", "spi3"},
                       {"nrf9151dk", "nRF9151-DK", "GD25WB256E3IR", "spi3"},
                       {"thingy91", "Thingy:91", "", ""},
                       {"thingy91x", "Thingy:91 X", "GD25LE255E", "spi3"},
                       {"circuitdojo_feather", "Circuit Dojo nRF9160 Feather", "W25Q32JV", "spi3"},
                       {"nrf5340dk", "nRF5340-DK", "MX25R6435F", "qspi"}};
    for (const auto& one : cases) {
        const auto* board = boards.find(one.name);
        ASSERT_NE(board, nullptr) << one.name;
        EXPECT_EQ(board->title, one.title);
        EXPECT_EQ(board->flash_name, one.flash);
        EXPECT_EQ(board->flash_bus, one.bus);
    }
    EXPECT_EQ(boards.all().size(), std::size(cases));
}

TEST(BoardFiles, RevisionsAreMatchedDownwards) {
    const auto own = [](const char* target) { return Boards::built_in().target(target)->file_revision(); };
    EXPECT_EQ(own("nrf9160dk@1.0.0/nrf9160/ns"), "0_14_0");
    EXPECT_EQ(own("nrf9160dk@0.14.0/nrf9160/ns"), "0_14_0");
    EXPECT_EQ(own("nrf9160dk@0.13.9/nrf9160/ns"), "0_7_0");
    EXPECT_EQ(own("nrf9160dk@0.9.0/nrf9160/ns"), "0_7_0");
    EXPECT_EQ(own("nrf9160dk/nrf9160/ns"), "0_14_0");  // the default
    EXPECT_EQ(own("nrf9161dk@1.0.0/nrf9161/ns"), "0_9_0");
    EXPECT_EQ(own("nrf9161dk@0.8.0/nrf9161/ns"), "0_7_0");
    EXPECT_EQ(own("thingy91x/nrf9151/ns"), "");
    EXPECT_EQ(own("my_board@2.0.0/soc"), "2_0_0");  // unknown: as it was given
}

TEST(BoardFiles, NamesFromBeforeTheHardwareModel) {
    struct {
        const char *text, *board, *qualifiers, *revision;
    } const cases[] = {{"nrf9160_pca10090ns", "nrf9160dk", "nrf9160/ns", ""},
                       {"nrf9160_pca10090", "nrf9160dk", "", ""},
                       {"nrf9160dk_nrf9160ns", "nrf9160dk", "nrf9160/ns", ""},
                       {"thingy91_nrf9160ns", "thingy91", "nrf9160/ns", ""},
                       {"thingy91x_nrf9151_ns", "thingy91x", "nrf9151/ns", ""},
                       {"nrf9160dk_nrf9160_ns_0_14_0", "nrf9160dk", "nrf9160/ns", "0.14.0"},
                       {"circuitdojo_feather_nrf9160ns", "circuitdojo_feather", "nrf9160/ns", ""}};
    for (const auto& one : cases) {
        const auto target = Boards::built_in().target(one.text);
        ASSERT_TRUE(target) << one.text;
        EXPECT_EQ(target->board, one.board) << one.text;
        EXPECT_EQ(target->qualifiers, one.qualifiers) << one.text;
        EXPECT_EQ(target->revision, one.revision) << one.text;
    }
    EXPECT_EQ(Boards::built_in().target("nrf9160dk_nrf52840")->board, "nrf9160dk_nrf52840");
}

TEST(BoardFiles, AUserAddsOneAndReplacesOne) {
    auto boards = Boards::built_in();
    const auto before = boards.all().size();
    ASSERT_TRUE(
        boards.add("name: sensor_board\nsoc: nrf9160\nrevisions: [2.0.0, 1.0.0]\nflash:\n  label: ext\n  bus: spi2\n"
                   "  chip_select: P0.05\n  since: 2.0.0\n  max_frequency_hz: 4000000\n",
                   "/boards/sensor.yaml"));
    ASSERT_TRUE(boards.add("name: nrf9160dk\nsoc: nrf9160\ntitle: my DK\n", "/boards/dk.yaml"));
    EXPECT_EQ(boards.all().size(), before + 1);
    const auto* mine = boards.find("sensor_board");
    ASSERT_NE(mine, nullptr);
    EXPECT_EQ(mine->title, "sensor_board");
    EXPECT_EQ(mine->flash_place, "spi2, CS P0.05");
    EXPECT_EQ(mine->max_spi_hz, 4'000'000u);
    EXPECT_EQ(mine->own_revision("1.5.0"), "1.0.0");
    EXPECT_EQ(mine->origin, "/boards/sensor.yaml");
    EXPECT_EQ(boards.find("nrf9160dk")->title, "my DK");
    EXPECT_EQ(Boards::built_in().find("nrf9160dk")->title, "nRF9160-DK");
    EXPECT_EQ(boards.target("sensor_board@1.5.0/nrf9160/ns")->file_revision(), "1_0_0");
}

TEST(BoardFiles, AFaultNamesFileAndLine) {
    struct {
        const char *text, *message;
    } const cases[] = {
        {"name: a\n", "b.yaml:1: expected soc, found none"},
        {"soc: nrf9160\n", "b.yaml:1: expected name, found none"},
        {"name: a b\nsoc: x\n", "b.yaml:1: expected a name of letters, digits, _ and -"},
        {"- a\n", "b.yaml:1: expected keys and values, found none"},
        {"name: a\nsoc: x\nflahs: {label: f}\n",
         "b.yaml:3: expected a key of a board file, found flahs (did you mean flash?)"},
        {"name: a\nsoc: x\nflash:\n  part: y\n", "b.yaml:4: expected label, found none"},
        {"name: a\nsoc: x\nspu_block: 0\n", "b.yaml:3: expected a number from 1 to 32 bits for spu_block, found 0"},
        {"name: a\nsoc: x\nrevisions: 1.0\n", "b.yaml:3: expected a list for revisions"},
        {"name: a\nsoc: x\ndefault_revision: new\n",
         "b.yaml:3: expected a revision such as 0.14.0 for default_revision, found new"},
    };
    for (const auto& one : cases) {
        Boards boards;
        const auto added = boards.add(one.text, "b.yaml");
        ASSERT_FALSE(added) << one.text;
        EXPECT_EQ(added.error().code(), Errc::config_invalid);
        EXPECT_EQ(added.error().message(), one.message);
        EXPECT_TRUE(boards.all().empty());
    }
}

TEST(BoardFiles, AFaultInsideABlockNamesTheLineOfTheFile) {
    for (const auto& [text, place] :
         {std::pair{"name: a\nsoc: x\ndevicetree: |\n  / { };\n  / { node { = ; }; };\n", "b.yaml:5: "},
          std::pair{"name: a\nsoc: x\npartitions: |\n  app:\n    address: 0\n    size: 0\n", "b.yaml:6: "},
          std::pair{"name: a\nsoc: [\n", "b.yaml:"}}) {
        Boards boards;
        const auto added = boards.add(text, "b.yaml");
        ASSERT_FALSE(added) << text;
        EXPECT_TRUE(added.error().message().starts_with(place)) << added.error().message();
    }
}

std::string defaults(std::string_view text) {
    const auto values = [](std::string_view name) -> std::optional<std::string> {
        if (name == "YES") return "y";
        if (name == "NO") return "n";
        if (name == "${BOARD_REVISION}") return "0.14.0";
        return std::nullopt;
    };
    const auto read = sysbuild_defaults(text, "Kconfig.sysbuild", values);
    if (!read) return read.error().message();
    std::string out;
    for (const auto& [name, setting] : read->all())
        out += name.substr(10) + "=" + setting.value + ":" + std::to_string(setting.where.line) + " ";
    return out;
}

TEST(SysbuildDefaults, TheFirstThatAppliesIsTaken) {
    EXPECT_EQ(defaults("choice BOOTLOADER\n\tdefault BOOTLOADER_MCUBOOT if !NO\nendchoice\n"),
              "BOOTLOADER_MCUBOOT=y:2 ");
    EXPECT_EQ(defaults("config A\n\tdefault n if NO\n\tdefault y if YES\n\tdefault n\n"), "A=y:3 ");
    EXPECT_EQ(defaults("config A\n\tbool \"text\"\n\tdefault y if NO || YES\n"), "A=y:3 ");
    EXPECT_EQ(defaults("config A\n\tdefault y if YES && \"${BOARD_REVISION}\" != \"0.7.0\" \\\n\t && !(NO)\n"),
              "A=y:2 ");
    EXPECT_EQ(defaults("config A\n\tdefault y if \"${BOARD_REVISION}\" = \"0.7.0\"\n"), "");
    EXPECT_EQ(defaults("if YES\nconfig A\n\tdefault y\nendif # YES\nif NO\nconfig B\n\tdefault y\nendif\n"), "A=y:3 ");
    EXPECT_EQ(defaults("config PARTITION_MANAGER\n\tdefault n\n"), "PARTITION_MANAGER=n:2 ");
    EXPECT_EQ(defaults("config A\nsource \"x\"\n\tdefault y\n"), "");
}

TEST(SysbuildDefaults, WhatIsUnknownDecidesNothing) {
    EXPECT_EQ(defaults("config A\n\tdefault y if WHO\n\tdefault y\n"), "");
    EXPECT_EQ(defaults("config A\n\tdefault y if WHO || YES\n"), "A=y:2 ");
    EXPECT_EQ(defaults("config A\n\tdefault y if WHO && NO\n\tdefault n\n"), "A=n:3 ");
    EXPECT_EQ(defaults("if WHO\nconfig A\n\tdefault y\nendif\n"), "");
    EXPECT_EQ(defaults("config A\n\tdefault y if ((((\n"), "");
    EXPECT_EQ(defaults("config A\n\tdefault y if " + std::string(5000, '!') + "YES\n"), "");
    EXPECT_EQ(defaults("config A\n\tdefault y if " + std::string(5000, '(') + "YES\n"), "");
}

}  // namespace
}  // namespace fota::layout
