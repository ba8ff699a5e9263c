// A source tree and a build tree in which nothing is wrong, to change one thing at a time.
#pragma once

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <set>
#include <string>

#include "layout/check.hpp"

namespace fota::layout::testing {

using Files = std::map<std::string, std::string>;

inline Files load(const std::filesystem::path& root) {
    Files out;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
        if (!entry.is_regular_file()) continue;
        std::ifstream in(entry.path(), std::ios::binary);
        out[entry.path().lexically_relative(root).string()] = std::string(std::istreambuf_iterator<char>(in), {});
    }
    return out;
}

inline Files good_source() {
    return load(TEST_DATA_DIR "/layout/thread-fixed");
}

inline const std::string flash_node = R"(
/ { soc { peripheral@40000000 { spi3: spi@b000 { compatible = "nordic,nrf-spim"; status = "okay";
      reg = < 0xb000 0x1000 >; pinctrl-0 = < &spi3_default >;
      cs-gpios = < &gpio0 0xa 0x1 >, < &gpio0 0x19 0x1 >;
      mx25r64: mx25r6435f@1 { compatible = "jedec,spi-nor"; reg = < 0x1 >; status = "okay";
        spi-max-frequency = < 0x7a1200 >; jedec-id = [ C2 28 17 ]; size = < 0x4000000 >;
        sfdp-bfp = [ E5 20 F1 FF FF FF FF 03 44 EB 08 6B 08 3B 04 BB ];
        has-dpd; t-exit-dpd = < 0x88b8 >; }; };
      uart0: uart@8000 { compatible = "nordic,nrf-uarte"; status = "okay"; pinctrl-0 = < &uart0_default >; };
      uart2: uart@a000 { compatible = "nordic,nrf-uarte"; status = "disabled"; };
  }; };
  pinctrl { spi3_default: spi3_default { group1 { psels = < 0x4000d >, < 0x5000b >, < 0x6000c >; }; };
            uart0_default: uart0_default { group1 { psels = < 0x1d >, < 0x1001c >; }; }; };
};
)";

/// A finished sysbuild build of the good source tree for nrf9160dk@1.0.0/nrf9160/ns.
inline Files good_build() {
    const std::string chosen = "/ { chosen { nordic,pm-ext-flash = &mx25r64; }; };\n";
    auto files = good_source();
    auto partitions =
        files["pm_static.yml"] +
        "external_flash:\n  address: 0xe8000\n  end_address: 0x800000\n  region: external_flash\n  size: 0x718000\n";
    const std::string pm_config =
        "#define PM_MCUBOOT_SECONDARY_DEFAULT_DRIVER_KCONFIG CONFIG_PM_EXTERNAL_FLASH_HAS_DRIVER\n";
    std::string key = "const unsigned char ecdsa_pub_key[] = {\n";
    for (int i = 0; i < 91; ++i)
        key += "0x" + std::string(1, "0123456789abcdef"[i / 16]) + "123456789abcdef0"[i % 16] + ", ";
    return {
        {"domains.yaml", "default: sensor_node\ndomains:\n  - name: sensor_node\n  - name: mcuboot\n"},
        {"zephyr/.config", "SB_CONFIG_BOOTLOADER_MCUBOOT=y\nSB_CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY=y\n"},
        {"partitions.yml", partitions},
        {"build_info.yml", "cmake:\n  board:\n    name: nrf9160dk\n    qualifiers: nrf9160/ns\n    revision: 1.0.0\n"},
        {"sensor_node/zephyr/.config",
         "CONFIG_BOARD=\"nrf9160dk\"\nCONFIG_SPI=y\nCONFIG_SPI_NOR=y\nCONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096\n"
         "CONFIG_SPI_NRFX_RAM_BUFFER_SIZE=32\nCONFIG_PM_EXTERNAL_FLASH_HAS_DRIVER=y\nCONFIG_LWM2M=y\n"
         "CONFIG_LWM2M_FIRMWARE_UPDATE_OBJ_SUPPORT=y\nCONFIG_COAP_INIT_ACK_TIMEOUT_MS=4000\n"
         "CONFIG_DFU_TARGET_STREAM_SAVE_PROGRESS=y\n# CONFIG_NORDIC_QSPI_NOR is not set\n"},
        {"sensor_node/zephyr/zephyr.dts", flash_node + chosen},
        {"sensor_node/zephyr/include/generated/pm_config.h", pm_config},
        {"sensor_node/zephyr/include/generated/ncs_version.h", "#define NCS_VERSION_STRING \"3.1.0\"\n"},
        {"sensor_node/build.ninja",
         "  COMMAND = imgtool.py sign --version 1.0.0 --align 4 --slot-size 0xe8000 --pad-header --header-size 0x200 "
         "-k k.pem\n"},
        {"mcuboot/zephyr/.config",
         "CONFIG_SPI=y\nCONFIG_SPI_NOR=y\nCONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096\nCONFIG_SPI_NRFX_RAM_BUFFER_SIZE="
         "32\n"
         "CONFIG_MULTITHREADING=y\nCONFIG_BOOT_MAX_IMG_SECTORS=256\nCONFIG_BOOT_SWAP_USING_MOVE=y\nCONFIG_FPROTECT=y\n"
         "CONFIG_PM_EXTERNAL_FLASH_HAS_DRIVER=y\nCONFIG_BOOT_SIGNATURE_TYPE_ECDSA_P256=y\n"
         "CONFIG_BOOT_SIGNATURE_KEY_FILE=\"/keys/sensor-node.pem\"\n"},
        {"mcuboot/zephyr/zephyr.dts", flash_node + chosen},
        {"mcuboot/zephyr/include/generated/pm_config.h", pm_config},
        {"mcuboot/zephyr/autogen-pubkey.c", key + "};\nconst unsigned int ecdsa_pub_key_len = 91;\n"},
        {"merged.hex", ":020000040001F9\n:00000001FF\n"}};
}

/// Replaces text that must be there.
inline void replace(Files& files, const std::string& file, const std::string& from, const std::string& to) {
    auto& text = files.at(file);
    const auto at = text.find(from);
    if (at == std::string::npos) throw std::logic_error(file + " does not hold: " + from);
    text.replace(at, from.size(), to);
}
inline void append(Files& files, const std::string& file, const std::string& text) {
    files[file] += text;
}

/// "error max-img-sectors-too-small" for every finding but one.
inline std::multiset<std::string> said(const Report& report) {
    static constexpr const char* words[] = {"error", "warning", "note"};
    std::multiset<std::string> out;
    for (const auto& finding : report.findings)
        if (finding.rule != "external-image-readable")  // true of every external slot here but encrypted ones
            out.insert(std::string(words[static_cast<int>(finding.severity)]) + " " + finding.rule);
    return out;
}

inline Report must_check(const Files& files, const Inputs& inputs = {}) {
    auto report = check(MemoryFileTree(files), inputs);
    if (!report) throw std::runtime_error(report.error().text());
    return std::move(*report);
}

inline const Finding* find(const Report& report, const std::string& rule) {
    for (const auto& finding : report.findings)
        if (finding.rule == rule) return &finding;
    return nullptr;
}

}  // namespace fota::layout::testing
