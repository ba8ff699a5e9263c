#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "layout/rules.hpp"
#include "layout/text.hpp"
#include "layout/yaml.hpp"

namespace fota::layout::rules {
namespace {

constexpr std::string_view spi = "CONFIG_SPI";
constexpr std::string_view spi_nor = "CONFIG_SPI_NOR";
constexpr std::string_view qspi_nor = "CONFIG_NORDIC_QSPI_NOR";

/// "this board's external flash (MX25R6435F, node mx25r64)"
std::string the_flash(const Project& project) {
    const auto* node = project.flash_or_board(project.app);
    if (node == nullptr) node = project.flash_or_board(project.mcuboot);
    const auto* board = project.board ? project.board->facts : nullptr;
    if (node == nullptr) return "the external flash";
    const auto label = node->labels.empty() ? node->name : node->labels.front();
    if (board != nullptr && board->flash_label == label)
        return fmt::format("this board's external flash ({}, node {})", board->flash_name, label);
    return fmt::format("the external flash (node {})", label);
}

std::string the_bus(const Project& project) {
    const auto* board = project.board ? project.board->facts : nullptr;
    const auto* node = project.flash_or_board(project.app);
    if (node != nullptr && node->parent != nullptr && !node->parent->labels.empty())
        return node->parent->labels.front();
    return board != nullptr && !board->flash_bus.empty() ? std::string(board->flash_bus) : "a plain SPI bus";
}

/// Conf files which build_info.yml names: Kconfig drops the QSPI option on nRF91, so .config no longer shows the
/// request. nullopt when none of them can be read here.
std::optional<Kconfig> requested(const Project& project, const Inputs& inputs, const std::string& directory) {
    std::optional<Kconfig> out;
    const auto info_text = read_text(*project.files, join(directory, "build_info.yml"));
    if (!info_text) return out;
    const auto info = parse_yaml(*info_text);
    if (!info) return out;
    for (const char* key : {"cmake/kconfig/files", "cmake/kconfig/user-files", "cmake/kconfig/extra-user-files"}) {
        const auto* list = (*info)->at(key);
        if (list == nullptr) continue;
        for (const auto& item : list->items) {
            const auto& path = item->scalar;
            if (!path.ends_with(".conf")) continue;
            const bool absolute = path.starts_with('/');
            const auto* tree = absolute ? inputs.absolute : project.files;
            const auto inside = absolute ? path.substr(1) : path;
            if (tree == nullptr || inside.find("..") != std::string::npos || !tree->is_file(inside)) continue;
            const auto text = read_text(*tree, inside);
            if (!text) continue;
            if (!out) out.emplace();
            if (const auto parsed = Kconfig::parse(*text, path)) out->merge(*parsed);
        }
    }
    return out;
}

/// The settings MCUboot (or the application) still lacks for a secondary slot in SPI NOR.
std::string recipe(const Project& project, const Image& image) {
    std::string out;
    const auto lack = [&](bool missing, std::string_view line) {
        if (missing) out += fmt::format("\n  {}", line);
    };
    const auto& config = image.config;
    lack(!config.on(spi), "CONFIG_SPI=y");
    lack(!config.on(spi_nor), "CONFIG_SPI_NOR=y");
    lack(config.number("CONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE", 65536) != page_size,
         "CONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE=4096");
    lack(config.number("CONFIG_SPI_NRFX_RAM_BUFFER_SIZE", 8) < 32, "CONFIG_SPI_NRFX_RAM_BUFFER_SIZE=32");
    if (&image == &project.mcuboot) {
        lack(!config.on("CONFIG_MULTITHREADING"), "CONFIG_MULTITHREADING=y");
        lack(config.number("CONFIG_BOOT_MAX_IMG_SECTORS", 128) < 256 && !config.on("CONFIG_BOOT_MAX_IMG_SECTORS_AUTO"),
             "CONFIG_BOOT_MAX_IMG_SECTORS=256");
        const auto* pinned = project.partition("mcuboot");
        lack(pinned == nullptr && config.number("CONFIG_PM_PARTITION_SIZE_MCUBOOT", 0xC000) < 0xD000,
             "CONFIG_PM_PARTITION_SIZE_MCUBOOT=0xD000");
    }
    return out;
}

/// M02 and M03: the image lacks SPI or SPI_NOR. True when something was said.
bool spi_nor_lacking(const Project& project, const Image& image, Findings& findings, std::string_view consequence) {
    const bool has_spi = image.config.on(spi);
    if (has_spi && image.config.on(spi_nor)) return false;
    const bool not_mentioned = project.tree == Tree::source && has_spi && image.config.find(spi_nor) == nullptr;
    const auto& missing = has_spi ? spi_nor : spi;
    auto& f = findings.add(
        not_mentioned ? Severity::warning : Severity::error, image.where(missing),
        fmt::format("{} lacks the driver of the SPI NOR flash that holds the secondary slot. {}",
                    &image == &project.mcuboot ? "MCUboot's own configuration" : "The application", consequence));
    f.expected = "CONFIG_SPI=y and CONFIG_SPI_NOR=y";
    f.found = !has_spi && !image.config.on(spi_nor) ? "neither"
              : has_spi ? (not_mentioned ? "CONFIG_SPI_NOR not mentioned" : "no CONFIG_SPI_NOR=y")
                        : "no CONFIG_SPI=y";
    f.fix = fmt::format("add to {}:{}", place_for_config(project, image), recipe(project, image));
    return true;
}

}  // namespace

bool driver_by_board(const Project& project, const Image& image) {
    const auto* setting = image.config.find(spi_nor);
    return project.tree == Tree::source && setting != nullptr && setting->value == "y" && setting->where.file.empty();
}

std::string place_for_config(const Project& project, const Image& image) {
    if (project.tree == Tree::source) return image.config_place;
    return &image == &project.mcuboot ? "sysbuild/mcuboot.conf" : "prj.conf";
}

std::string place_for_overlay(const Project& project, const Image& image) {
    if (project.tree == Tree::source)
        return image.overlay_files.empty() ? image.overlay_place : image.overlay_files.back();
    return &image == &project.mcuboot ? "sysbuild/mcuboot.overlay" : "the application's overlay";
}

std::string hex_size(std::uint64_t bytes) {
    return fmt::format("{:#x} ({})", bytes, human_size(bytes));
}

void qspi_driver_on_spi_flash(const Project& project, const Inputs& inputs, Findings& findings) {
    for (const auto* image : {&project.app, &project.mcuboot}) {
        const auto* setting = image->config.find(qspi_nor);
        std::optional<Kconfig> named;
        if (project.tree == Tree::build && (setting == nullptr || setting->value != "y")) {
            named = requested(project, inputs, image == &project.app ? project.application : "mcuboot");
            setting = named ? named->find(qspi_nor) : nullptr;
            if (!named) findings.leave_undecided();
        }
        if (setting == nullptr || setting->value != "y") continue;
        const auto* board = project.board ? project.board->facts : nullptr;
        const std::string soc =
            board != nullptr && board->soc.starts_with("nrf91") ? "nRF" + std::string(board->soc.substr(3)) : "nRF91";
        auto& f = findings.add(
            Severity::error, setting->where,
            fmt::format("CONFIG_NORDIC_QSPI_NOR=y, but {} sits on {}: the {} has no QSPI peripheral, so this "
                        "driver can never reach the flash.",
                        the_flash(project), the_bus(project), soc));
        f.expected = "the SPI NOR driver (CONFIG_SPI=y, CONFIG_SPI_NOR=y)";
        f.found = "CONFIG_NORDIC_QSPI_NOR=y";
        f.fix = image->config.on(spi) && image->config.on(spi_nor)
                    ? std::string("remove the line; CONFIG_SPI=y and CONFIG_SPI_NOR=y are there already")
                    : fmt::format("remove the line; set CONFIG_SPI=y and CONFIG_SPI_NOR=y in {}",
                                  place_for_config(project, *image));
    }
}

void mcuboot_spi_nor_disabled(const Project& project, const Inputs&, Findings& findings) {
    spi_nor_lacking(
        project, project.mcuboot, findings,
        "Without it MCUboot sees no secondary slot, prints \"not a compatible amount of sectors\" and then calls the "
        "good primary image invalid.");
}

void app_spi_nor_disabled(const Project& project, const Inputs&, Findings& findings) {
    if (project.app.config_readable)
        spi_nor_lacking(project, project.app, findings, "MCUboot may boot, but no update can be stored.");
    if (!project.app.devicetree_readable) return;
    const auto* node = project.flash_or_board(project.app);
    if (node == nullptr || node->okay()) return;
    const auto* status = node->find("status");
    const auto label = node->labels.empty() ? node->name : node->labels.front();
    auto& f = findings.add(
        Severity::error,
        status != nullptr && !status->where.file.empty() ? status->where : project.app.devicetree_where(),
        fmt::format("The flash node {} is not enabled in the application's devicetree: no update can be stored.",
                    label));
    f.expected = "status = \"okay\"";
    f.found = "not okay (the board disables it by default)";
    f.fix = fmt::format("add to {}:\n  &{} {{ status = \"okay\"; }};", place_for_overlay(project, project.app), label);
}

void driver_gate_closed(const Project& project, const Inputs&, Findings& findings) {
    for (const auto* image : {&project.app, &project.mcuboot}) {
        if (image->pm_config.empty() || !image->config_readable) continue;
        const auto text = read_text(*project.files, image->pm_config);
        if (!text) continue;
        for_each_line(*text, [&](unsigned line, std::string_view raw) {
            constexpr std::string_view define = "#define PM_MCUBOOT_SECONDARY_DEFAULT_DRIVER_KCONFIG ";
            if (!raw.starts_with(define)) return;
            const auto option = trim(raw.substr(define.size()));
            if (!option.starts_with("CONFIG_") || image->config.on(option)) return;
            auto& f = findings.add(
                Severity::error, {image->pm_config, line},
                fmt::format("Partition Manager takes the secondary slot out of the flash map of {}, because {} "
                            "is not set there: opening the slot fails with -2.",
                            image->name, option));
            f.expected = fmt::format("{}=y in {}", option, image->config_place);
            f.found = image->config.find(option) == nullptr ? "not there" : image->config.text(option);
            f.fix =
                "add to sysbuild.conf, then build afresh (west build -p):\n  "
                "SB_CONFIG_PM_OVERRIDE_EXTERNAL_DRIVER_CHECK=y";
        });
    }
}

void undefined_device_ord(const Project& project, const Inputs&, Findings& findings) {
    for (const auto* image : {&project.app, &project.mcuboot}) {
        if (!image->config.on("CONFIG_PM_OVERRIDE_EXTERNAL_DRIVER_CHECK")) continue;
        const auto* node = project.flash_or_board(*image);
        if (node == nullptr || !node->okay()) continue;
        // An image that was linked is proof enough that this SDK leaves the device out.
        const auto directory = image == &project.app ? project.application : std::string("mcuboot");
        if (project.files->is_file(join(directory, "zephyr/zephyr.elf"))) continue;
        const bool plain = node->compatible("jedec,spi-nor");
        if (plain ? image->config.on(spi) && image->config.on(spi_nor) : image->config.on(qspi_nor)) continue;
        auto& f = findings.add(
            Severity::error, image->where("CONFIG_PM_OVERRIDE_EXTERNAL_DRIVER_CHECK"),
            fmt::format("{} refers to the flash device, which has no driver in this image: linking ends with "
                        "undefined reference to `__device_dts_ord_…'.",
                        image->name));
        f.expected = plain ? "CONFIG_SPI=y and CONFIG_SPI_NOR=y" : "CONFIG_NORDIC_QSPI_NOR=y";
        f.found = "driver off, driver check overridden";
        f.fix =
            fmt::format("enable the driver in {}, or disable the flash node there", place_for_config(project, *image));
    }
}

void option_in_wrong_conf_file(const Project& project, const Inputs&, Findings& findings) {
    constexpr std::size_t most = 10;
    std::size_t said = 0;
    // west builds with sysbuild by itself from 2.7 on; a tree that is known to be for an earlier SDK may be right as it
    // is. One that does not say its SDK is taken to be for today's.
    const bool sysbuild = project.sysbuild_files || compare_revisions(project.sdk_version, "2.7.0").value_or(0) >= 0;
    for (const char* option :
         {"CONFIG_PM_OVERRIDE_EXTERNAL_DRIVER_CHECK", "CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY"}) {
        const auto* setting = project.app.config.find(option);
        const auto form = std::string("SB_") + option;
        if (project.multi_image || !sysbuild || setting == nullptr || project.sysbuild.find(form) != nullptr) continue;
        auto& f = findings.add(
            Severity::warning, setting->where,
            fmt::format("Under sysbuild {} is overwritten by its SB_ form, which is not set: this line does nothing.",
                        option));
        f.expected = fmt::format("{} in sysbuild.conf", form);
        f.found = fmt::format("{} in {}", option, setting->where.file);
        f.fix = fmt::format("move it to sysbuild.conf:\n  {}={}", form, setting->value);
    }
    for (const auto& [name, setting] : project.app.config.all()) {
        if (!name.starts_with("SB_CONFIG_") || ++said > most) continue;
        auto& f =
            findings.add(Severity::warning, setting.where,
                         fmt::format("{} is sysbuild's option and does nothing in an image's configuration.", name));
        f.expected = "SB_CONFIG_ options in sysbuild.conf";
        f.found = fmt::format("one in {}", setting.where.file);
        f.fix = fmt::format("move the line to sysbuild.conf:\n  {}={}", name, setting.value);
    }
    for (const auto& [name, setting] : project.sysbuild.all()) {
        if (!name.starts_with("CONFIG_") || ++said > most) continue;
        auto& f = findings.add(Severity::warning, setting.where,
                               fmt::format("{} is an image's option and does nothing in sysbuild.conf.", name));
        f.expected = "SB_CONFIG_ options alone";
        f.found = name;
        f.fix = "move the line to prj.conf or sysbuild/mcuboot.conf, or use its SB_ form";
    }
}

void mcuboot_without_multithreading(const Project& project, const Inputs&, Findings& findings) {
    const auto& mcuboot = project.mcuboot;
    if (mcuboot.config.on("CONFIG_MULTITHREADING")) return;
    const bool optional = compare_revisions(project.sdk_version, "3.1.0").value_or(-1) >= 0;
    auto& f = findings.add(
        optional ? Severity::note : Severity::warning, mcuboot.where("CONFIG_MULTITHREADING"),
        optional
            ? "MCUboot runs without threads; from nRF Connect SDK 3.1 the SPI driver mostly copes, later "
              "changes broke this case again."
            : "The SPI driver needs threads, and MCUboot builds without them by default: SPI is dropped or hangs.");
    f.expected = "CONFIG_MULTITHREADING=y";
    f.found = mcuboot.config.find("CONFIG_MULTITHREADING") == nullptr ? "not set"
                                                                      : mcuboot.config.text("CONFIG_MULTITHREADING");
    f.fix = fmt::format("add to {}:\n  CONFIG_MULTITHREADING=y", place_for_config(project, mcuboot));
}

void spi_ram_buffer_too_small(const Project& project, const Inputs&, Findings& findings) {
    constexpr std::string_view option = "CONFIG_SPI_NRFX_RAM_BUFFER_SIZE";
    for (const auto* image : {&project.app, &project.mcuboot}) {
        if (project.tree == Tree::build && image->config.find(option) == nullptr) continue;
        const auto size = image->config.number(option, 8);
        if (size >= 32 || (image->config.find(option) == nullptr && driver_by_board(project, *image))) continue;
        auto& f = findings.add(
            Severity::warning, image->where(option),
            fmt::format("SPI's DMA cannot read constants from flash, the driver copies them through a RAM buffer; with "
                        "a small one some SDK versions fail to write the slot trailer in {}: the update is stored but "
                        "never swapped in.",
                        image->name));
        f.expected = "at least 32";
        f.found = fmt::format("{}{}", size, image->config.find(option) == nullptr ? " by default" : "");
        f.fix = fmt::format("add to {}:\n  CONFIG_SPI_NRFX_RAM_BUFFER_SIZE=32", place_for_config(project, *image));
    }
}

void tfm_protects_secondary(const Project& project, const Inputs&, Findings& findings) {
    if (!project.sdk_version.starts_with("2.0.")) return;
    auto& f =
        findings.add(Severity::warning, {},
                     "TF-M of nRF Connect SDK 2.0 tries to protect the external secondary slot and faults in a loop.");
    f.expected = "nRF Connect SDK 2.1 or later";
    f.found = project.sdk_version;
    f.fix = "build with a later nRF Connect SDK";
}

}  // namespace fota::layout::rules
