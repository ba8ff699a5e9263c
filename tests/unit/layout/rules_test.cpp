// The rules that need an image, the part that is fitted, a log or what is in the field; and the catalogue as a whole.
#include "unit/layout/rule_cases.hpp"

namespace fota::layout::testing {
namespace {

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
             append(f, "mcuboot/zephyr/.config", "CONFIG_MCUBOOT_DOWNGRADE_PREVENTION=y\n");
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
