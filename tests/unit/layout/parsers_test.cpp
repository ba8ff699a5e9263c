// The pure readers: Kconfig, YAML and partitions, devicetree. Every fact keeps its file and line.
#include <gtest/gtest.h>

#include "layout/devicetree.hpp"
#include "layout/kconfig.hpp"
#include "layout/partitions.hpp"
#include "layout/text.hpp"
#include "layout/yaml.hpp"

namespace fota::layout {
namespace {

TEST(KconfigFile, ValuesLinesAndLastWins) {
    const auto config = Kconfig::parse(
        "# comment\r\nCONFIG_SPI=y\r\nCONFIG_NAME=\"a \\\"b\\\" # c\"\nCONFIG_N=0x10 # sixteen\n"
        "# CONFIG_OFF is not set\nnonsense\nCONFIG_SPI=n",
        "prj.conf");
    ASSERT_TRUE(config) << config.error().text();
    EXPECT_EQ(config->find("CONFIG_SPI")->value, "n");
    EXPECT_EQ(config->find("CONFIG_SPI")->where.line, 7u);
    EXPECT_EQ(config->text("CONFIG_NAME"), "a \"b\" # c");
    EXPECT_EQ(config->number("CONFIG_N", 0), 16u);
    EXPECT_EQ(config->find("CONFIG_OFF")->value, "n");
    EXPECT_EQ(config->find("nonsense"), nullptr);
}

TEST(KconfigFile, OfAChoiceTheLastMemberWins) {
    auto config = Kconfig::parse("CONFIG_SPI_NOR_SFDP_DEVICETREE=y\n", "prj.conf").value();
    config.merge(Kconfig::parse("CONFIG_SPI_NOR_SFDP_MINIMAL=y\n", "boards/a.conf").value());
    EXPECT_TRUE(config.on("CONFIG_SPI_NOR_SFDP_MINIMAL"));
    EXPECT_FALSE(config.on("CONFIG_SPI_NOR_SFDP_DEVICETREE"));
    config.merge(Kconfig::parse("CONFIG_SPI_NOR_SFDP_RUNTIME=n\n", "b.conf").value());
    EXPECT_TRUE(config.on("CONFIG_SPI_NOR_SFDP_MINIMAL"));
}

TEST(KconfigFile, ALineWithoutEndIsRefused) {
    const auto config = Kconfig::parse("CONFIG_A=y\nCONFIG_B=" + std::string(20'000, 'x'), "prj.conf");
    ASSERT_FALSE(config);
    EXPECT_EQ(line_of(config.error()), 2u);
}

TEST(TextFile, ByteOrderMarkIsDroppedAndNulRefused) {
    const MemoryFileTree tree({{"bom",
                                "\xef\xbb\xbf"
                                "CONFIG_A=y"},
                               {"nul", std::string("a\nb\0", 4)}});
    EXPECT_EQ(*read_text(tree, "bom"), "CONFIG_A=y");
    const auto bad = read_text(tree, "nul");
    ASSERT_FALSE(bad);
    EXPECT_EQ(line_of(bad.error()), 2u);
}

TEST(Yaml, AliasesShareAndCyclesAreRefused) {
    const auto shared = parse_yaml("a: &x {k: 1}\nb: *x\n");
    ASSERT_TRUE(shared) << shared.error().text();
    EXPECT_EQ((*shared)->at("b/k")->scalar, "1");
    EXPECT_FALSE(parse_yaml("a: &x [*x]\n"));
}

TEST(Yaml, EndlessAliasesAndDepthCostNothing) {
    std::string bomb = "a0: &a0 [x, x]\n";
    for (int i = 1; i < 30; ++i) {
        const auto last = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last + "," + last + "]\n";
    }
    EXPECT_TRUE(parse_yaml(bomb));  // shared, never expanded
    EXPECT_FALSE(parse_yaml(std::string(100, '[')));
    EXPECT_FALSE(parse_yaml(std::string(300'000, ' ')));
}

TEST(Partitions, KeysLinesAndContainers) {
    const auto table = PartitionTable::parse(
        "app:\r\n  address: 0x18000\r\n  size: 4096\r\nprimary:\r\n  address: 0x10000\r\n"
        "  end_address: 0x20000\r\n  span: [app]\r\n  unknown_key: {a: 1}",
        "pm.yml");
    ASSERT_TRUE(table) << table.error().text();
    EXPECT_EQ(table->find("app")->end(), 0x19000u);
    EXPECT_EQ(table->find("app")->region, "flash_primary");
    EXPECT_EQ(table->find("primary")->where.line, 4u);
    EXPECT_TRUE(table->find("primary")->container);
    EXPECT_EQ(table->find("primary")->size, 0x10000u);
}

TEST(Partitions, ImpossibleValuesNameTheLine) {
    for (const char* text :
         {"a:\n  size: 0\n", "a:\n  size: -4\n", "a:\n  size: 0x100000000\n", "a:\n  size: [1]\n", "a:\n  size: many\n",
          "a: 4\n", "- a\n", "a:\n  address: 0\n  size: 16\n  end_address: 17\n",
          "a:\n  address: 4\n  end_address: 4\n", "a:\n  address: 0xffffffff\n  size: 2\n", "a: {\n"}) {
        const auto table = PartitionTable::parse(text, "pm.yml");
        ASSERT_FALSE(table) << text;
        EXPECT_GT(line_of(table.error()), 0u) << text;
    }
}

Devicetree tree_of(std::string_view text) {
    Devicetree out;
    const auto added = out.add(text, "a.overlay");
    EXPECT_TRUE(added) << added.error().text();
    return out;
}

TEST(DevicetreeFile, OverlayOnABase) {
    auto tree =
        tree_of("/dts-v1/;\n/ { soc { spi3: spi@b000 { flash: mx@1 { status = \"disabled\"; reg = <1>; }; }; }; };\n");
    ASSERT_TRUE(
        tree.add("#include <x.dtsi>\n#define A \\\n  B\n/* c\n */ &flash {\n\tstatus = \"okay\"; // "
                 "on\n\t/delete-property/ reg;\n};\n"
                 "/ { chosen { nordic,pm-ext-flash = &flash; zephyr,code = \"/soc/spi@b000\"; }; };",
                 "b.overlay"));
    const auto* flash = tree.chosen("nordic,pm-ext-flash");
    ASSERT_NE(flash, nullptr);
    EXPECT_EQ(flash->path(), "/soc/spi@b000/mx@1");
    EXPECT_TRUE(flash->okay());
    EXPECT_EQ(flash->find("status")->where.file, "b.overlay");
    EXPECT_EQ(flash->find("status")->where.line, 6u);
    EXPECT_EQ(flash->find("reg"), nullptr);
    EXPECT_EQ(tree.chosen("zephyr,code"), tree.by_label("spi3"));
}

TEST(DevicetreeFile, Values) {
    const auto tree = tree_of(
        "/ { n { a = <1 0x10 &{/n} (1 + 2) DT_SIZE_K(4) MACRO(1, (2))>; b = [c2 2817]; c; d = \"x\", \"y\\\"z\"; "
        "#e-cells = <2>; }; };");
    const auto* node = tree.by_path("/n");
    ASSERT_NE(node, nullptr);
    EXPECT_EQ(node->find("a")->number(1), 16u);
    EXPECT_EQ(node->find("a")->number(2), 4096u);
    EXPECT_EQ(node->find("b")->bytes(), (Bytes{0xc2, 0x28, 0x17}));
    EXPECT_TRUE(node->find("c")->items.empty());
    EXPECT_TRUE(node->find("d")->has_string("y\"z"));
    EXPECT_NE(node->find("#e-cells"), nullptr);
}

TEST(DevicetreeFile, DeletedNodesUnknownLabelsAndLineMarkers) {
    auto tree = tree_of("/ { a: a { b: b { }; }; };\n# 40 \"/src/app.overlay\"\n&elsewhere { x; };\n");
    EXPECT_EQ(tree.by_label("elsewhere")->path(), "&elsewhere");
    EXPECT_EQ(tree.by_label("elsewhere")->find("x")->where.file, "/src/app.overlay");
    EXPECT_EQ(tree.by_label("elsewhere")->find("x")->where.line, 40u);
    ASSERT_TRUE(tree.add("/delete-node/ &a;", "c"));
    EXPECT_EQ(tree.by_label("b"), nullptr);
    EXPECT_EQ(tree.by_path("/a"), nullptr);
}

TEST(DevicetreeFile, FaultsNameTheLineAndDepthIsBounded) {
    for (const char* text : {"\n/ { a = <1; };", "\n/ { ", "\n/* open", "\n& { };", "\n/ { a { } };", "\nx",
                             "\n/ { a = ; };", "\n/ { \"", "\n/ { a = <(((1>; };"}) {
        Devicetree tree;
        const auto added = tree.add(text, "x");
        ASSERT_FALSE(added) << text;
        EXPECT_GE(line_of(added.error()), 2u) << text;
    }
    std::string deep = "/ ";
    for (int i = 0; i < 100'000; ++i) deep += "{ a ";
    Devicetree tree;
    EXPECT_FALSE(tree.add(deep, "x"));
}

TEST(DevicePath, SecureAndNonSecureNameOneDevice) {
    EXPECT_EQ(device_path("/soc/peripheral@40000000/spi@b000"), device_path("/soc/peripheral@50000000/spi@b000"));
}

}  // namespace
}  // namespace fota::layout
