#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "layout/rules.hpp"

namespace fota::layout::rules {
namespace {

bool has_lwm2m(const Project& project) {
    return project.app.config.on("CONFIG_LWM2M");
}

/// A client that can be given an update: in sources without a bootloader there is nothing to update.
bool has_lwm2m_update(const Project& project) {
    return has_lwm2m(project) && (project.tree == Tree::build || project.mcuboot.present);
}

}  // namespace

void full_modem_offset_collision(const Project& project, const Inputs&, Findings& findings) {
    const auto* storage = project.partition("fmfu_storage");
    if (!has_lwm2m(project) || !project.app.config.on("CONFIG_DFU_TARGET_FULL_MODEM") || storage == nullptr ||
        storage->address == 0)
        return;
    auto& f = findings.add(
        Severity::warning, storage->where,
        "The LwM2M client applies a full modem image from the start of the flash device, not from fmfu_storage.");
    f.expected = "fmfu_storage at 0, or no full modem updates";
    f.found = fmt::format("{:#x}", storage->address);
    f.fix = "CONFIG_DFU_TARGET_FULL_MODEM=n while the secondary slot lies at 0";
}

void erase_stalls_ack(const Project& project, const Inputs&, Findings& findings) {
    if (!has_lwm2m_update(project)) return;
    constexpr std::string_view option = "CONFIG_COAP_INIT_ACK_TIMEOUT_MS";
    const auto timeout = project.app.config.number(option, 2000);
    const bool large_pages = project.app.config.on("CONFIG_SPI_NOR") &&
                             project.app.config.number("CONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE", 65536) == 65536;
    const unsigned least = large_pages ? 15000 : 4000;
    if (timeout >= least) return;
    auto& f = findings.add(
        Severity::warning, project.app.where(option),
        "Erasing flash before a block is stored can take longer than the first CoAP acknowledgement timeout.");
    f.expected = fmt::format("at least {} ms", least);
    f.found = fmt::format("{} ms{}", timeout, project.app.config.find(option) == nullptr ? " by default" : "");
    f.fix = fmt::format("add to {}:\n  {}={}", place_for_config(project, project.app), option, least);
}

void push_restart_bug(const Project& project, const Inputs&, Findings& findings) {
    if (!has_lwm2m(project) || compare_revisions(project.sdk_version, "2.7.0").value_or(0) >= 0) return;
    auto& f = findings.add(
        Severity::note, {},
        "Before nRF Connect SDK 2.7 a push that broke off cannot be restarted until the device is idle again.");
    f.expected = "nRF Connect SDK 2.7 or later";
    f.found = project.sdk_version;
    f.fix = "write an empty package first, or build with a later SDK";
}

void resume_disabled(const Project& project, const Inputs&, Findings& findings) {
    if (!has_lwm2m_update(project)) return;
    const bool multi = project.app.config.on("CONFIG_DFU_MULTI_IMAGE");
    if (!multi && project.app.config.on("CONFIG_DFU_TARGET_STREAM_SAVE_PROGRESS")) return;
    auto& f = findings.add(
        Severity::note, project.app.where(multi ? "CONFIG_DFU_MULTI_IMAGE" : "CONFIG_DFU_TARGET_STREAM_SAVE_PROGRESS"),
        "A download does not survive a reset of the device: it starts again from the first block.");
    f.expected = "CONFIG_DFU_TARGET_STREAM_SAVE_PROGRESS=y (without CONFIG_DFU_MULTI_IMAGE)";
    f.found = multi ? "CONFIG_DFU_MULTI_IMAGE=y" : "not set";
    f.fix =
        fmt::format("add to {}:\n  CONFIG_DFU_TARGET_STREAM_SAVE_PROGRESS=y", place_for_config(project, project.app));
}

void psk_settings(const Project& project, const Inputs&, Findings& findings) {
    constexpr std::string_view option = "CONFIG_LWM2M_SECURITY_KEY_SIZE";
    const auto* setting = project.app.config.find(option);
    if (!has_lwm2m(project) || setting == nullptr || project.app.config.number(option, 33) >= 33) return;
    auto& f = findings.add(Severity::warning, setting->where,
                           "A 16-byte pre-shared key is kept as 32 hexadecimal digits and a NUL.");
    f.expected = "at least 33";
    f.found = setting->value;
    f.fix = fmt::format("{}=33", option);
}

void update_object_mismatch(const Project& project, const Inputs&, Findings& findings) {
    if (!has_lwm2m_update(project)) return;
    constexpr std::string_view plain = "CONFIG_LWM2M_FIRMWARE_UPDATE_OBJ_SUPPORT";
    constexpr std::string_view advanced = "CONFIG_LWM2M_CLIENT_UTILS_ADV_FIRMWARE_UPDATE_OBJ_SUPPORT";
    const bool five = project.app.config.on(plain);
    if (five != project.app.config.on(advanced)) return;
    auto& f = findings.add(
        Severity::warning, project.app.where(plain),
        "An update needs exactly one update object: 5 (Firmware Update) or 33629 (Advanced Firmware Update).");
    f.expected = "one of the two";
    f.found = five ? "both" : "neither";
    f.fix = fmt::format("{}\n  {}=y",
                        five ? "keep one:" : fmt::format("add to {}:", place_for_config(project, project.app)), plain);
}

void transfer_budget_exceeded(const Project& project, const Inputs& inputs, Findings& findings) {
    if (!has_lwm2m(project) || !inputs.server_limit) return;
    const auto block = std::max<std::uint64_t>(project.app.config.number("CONFIG_LWM2M_COAP_BLOCK_SIZE", 256), 16);
    const auto blocks = (inputs.image->size + block - 1) / block;
    const std::chrono::seconds needed(blocks * (inputs.narrow_band ? 3 : 1));
    if (needed <= *inputs.server_limit) return;
    auto& f = findings.add(Severity::note, project.app.where("CONFIG_LWM2M_COAP_BLOCK_SIZE"),
                           fmt::format("The transfer takes {} blocks of {} bytes, one round trip each, and the server "
                                       "gives up before.",
                                       with_thousands(blocks), block));
    f.expected = fmt::format("at most {}", human_duration(*inputs.server_limit));
    f.found = fmt::format("about {}", human_duration(needed));
    f.fix = "CONFIG_LWM2M_COAP_BLOCK_SIZE=1024, a download by URI (pull), or a longer limit in the server";
}

void modem_delta_timeout(const Project&, const Inputs& inputs, Findings& findings) {
    constexpr std::chrono::seconds least(60);
    if (inputs.image->what != "a modem delta" || !inputs.server_limit || *inputs.server_limit >= least) return;
    auto& f = findings.add(Severity::note, {inputs.image->name, 0},
                           "The modem erases its own area before it takes a delta and keeps the server waiting.");
    f.expected = "a server timeout of at least 60 s";
    f.found = human_duration(*inputs.server_limit);
    f.fix = "raise the server's timeout";
}

}  // namespace fota::layout::rules
