// Logs, probes, baselines and maps: what is read, what is said, and what hostile bytes do.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "layout/explain.hpp"
#include "layout/explain_advice.hpp"
#include "layout/memory_map.hpp"
#include "tests/support/hex.hpp"
#include "unit/layout/trees.hpp"

namespace fota::layout::testing {
namespace {

constexpr const char* seed_log =
    "*** Booting MCUboot v2.1.0-dev-2b69d93e75bc ***\n*** Using nRF Connect SDK v3.1.0-6c6e5b32496e ***\n"
    "*** Using Zephyr OS v4.1.99-1612683d4010 ***\nI: Starting bootloader\n"
    "W: Cannot upgrade: not a compatible amount of sectors\nE: Image in the primary slot is not valid!\n"
    "E: Unable to find bootable image\n";

TEST(Explain, TheThreadsLogIsALayoutFaultNotAKeyFault) {
    const auto log = read_boot_log(seed_log, "boot.log");
    EXPECT_EQ(log.sdk_version, "3.1.0");
    EXPECT_EQ(log.boots, 1u);
    const auto explained = explain(log, nullptr);
    EXPECT_NE(explained.summary.find("layout fault"), std::string::npos) << explained.summary;
    ASSERT_FALSE(explained.causes.empty());
    EXPECT_EQ(explained.causes.front().rule, "mcuboot-spi-nor-disabled");
    EXPECT_NE(explained.first.find("sysbuild/mcuboot.conf"), std::string::npos) << explained.first;
    ASSERT_GE(explained.lines.size(), 2u);
    EXPECT_EQ(explained.lines[1].line, 6u);
    EXPECT_NE(explained.lines[1].reading.find("not of the key"), std::string::npos) << explained.lines[1].reading;
    const auto key = std::ranges::find(explained.causes, "key-not-in-mcuboot", &Cause::rule);
    ASSERT_NE(key, explained.causes.end());
    EXPECT_EQ(key->standing, Cause::Standing::unlikely);
    EXPECT_GT(key - explained.causes.begin(), 3);
}

TEST(Explain, WithoutASectorWarningTheKeyIsAmongTheFirst) {
    const auto explained = explain(read_boot_log("E: Image in the primary slot is not valid!\n", "l"), nullptr);
    ASSERT_GE(explained.causes.size(), 2u);
    EXPECT_EQ(explained.causes[1].rule, "key-not-in-mcuboot");
    EXPECT_EQ(explained.causes[1].standing, Cause::Standing::possible);
}

TEST(Explain, ATreeConfirmsAndRulesOut) {
    const auto log = read_boot_log(seed_log, "boot.log");
    const auto thread = must_check(load(TEST_DATA_DIR "/layout/thread"));
    const auto explained = explain(log, &thread);
    ASSERT_GE(explained.causes.size(), 3u);
    for (int i = 0; i < 3; ++i) EXPECT_EQ(explained.causes[i].standing, Cause::Standing::confirmed);
    EXPECT_EQ(explained.causes[0].rule, "mcuboot-spi-nor-disabled");
    EXPECT_EQ(explained.causes[0].where.file, "sysbuild/mcuboot.conf");

    const auto good = must_check(good_build());
    const auto other = explain(log, &good);
    EXPECT_TRUE(std::ranges::find(other.causes, "mcuboot-spi-nor-disabled", &Cause::rule) == other.causes.end());
    EXPECT_NE(std::ranges::find(other.ruled_out, "mcuboot-spi-nor-disabled"), other.ruled_out.end());
}

TEST(Explain, ColoursAndTimeStampsDoNotHide) {
    const auto log = read_boot_log(
        "\x1b[1;33m[00:00:00.271,606] <wrn> mcuboot: Cannot upgrade: not same sector layout\x1b[0m\r\n", "l");
    ASSERT_EQ(log.observations.size(), 1u);
    EXPECT_EQ(log.observations[0].sign, Sign::sector_layout_differs);
    EXPECT_EQ(log.observations[0].text.find('\x1b'), std::string::npos);
    EXPECT_TRUE(read_boot_log("nothing to see\n", "l").observations.empty());
}

TEST(Explain, EveryCauseASignNamesIsARuleAndHasAdvice) {
    std::set<std::string_view> names;
    for (const auto& rule : catalogue()) names.insert(rule.name);
    for (const auto& sign : all_sign_advice()) {
        EXPECT_FALSE(sign.reading.empty());
        for (const auto rule : sign.rules) {
            if (rule.empty()) continue;
            EXPECT_TRUE(names.contains(rule)) << rule;
            EXPECT_NE(advice(rule), nullptr) << rule;
        }
    }
}

// The MX25R6435F's basic table, as the nRF9160-DK's devicetree has it in its first 36 bytes, and what JESD216 says of
// it.
const std::string table =
    "e5 20 f1 ff ff ff ff 03 44 eb 08 6b 08 3b 04 bb ee ff ff ff ff ff 00 ff ff ff 00 ff 0c 20 0f 52 10 d8 00 ff";

TEST(Probe, TextOfZephyrsSample) {
    const auto probe =
        parse_probe(as_bytes("jedec-id = [c2 28 17];\nsfdp-bfp = [\n\t" + table + "\n\t];\nstatus: 0x40\n"), "p");
    ASSERT_TRUE(probe) << probe.error().text();
    EXPECT_EQ(probe->id, (flash::JedecId{0xc2, 0x28, 0x17}));
    ASSERT_TRUE(probe->geometry);
    EXPECT_EQ(probe->geometry->size, 8u << 20);
    ASSERT_EQ(probe->geometry->erase.size(), 3u);
    EXPECT_EQ(probe->geometry->erase[0].size, 4096u);
    EXPECT_EQ(probe->geometry->erase[0].opcode, 0x20);
    EXPECT_EQ(probe->protection(), 0u);
    const auto again = parse_probe(as_bytes(to_json(*probe).dump()), "q");
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(again->bfp, probe->bfp);
    EXPECT_EQ(again->id, probe->id);
    EXPECT_EQ(again->status, probe->status);
}

TEST(Probe, OfALiveDevice) {
    const auto both = live_probe(Bytes{0xc2, 0x28, 0x17}, test::hex(table), "p");
    ASSERT_TRUE(both) << both.error().text();
    EXPECT_EQ(both->id, (flash::JedecId{0xc2, 0x28, 0x17}));
    EXPECT_EQ(both->geometry->size, 8u << 20);
    EXPECT_TRUE(live_probe(Bytes{0xef, 0x40, 0x16}, {}, "p"));
    for (const auto& [id, bfp] : {std::pair(Bytes{}, Bytes{}), std::pair(Bytes{0xc2, 0x28}, Bytes{}),
                                  std::pair(Bytes{0xc2, 0x28, 0x17, 0}, Bytes{}), std::pair(Bytes{}, Bytes{1, 2, 3}),
                                  std::pair(Bytes{}, Bytes(1 << 20, 0xff))}) {
        const auto refused = live_probe(id, bfp, "p");
        ASSERT_FALSE(refused) << id.size() << " bytes of id, " << bfp.size() << " of table";
        EXPECT_EQ(refused.error().text().rfind("expected", 0), 0u) << refused.error().text();
    }
}

TEST(Probe, BinaryDumpAndShellDump) {
    Bytes dump{'S', 'F', 'D', 'P', 6, 1, 0, 0xff, 0, 6, 1, 9, 0x10, 0, 0, 0xff};
    fota::append(dump, test::hex(table));
    const auto binary = parse_probe(dump, "p");
    ASSERT_TRUE(binary) << binary.error().text();
    EXPECT_EQ(binary->geometry->size, 8u << 20);
    std::string shell;
    for (std::size_t at = 0; at < dump.size(); at += 16) {
        char head[32];
        std::snprintf(head, sizeof head, "%08zx: ", at);
        shell += head;
        for (std::size_t i = at; i < std::min(at + 16, dump.size()); ++i) shell += to_hex({&dump[i], 1}) + " ";
        shell += "|SFDP............|\n";
    }
    const auto text = parse_probe(as_bytes("uart:~$ flash read\n" + shell), "p");
    ASSERT_TRUE(text) << text.error().text();
    EXPECT_EQ(text->bfp, binary->bfp);
}

TEST(Probe, BadRecordingsAreOneSentence) {
    for (const std::string text : {"", "hello", "SFDP", "sfdp-bfp = [ 00 11 ];", "{\"format\":\"x\"}",
                                   "{\"format\":\"fotactl-probe/1\",\"jedec_id\":\"zz\"}"}) {
        const auto probe = parse_probe(as_bytes(text), "p");
        ASSERT_FALSE(probe) << text;
        EXPECT_EQ(probe.error().code(), Errc::message_malformed);
    }
}

TEST(BaselineFile, ThereAndBackAndNoDrift) {
    const MemoryFileTree tree(good_build());
    const auto project = read_project(tree, "");
    ASSERT_TRUE(project);
    const auto taken = snapshot(*project, nullptr);
    ASSERT_TRUE(taken) << taken.error().text();
    const auto again = parse_baseline(to_json(*taken).dump(), "b.json");
    ASSERT_TRUE(again) << again.error().text();
    EXPECT_EQ(to_json(*again), to_json(*taken));
    EXPECT_EQ(again->board, "nrf9160dk@1.0.0/nrf9160/ns");
    EXPECT_EQ(again->key_hash.size(), 32u);
    EXPECT_TRUE(drift(*again, *taken).empty());
}

TEST(BaselineFile, BadOnesAreRefused) {
    const MemoryFileTree tree(good_build());
    const auto project = read_project(tree, "");
    const auto good = to_json(*snapshot(*project, nullptr));
    for (const char* key : {"format", "mode", "max_sectors", "slots"}) {
        auto bad = good;
        bad.erase(key);
        EXPECT_FALSE(parse_baseline(bad.dump(), "b")) << key;
    }
    auto bad = good;
    bad["slots"]["primary"]["size"] = -1;
    EXPECT_FALSE(parse_baseline(bad.dump(), "b"));
    bad["slots"]["primary"]["size"] = 1ULL << 40;
    EXPECT_FALSE(parse_baseline(bad.dump(), "b"));
    EXPECT_FALSE(parse_baseline("[]", "b"));
    EXPECT_FALSE(parse_baseline("", "b"));
}

TEST(Map, CoversBothFlashesWithoutGaps) {
    const MemoryFileTree tree(good_build());
    const auto project = read_project(tree, "");
    const auto map = memory_map(*project, nullptr);
    ASSERT_TRUE(map) << map.error().text();
    ASSERT_EQ(map->devices.size(), 2u);
    EXPECT_EQ(map->devices[0].size, 0x100000u);
    EXPECT_EQ(map->devices[1].size, 0x800000u);
    EXPECT_EQ(map->devices[1].free(), 0x718000u);
    for (const auto& device : map->devices) {
        std::uint64_t at = 0;
        for (const auto& area : device.areas) {
            EXPECT_EQ(area.address, at) << area.name;
            at = area.end();
        }
        EXPECT_EQ(at, device.size);
    }
    const auto primary = std::ranges::find(map->devices[0].areas, "mcuboot_primary", &Area::name);
    ASSERT_NE(primary, map->devices[0].areas.end());
    EXPECT_EQ(primary->limit, 0xe6000u);
    ASSERT_EQ(primary->parts.size(), 3u);
    EXPECT_EQ(primary->parts[1].name, "tfm");
    const auto svg = render_svg(*map);
    EXPECT_TRUE(svg.starts_with("<svg "));
    EXPECT_NE(svg.find(">mcuboot_secondary<"), std::string::npos);
    EXPECT_FALSE(memory_map(*read_project(MemoryFileTree(Files{{"prj.conf", ""}}), ""), nullptr));
}

TEST(Map, NamesAreEscapedInSvg) {
    MemoryMap map{"a<b>&\"c\"", {}};
    EXPECT_NE(render_svg(map).find("a&lt;b&gt;&amp;&quot;c&quot;"), std::string::npos);
}

TEST(Map, NarrowColumnsKeepTheirTexts) {
    MappedDevice device;
    device.title = "external flash GD25LE255E (spi3, CS P0.12)";
    device.size = 0x2000000;
    device.areas.resize(1);
    device.areas[0].name = "mcuboot_secondary";
    device.areas[0].size = device.size;
    device.areas[0].note = "pairs with mcuboot_primary: swap-using-move";
    const auto wide = render_svg({"map", {device}});
    EXPECT_NE(wide.find(">external flash GD25LE255E (spi3, CS P0.12)<"), std::string::npos);
    EXPECT_NE(wide.find(">pairs with mcuboot_primary: swap-using-move<"), std::string::npos);
    const auto narrow = render_svg({"map", {device, device, device}});
    EXPECT_NE(narrow.find(">external flash GD25LE255E<"), std::string::npos);
    EXPECT_NE(narrow.find(">spi3, CS P0.12 · 32 MiB"), std::string::npos);
    EXPECT_NE(narrow.find(">swap-using-move<"), std::string::npos);
    EXPECT_EQ(narrow.find("…"), std::string::npos);
}

TEST(Limits, OfEveryMode) {
    SlotLayout layout;
    layout.primary.size = layout.secondary.size = 256U << 10;
    const auto limit = [&](fota_boot_mode mode) {
        layout.mode = mode;
        return image_limit(layout);
    };
    EXPECT_EQ(limit(FOTA_BOOT_MOVE), 253'952u);
    EXPECT_EQ(limit(FOTA_BOOT_OFFSET), 253'952u);
    EXPECT_EQ(limit(FOTA_BOOT_SCRATCH), 260'560u);
    EXPECT_EQ(limit(FOTA_BOOT_OVERWRITE), 262'104u);
}

}  // namespace
}  // namespace fota::layout::testing
