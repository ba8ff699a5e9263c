#include "layout/memory_map.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"

namespace fota::layout {
namespace {

AreaKind kind_of(const Partition& one, bool non_secure_build) {
    const std::string_view name = one.name;
    if (name == "mcuboot_primary" || name == "mcuboot_secondary") return AreaKind::slot;
    if (name == "mcuboot_scratch") return AreaKind::storage;
    if (name == "mcuboot" || name == "b0" || name == "s0" || name == "s1" || name == "mcuboot_pad" ||
        name == "provision" || name.starts_with("s0_") || name.starts_with("s1_"))
        return AreaKind::bootloader;
    if (name == "tfm" || name.starts_with("tfm_")) return AreaKind::secure;
    if (name == "app" || name.ends_with("_app")) return non_secure_build ? AreaKind::non_secure : AreaKind::secure;
    if (name.find("storage") != std::string_view::npos || name.find("settings") != std::string_view::npos ||
        name.find("fs") != std::string_view::npos || name == "pgps" || name == "memfault_storage")
        return AreaKind::storage;
    if (name.find("EMPTY") != std::string_view::npos || name == "external_flash") return AreaKind::free;
    return AreaKind::other;
}

/// Partitions that are drawn as one bar with parts: the slots, and the two bootloader slots.
bool is_outer(std::string_view name) {
    return name == "mcuboot_primary" || name == "mcuboot_secondary" || name == "s0" || name == "s1" ||
           name == "nonsecure_storage";
}

Area area_of(const Partition& one, bool non_secure_build) {
    Area out;
    out.name = printable(one.name, 60);
    out.address = one.address;
    out.size = one.size;
    out.kind = kind_of(one, non_secure_build);
    return out;
}

/// Fills gaps with free areas. Areas that overlap stay: the check says so; here the later one is cut.
std::vector<Area> without_gaps(std::vector<Area> areas, std::uint64_t size) {
    std::ranges::stable_sort(areas, {}, &Area::address);
    std::vector<Area> out;
    std::uint64_t at = 0;
    const auto gap = [&](std::uint64_t to) {
        if (to <= at) return;
        Area hole;
        hole.name = "free";
        hole.kind = AreaKind::free;
        hole.address = at;
        hole.size = to - at;
        out.push_back(std::move(hole));
        at = to;
    };
    for (auto& area : areas) {
        gap(area.address);
        if (area.end() <= at) continue;
        if (area.address < at) {
            area.size = area.end() - at;
            area.address = at;
            area.note = "overlaps what lies before it";
        }
        at = area.end();
        if (area.kind == AreaKind::free) area.name = "free";
        if (area.kind == AreaKind::free && !out.empty() && out.back().kind == AreaKind::free) {
            out.back().size += area.size;
        } else {
            out.push_back(std::move(area));
        }
    }
    gap(size);
    return out;
}

MappedDevice device_of(const std::vector<Partition>& partitions, std::string_view region, std::uint64_t base,
                       std::uint64_t size, bool non_secure_build) {
    MappedDevice out;
    out.base = base;
    out.size = size;
    std::vector<const Partition*> outers;
    for (const auto& one : partitions)
        if (one.region == region && is_outer(one.name)) outers.push_back(&one);
    std::vector<Area> areas;
    for (const auto* outer : outers) areas.push_back(area_of(*outer, non_secure_build));
    for (const auto& one : partitions) {
        if (one.region != region || one.container || is_outer(one.name) || one.address < base) continue;
        auto area = area_of(one, non_secure_build);
        area.address -= base;
        const auto around = std::ranges::find_if(areas, [&](const Area& outer) {
            return is_outer(outer.name) && area.address >= outer.address && area.end() <= outer.end();
        });
        if (around != areas.end()) {
            around->parts.push_back(std::move(area));
        } else {
            areas.push_back(std::move(area));
        }
    }
    for (auto& area : areas) {
        std::ranges::sort(area.parts, {}, &Area::address);
        out.size = std::max(out.size, area.end());
    }
    out.areas = without_gaps(std::move(areas), out.size);
    return out;
}

void say_about_storage(MappedDevice& internal, bool non_secure_build) {
    for (auto& area : internal.areas)
        if (non_secure_build && internal.block != 0 && area.kind == AreaKind::storage)
            area.note = area.address % internal.block == 0 ? "non-secure, SPU block ok" : "starts inside an SPU block";
}

}  // namespace

std::uint64_t MappedDevice::free() const {
    std::uint64_t out = 0;
    for (const auto& area : areas)
        if (area.kind == AreaKind::free) out += area.size;
    return out;
}

std::string_view area_kind_name(AreaKind kind) {
    switch (kind) {
        case AreaKind::bootloader:
            return "bootloader";
        case AreaKind::secure:
            return "secure";
        case AreaKind::non_secure:
            return "non-secure";
        case AreaKind::slot:
            return "update slot";
        case AreaKind::storage:
            return "storage";
        case AreaKind::other:
            return "other";
        case AreaKind::free:
            return "free";
    }
    return "";
}

Result<MemoryMap> memory_map(const Project& project, const ImageFacts* image) {
    const auto partitions = all_partitions(project);
    if (partitions.empty())
        return fail(Errc::config_invalid,
                    project.tree == Tree::source
                        ? "expected a static layout (pm_static.yml) or devicetree partitions, found neither: Partition "
                          "Manager decides in the build (west build)"
                        : "expected partitions.yml or devicetree partitions in the build, found neither");
    MemoryMap out;
    const auto* board = project.board ? project.board->facts : nullptr;
    const bool non_secure = (project.board && project.board->non_secure()) ||
                            std::ranges::any_of(partitions, [](const auto& one) { return one.name == "tfm"; });
    out.description = project.board ? project.board->description() : "board unknown";

    const auto* flash = project.region("flash_primary");
    auto internal =
        device_of(partitions, "flash_primary", 0,
                  board != nullptr ? board->internal_flash : (flash != nullptr ? flash->size : 0x100000), non_secure);
    internal.title = "internal flash";
    internal.block = non_secure ? (board != nullptr ? board->spu_block : 0x8000) : 0;
    say_about_storage(internal, non_secure);
    out.devices.push_back(std::move(internal));

    const bool any_external = std::ranges::any_of(partitions, [](const auto& one) { return one.external(); });
    if (any_external || project.external()) {
        auto external = device_of(partitions, "external_flash", 0, project.external_size().value_or(0), non_secure);
        external.title = "external flash";
        if (board != nullptr && !board->flash_name.empty()) external.title += fmt::format(" {}", board->flash_name);
        if (board != nullptr && !board->flash_place.empty()) external.title += fmt::format(" ({})", board->flash_place);
        out.devices.push_back(std::move(external));
    }
    const bool any_ram = std::ranges::any_of(partitions, [](const auto& one) { return one.region == "sram_primary"; });
    if (any_ram) {
        const auto* region = project.region("sram_primary");
        auto ram = device_of(partitions, "sram_primary", region != nullptr ? region->base : 0x20000000,
                             region != nullptr ? region->size : 0x40000, non_secure);
        ram.title = "RAM";
        out.devices.push_back(std::move(ram));
    }
    if (const auto known = slots(project)) {
        for (auto& device : out.devices)
            for (auto& area : device.areas) {
                if (area.name == "mcuboot_primary") {
                    area.limit = image_limit(*known);
                    if (image != nullptr && image->walkable) area.used = image->end;
                } else if (area.name == "mcuboot_secondary") {
                    area.note = fmt::format("pairs with mcuboot_primary: {}", boot_mode_name(known->mode));
                }
            }
    }
    return out;
}

}  // namespace fota::layout
