#include "layout/slots.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/text.hpp"
#include "layout/text.hpp"

namespace fota::layout {
namespace {

Slot slot_of(const Partition& partition) {
    return {partition.address, partition.size, partition.region, partition.external(), partition.where};
}

/// A partition node of a devicetree; nested ones add the offsets of the partitions around them.
std::optional<Slot> slot_of(const Devicetree& tree, std::string_view label) {
    const auto* node = tree.by_label(label);
    if (node == nullptr) return std::nullopt;
    const auto* reg = node->find("reg");
    if (reg == nullptr) return std::nullopt;
    const auto address = reg->number(0);
    const auto size = reg->number(1);
    if (!address || !size || *size == 0 || *address > 0xffffffffU || *size > 0xffffffffU) return std::nullopt;
    Slot out{*address, *size, {}, false, reg->where};
    for (const auto* above = node->parent; above != nullptr; above = above->parent) {
        if (above->compatible("fixed-partitions") || above->name == "partitions") continue;
        const auto* outer = above->find("reg");
        const bool device = above->find("jedec-id") != nullptr || above->compatible("jedec,spi-nor") ||
                            above->compatible("nordic,qspi-nor") || above->compatible("soc-nv-flash");
        if (device) {
            out.external = !above->compatible("soc-nv-flash");
            out.device = device_path(above->path());
            break;
        }
        if (outer != nullptr) out.address += outer->number(0).value_or(0);
        if (out.address > 0xffffffffU) return std::nullopt;
    }
    return out;
}

}  // namespace

fota_boot_mode boot_mode(const Project& project) {
    const auto& mcuboot = project.mcuboot.config;
    const auto& sysbuild = project.sysbuild;
    if (sysbuild.on("SB_CONFIG_MCUBOOT_MODE_OVERWRITE_ONLY")) return FOTA_BOOT_OVERWRITE;
    if (sysbuild.on("SB_CONFIG_MCUBOOT_MODE_SWAP_USING_OFFSET")) return FOTA_BOOT_OFFSET;
    if (sysbuild.on("SB_CONFIG_MCUBOOT_MODE_SWAP_SCRATCH")) return FOTA_BOOT_SCRATCH;
    if (sysbuild.on("SB_CONFIG_MCUBOOT_MODE_SWAP_USING_MOVE") ||
        sysbuild.on("SB_CONFIG_MCUBOOT_MODE_SWAP_WITHOUT_SCRATCH"))
        return FOTA_BOOT_MOVE;
    if (mcuboot.on("CONFIG_BOOT_UPGRADE_ONLY")) return FOTA_BOOT_OVERWRITE;
    if (mcuboot.on("CONFIG_BOOT_SWAP_USING_OFFSET")) return FOTA_BOOT_OFFSET;
    if (mcuboot.on("CONFIG_BOOT_SWAP_USING_MOVE")) return FOTA_BOOT_MOVE;
    if (mcuboot.on("CONFIG_BOOT_SWAP_USING_SCRATCH")) return FOTA_BOOT_SCRATCH;
    return FOTA_BOOT_MOVE;
}

std::string_view boot_mode_name(fota_boot_mode mode) {
    switch (mode) {
        case FOTA_BOOT_MOVE:
            return "swap-using-move";
        case FOTA_BOOT_OFFSET:
            return "swap-using-offset";
        case FOTA_BOOT_SCRATCH:
            return "swap-using-scratch";
        case FOTA_BOOT_OVERWRITE:
            return "overwrite-only";
    }
    return "";
}

Result<SlotLayout> slots(const Project& project) {
    SlotLayout out;
    if (project.partition_manager) {
        const auto* primary = project.partition("mcuboot_primary");
        const auto* secondary = project.partition("mcuboot_secondary");
        if (primary == nullptr || secondary == nullptr)
            return fail(Errc::config_invalid,
                        project.tree == Tree::build
                            ? "expected mcuboot_primary and mcuboot_secondary in partitions.yml, found no such pair"
                            : "expected slot sizes from a pm_static.yml, found none: Partition Manager decides them in "
                              "the build");
        out.primary = slot_of(*primary);
        out.secondary = slot_of(*secondary);
    } else {
        auto primary = slot_of(project.app.devicetree, "slot0_partition");
        auto secondary = slot_of(project.app.devicetree, "slot1_partition");
        if (!primary || !secondary)
            return fail(
                Errc::config_invalid,
                "expected slot0_partition and slot1_partition in the application's devicetree, found no such pair");
        out.primary = std::move(*primary);
        out.secondary = std::move(*secondary);
    }
    out.mode = boot_mode(project);
    out.max_sectors_auto = project.mcuboot.config.on("CONFIG_BOOT_MAX_IMG_SECTORS_AUTO");
    const auto largest = std::max(out.primary.size, out.secondary.size);
    const auto sectors = out.max_sectors_auto ? (largest + page_size - 1) / page_size
                                              : project.mcuboot.config.number("CONFIG_BOOT_MAX_IMG_SECTORS", 128);
    out.max_sectors = static_cast<std::uint32_t>(std::min<std::uint64_t>(sectors, 0xffffffffU));
    return out;
}

std::vector<Partition> all_partitions(const Project& project) {
    std::vector<Partition> out;
    if (project.partition_manager) {
        if (project.partitions)
            for (const auto& one : project.partitions->all())
                if (one.placed) out.push_back(one);
        return out;
    }
    constexpr std::size_t most = 200;
    static constexpr std::array names{std::pair{"boot_partition", "mcuboot"},
                                      std::pair{"slot0_partition", "mcuboot_primary"},
                                      std::pair{"slot1_partition", "mcuboot_secondary"},
                                      std::pair{"slot0_ns_partition", "app"},
                                      std::pair{"slot0_s_partition", "tfm"},
                                      std::pair{"b0_partition", "b0"},
                                      std::pair{"s0_partition", "s0"},
                                      std::pair{"s1_partition", "s1"}};
    for (const auto* node : project.app.devicetree.nodes()) {
        const bool partition = node->parent != nullptr && (node->parent->compatible("fixed-partitions") ||
                                                           node->parent->compatible("fixed-subpartitions") ||
                                                           node->parent->name.starts_with("partition"));
        if (!partition || node->labels.empty() || out.size() >= most) continue;
        const auto& label = node->labels.front();
        const auto slot = slot_of(project.app.devicetree, label);
        if (!slot) continue;
        Partition one;
        const auto known = std::ranges::find(names, label, [](const auto& pair) { return std::string(pair.first); });
        one.name = known != names.end()            ? known->second
                   : label.ends_with("_partition") ? label.substr(0, label.size() - 10)
                                                   : label;
        one.address = slot->address;
        one.size = slot->size;
        one.placed = true;
        one.region = slot->external ? "external_flash" : "flash_primary";
        one.where = slot->where;
        out.push_back(std::move(one));
    }
    for (auto& outer : out)  // what encloses another is a container
        outer.container = std::ranges::any_of(out, [&](const Partition& inner) {
            return &inner != &outer && inner.region == outer.region && inner.address >= outer.address &&
                   inner.end() <= outer.end() && inner.size < outer.size;
        });
    return out;
}

std::uint32_t image_limit(const SlotLayout& layout) {
    const fota_slot_geometry geometry{
        static_cast<std::uint32_t>(std::min<std::uint64_t>(layout.primary.size, 0xffffffffU)),
        static_cast<std::uint32_t>(std::min<std::uint64_t>(layout.secondary.size, 0xffffffffU)), page_size,
        layout.max_sectors, write_size};
    return fota_image_limit(layout.mode, &geometry);
}

Result<> fit(const SlotLayout& layout, std::uint64_t image_end) {
    const std::uint64_t limit = image_limit(layout);
    if (image_end <= limit) return {};
    return fail(
        Error(Errc::image_too_large,
              fmt::format("expected at most {} bytes ({} in slots of {:#x} and {:#x}), found an image of {} bytes",
                          with_thousands(limit), boot_mode_name(layout.mode), layout.primary.size,
                          layout.secondary.size, with_thousands(image_end)))
            .with("limit", std::to_string(limit))
            .with("size", std::to_string(image_end)));
}

Result<Bytes> pinned_key(const Project& project) {
    const std::string path = "mcuboot/zephyr/autogen-pubkey.c";
    if (!project.files->is_file(path))
        return fail(Errc::file_unreadable, fmt::format("expected MCUboot's public key in {}, found no such file",
                                                       printable(project.files->display_name(path))));
    TRY(const auto text, read_text(*project.files, path, 64U << 10));
    const auto open = text.find('{');
    const auto close = text.find('}', open == std::string::npos ? 0 : open);
    Bytes key;
    if (open != std::string::npos && close != std::string::npos) {
        std::string_view rest = std::string_view(text).substr(open + 1, close - open - 1);
        while (!rest.empty()) {
            const auto comma = rest.find(',');
            const auto word = trim(rest.substr(0, comma));
            rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
            if (word.empty()) continue;
            const auto value = parse_number(word);
            if (!value || *value > 0xff)
                return fail(Errc::config_invalid,
                            fmt::format("{}: expected bytes of a public key, found {}", path, printable(word, 40)));
            key.push_back(static_cast<std::uint8_t>(*value));
        }
    }
    if (key.size() < 32)
        return fail(Errc::config_invalid, fmt::format("{}: expected a public key, found {} bytes", path, key.size()));
    return key;
}

}  // namespace fota::layout
