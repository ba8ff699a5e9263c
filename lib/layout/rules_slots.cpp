#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "layout/rules.hpp"

namespace fota::layout::rules {
namespace {

SlotLayout known_slots(const Project& project) {
    auto out = slots(project);
    return out ? std::move(*out) : SlotLayout{};
}

/// The driver's option for the size of its layout pages, when the driver is on.
std::optional<std::string_view> page_option(const Project& project, const Image& image) {
    const bool plain = project.spi().value_or(image.config.on("CONFIG_SPI_NOR"));
    if (plain)
        return image.config.on("CONFIG_SPI_NOR")
                   ? std::optional<std::string_view>("CONFIG_SPI_NOR_FLASH_LAYOUT_PAGE_SIZE")
                   : std::nullopt;
    return image.config.on("CONFIG_NORDIC_QSPI_NOR")
               ? std::optional<std::string_view>("CONFIG_NORDIC_QSPI_NOR_FLASH_LAYOUT_PAGE_SIZE")
               : std::nullopt;
}

bool swaps_in_place(fota_boot_mode mode) {
    return mode == FOTA_BOOT_MOVE || mode == FOTA_BOOT_OFFSET;
}

}  // namespace

void spi_nor_page_size(const Project& project, const Inputs&, Findings& findings) {
    for (const auto* image : {&project.mcuboot, &project.app}) {
        if (!image->config_readable) continue;
        const auto option = page_option(project, *image);
        if (!option || (project.tree == Tree::build && image->config.find(*option) == nullptr)) continue;
        // nRF Connect SDK's modules/Kconfig.mcuboot gives the QSPI driver the internal flash's page by default.
        const bool qspi = *option == "CONFIG_NORDIC_QSPI_NOR_FLASH_LAYOUT_PAGE_SIZE";
        const auto size = image->config.number(*option, qspi ? page_size : 65536);
        if (size == page_size) continue;
        const bool boot = image == &project.mcuboot;
        auto& f = findings.add(boot && swaps_in_place(boot_mode(project)) ? Severity::error : Severity::warning,
                               image->where(*option),
                               boot ? "MCUboot counts the secondary slot in pages of the driver, the primary in pages "
                                      "of 4096 bytes: it prints \"not a compatible "
                                      "amount of sectors\" and may call the good primary image invalid."
                                    : "The application erases the secondary slot in steps other than 4096 bytes: slow, "
                                      "and possibly beyond the slot.");
        f.expected = fmt::format("{}=4096", *option);
        f.found = fmt::format("{}{}", size, image->config.find(*option) == nullptr ? " by default" : "");
        f.fix = fmt::format("add to {}:\n  {}=4096", place_for_config(project, *image), *option);
    }
}

void max_img_sectors_too_small(const Project& project, const Inputs&, Findings& findings) {
    const auto layout = known_slots(project);
    const auto sectors = (std::max(layout.primary.size, layout.secondary.size) + page_size - 1) / page_size;
    if (layout.max_sectors_auto || sectors <= layout.max_sectors) return;
    constexpr std::string_view option = "CONFIG_BOOT_MAX_IMG_SECTORS";
    const auto enough = sectors <= 256 ? 256 : sectors <= 512 ? 512 : (sectors + 255) / 256 * 256;
    auto& f = findings.add(Severity::error, project.mcuboot.where(option),
                           fmt::format("Each slot has {} sectors of 4 KiB, and MCUboot is built for {}: it cannot read "
                                       "the slot's sectors and upgrades nothing.",
                                       sectors, layout.max_sectors));
    f.expected = fmt::format("{} of at least {}", option, sectors);
    f.found =
        fmt::format("{}{}", layout.max_sectors, project.mcuboot.config.find(option) == nullptr ? " by default" : "");
    f.fix = fmt::format("add to {}:\n  {}={}", place_for_config(project, project.mcuboot), option, enough);
}

void slot_sizes_differ(const Project& project, const Inputs&, Findings& findings) {
    const auto layout = known_slots(project);
    const auto primary = layout.primary.size;
    const auto secondary = layout.secondary.size;
    const auto say = [&](Severity severity, std::string message, std::string expected) {
        auto& f = findings.add(severity, layout.secondary.where, std::move(message));
        f.found = fmt::format("primary {}, secondary {}", hex_size(primary), hex_size(secondary));
        f.fix = fmt::format("pin both slots: secondary of {}", expected);
        f.expected = std::move(expected);
    };
    switch (layout.mode) {
        case FOTA_BOOT_MOVE:
            if (secondary != primary && primary != secondary + page_size)
                say(Severity::error,
                    "Swap-using-move needs slots of one size (the primary may have one sector more): MCUboot prints "
                    "\"not a compatible amount of sectors\".",
                    hex_size(primary));
            break;
        case FOTA_BOOT_OFFSET:
            if (secondary == primary) {
                say(Severity::note, "Swap-using-offset works best with one sector more in the secondary slot.",
                    hex_size(primary + page_size));
            } else if (secondary != primary + page_size) {
                say(Severity::error, "Swap-using-offset needs a secondary slot with one sector more than the primary.",
                    hex_size(primary + page_size));
            }
            break;
        case FOTA_BOOT_SCRATCH:
        case FOTA_BOOT_OVERWRITE:
            if (secondary != primary)
                say(Severity::warning, "The slots differ in size: only the smaller one counts.", hex_size(primary));
            break;
    }
}

void slot_not_erase_aligned(const Project& project, const Inputs&, Findings& findings) {
    const auto layout = known_slots(project);
    for (const auto& [name, slot] :
         {std::pair{"primary", &layout.primary}, std::pair{"secondary", &layout.secondary}}) {
        const bool address = slot->address % page_size != 0;
        if (!address && slot->size % page_size == 0) continue;
        const auto wrong = address ? slot->address : slot->size;
        auto& f = findings.add(
            Severity::error, slot->where,
            fmt::format(
                "The {} slot's {} is no multiple of the 4096-byte erase sector: erasing it destroys its neighbour.{}",
                name, address ? "address" : "size",
                slot->external ? " Partition Manager aligns external partitions to 4 bytes only." : ""));
        f.expected = "a multiple of 0x1000";
        f.found = fmt::format("{:#x}", wrong);
        f.fix = fmt::format("{}: {:#x}", address ? "address" : "size", wrong / page_size * page_size);
    }
}

void secondary_split(const Project& project, const Inputs&, Findings& findings) {
    const auto* secondary = project.partition("mcuboot_secondary");
    if (secondary == nullptr) return;
    std::uint64_t sum = 0;
    for (const auto* leaf : project.partitions->leaves(secondary->region))
        if (leaf != secondary && leaf->address >= secondary->address && leaf->end() <= secondary->end())
            sum += leaf->size;
    if ((!secondary->container && sum == 0) || sum == secondary->size) return;
    auto& f = findings.add(Severity::warning, secondary->where,
                           "The secondary slot is split into partitions that do not add up to its size.");
    f.expected = hex_size(secondary->size);
    f.found = hex_size(sum);
    f.fix = "do not split the secondary slot, or keep the total equal";
}

void scratch_with_external_flash(const Project& project, const Inputs&, Findings& findings) {
    if (boot_mode(project) != FOTA_BOOT_SCRATCH) return;
    auto& f = findings.add(Severity::warning, project.mcuboot.where("CONFIG_BOOT_SWAP_USING_SCRATCH"),
                           "Swapping through a scratch area between two kinds of flash is slow and fragile.");
    f.expected = "swap-using-move or swap-using-offset";
    f.found = "swap-using-scratch";
    f.fix = "SB_CONFIG_MCUBOOT_MODE_SWAP_USING_MOVE=y in sysbuild.conf";
}

void data_in_slot_trailer(const Project& project, const Inputs&, Findings& findings) {
    const auto layout = known_slots(project);
    const fota_slot_geometry geometry{1, 1, page_size, layout.max_sectors, write_size};
    const auto trailer =
        (std::uint64_t{fota_trailer_size(boot_mode(project), &geometry)} + page_size - 1) / page_size * page_size;
    const auto* secondary = project.partition("mcuboot_secondary");
    if (secondary == nullptr || trailer > secondary->size) return;
    for (const auto* leaf : project.partitions->leaves(secondary->region)) {
        if (leaf == secondary || leaf->name == "external_flash" || leaf->address >= secondary->end() ||
            leaf->end() <= secondary->end() - trailer)
            continue;
        auto& f = findings.add(Severity::note, leaf->where,
                               fmt::format("{} lies where MCUboot keeps the secondary slot's trailer.", leaf->name));
        f.expected = fmt::format("nothing else in the last {:#x} bytes of the slot", trailer);
        f.found = fmt::format("{} at {:#x}", leaf->name, leaf->address);
        f.fix = "leave the slot's last pages to MCUboot";
    }
}

void slot_write_sizes_differ(const Project& project, const Inputs&, Findings& findings) {
    if (project.partition_manager) return;
    const auto* flash = project.flash(project.app);
    const auto* block =
        flash == nullptr || flash->compatible("soc-nv-flash") ? nullptr : flash->find("write-block-size");
    const auto size = block == nullptr ? std::nullopt : block->number();
    if (!size || *size <= write_size) return;
    auto& f =
        findings.add(Severity::error, block->where,
                     "MCUboot refuses slots whose write blocks do not match: \"slot write sizes are not compatible\".");
    f.expected = "write-block-size of at most 4, as the internal flash has";
    f.found = std::to_string(*size);
    f.fix = "write-block-size = <4>; (or 1) on the external flash";
}

void dts_partitions_differ(const Project& project, const Inputs&, Findings& findings) {
    if (project.partition_manager) return;
    const auto text = [](const Devicetree& tree,
                         std::string_view label) -> std::optional<std::pair<std::string, Where>> {
        const auto* node = tree.by_label(label);
        const auto* reg = node == nullptr ? nullptr : node->find("reg");
        if (reg == nullptr) return std::nullopt;
        auto path = node->parent == nullptr ? std::string() : device_path(node->parent->path());
        return std::pair{
            fmt::format("{:#x} + {:#x} in {}", reg->number(0).value_or(0), reg->number(1).value_or(0), path),
            reg->where};
    };
    for (const char* label : {"boot_partition", "slot0_partition", "slot1_partition"}) {
        const auto app = text(project.app.devicetree, label);
        const auto boot = text(project.mcuboot.devicetree, label);
        if (!app || !boot || app->first == boot->first) continue;
        auto& f = findings.add(
            Severity::error, boot->second,
            fmt::format("{} differs between application and MCUboot: one writes where the other does not look.",
                        label));
        f.expected = app->first;
        f.found = boot->first;
        f.fix = "one .dtsi with the partitions, included by both images";
    }
}

}  // namespace fota::layout::rules
