#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "layout/rules.hpp"
#include "layout/text.hpp"

namespace fota::layout::rules {
namespace {

/// Runs in the secure world: what the SPU must not hand to the application.
bool is_secure(const Partition& one) {
    if (one.name == "tfm_nonsecure" || one.name == "mcuboot_secondary" || one.container) return false;
    return one.name == "tfm" || one.name.starts_with("tfm_") || one.name.starts_with("mcuboot") || one.name == "b0" ||
           one.name.starts_with("s0") || one.name.starts_with("s1") || one.name == "provision";
}

bool inside_secondary(const Project& project, const Partition& one) {
    const auto* secondary = project.partition("mcuboot_secondary");
    return secondary != nullptr && secondary != &one && one.overlaps(*secondary) && one.address >= secondary->address &&
           one.end() <= secondary->end();
}

/// The board's maker ships it so, as the Thingy:91's storage that shares its block with MCUboot's scratch area.
bool is_boards_own(const Project& project, const Partition& one) {
    const auto* facts = project.board ? project.board->facts : nullptr;
    const auto* own = facts != nullptr && facts->partitions ? facts->partitions->find(one.name) : nullptr;
    return own != nullptr && own->address == one.address && own->size == one.size;
}

std::uint32_t internal_size(const Project& project) {
    if (project.board && project.board->facts != nullptr) return project.board->facts->internal_flash;
    const auto* region = project.region("flash_primary");
    return region != nullptr ? static_cast<std::uint32_t>(region->size) : 0x100000U;
}
std::uint32_t spu_block(const Project& project) {
    return project.board && project.board->facts != nullptr ? project.board->facts->spu_block : 0x8000U;
}

}  // namespace

void spu_misaligned(const Project& project, const Inputs&, Findings& findings) {
    if (!project.board || !project.board->non_secure()) return;
    const std::uint64_t block = spu_block(project);
    for (const char* name : {"tfm_nonsecure", "nonsecure_storage"}) {
        const auto* one = project.partition(name);
        if (one == nullptr || one->external() || is_boards_own(project, *one)) continue;
        const auto say = [&](Severity severity, std::string_view what, std::uint64_t value, std::string_view why) {
            auto& f = findings.add(
                severity, one->where,
                fmt::format("The {} of {} is not on a boundary of the SPU, which attributes flash in blocks of {}: {}.",
                            what, name, human_size(block), why));
            f.expected = fmt::format("a multiple of {:#x}", block);
            f.found = fmt::format("{:#x}", value);
            f.fix = fmt::format("{}: {:#x}", what, (value + block - 1) / block * block);
        };
        if (one->address % block != 0)
            say(Severity::error, "address", one->address,
                "the build stops, or the application faults on its first access");
        if (one->end() % block == 0) continue;
        const auto end = (one->end() + block - 1) / block * block;
        bool secure_follows = false;
        bool left_empty = false;  // Partition Manager fills the rest of the block behind nonsecure_storage itself
        for (const auto* leaf : project.partitions->leaves(one->region)) {
            secure_follows = secure_follows || (leaf->address >= one->end() && leaf->address < end && is_secure(*leaf));
            left_empty =
                left_empty || (leaf->name.starts_with("EMPTY_") && leaf->address == one->end() && leaf->end() >= end);
        }
        if (left_empty && !secure_follows) continue;
        say(secure_follows ? Severity::error : Severity::warning, "end_address", one->end(),
            secure_follows ? "a secure partition shares its last block"
                           : "the rest of its last block becomes non-secure too");
    }
}

void partitions_overlap(const Project& project, const Inputs&, Findings& findings) {
    constexpr std::size_t most = 20;
    std::vector<const Partition*> leaves;
    for (const auto& one : project.partitions->all()) {
        const bool ignored =
            project.static_layout && one.name == "app";  // Partition Manager ignores it in a static file
        if (one.placed && !one.container && one.name != "external_flash" && !ignored) leaves.push_back(&one);
    }
    std::ranges::sort(leaves, [](const auto* a, const auto* b) {
        return std::pair(a->region, a->address) < std::pair(b->region, b->address);
    });
    std::size_t said = 0;
    const Partition* furthest = nullptr;  // of those before, the one that ends last
    for (const auto* one : leaves) {
        if (furthest != nullptr && furthest->overlaps(*one) && !inside_secondary(project, *one) &&
            !inside_secondary(project, *furthest) && ++said <= most) {
            auto& f = findings.add(
                Severity::error, one->where,
                fmt::format("{} and {} lie on top of each other in {}.", furthest->name, one->name, one->region));
            f.expected = fmt::format("{} from {:#x}", one->name, furthest->end());
            f.found = fmt::format("{:#x}, inside {} ({:#x} to {:#x})", one->address, furthest->name, furthest->address,
                                  furthest->end());
            f.fix = "start again from the partitions.yml of a fresh build, and change one thing at a time";
        }
        if (furthest == nullptr || furthest->region != one->region || one->end() > furthest->end()) furthest = one;
    }
}

void static_layout_gaps(const Project& project, const Inputs&, Findings& findings) {
    if (!project.static_layout) return;
    std::vector<std::pair<std::uint64_t, std::uint64_t>> gaps;
    bool pinned_before = false;
    bool pinned_after = false;
    std::uint64_t at = 0;
    const auto* primary = project.partition("mcuboot_primary");
    const auto app_start = primary == nullptr ? 0 : primary->address;
    for (const auto* leaf : project.partitions->leaves("flash_primary")) {
        if (leaf->name == "app") continue;
        pinned_before = pinned_before || leaf->address <= app_start;
        pinned_after = pinned_after || leaf->address > app_start;
        if (leaf->address > at) gaps.emplace_back(at, leaf->address);
        at = std::max(at, leaf->end());
    }
    if (at < internal_size(project)) gaps.emplace_back(at, internal_size(project));
    if (primary != nullptr && pinned_before && pinned_after && gaps.size() > 1) {
        std::string list;
        for (const auto& [from, to] : gaps) list += fmt::format("{}{:#x} to {:#x}", list.empty() ? "" : ", ", from, to);
        auto& f = findings.add(Severity::error, {project.partitions->file(), 1},
                               "Partition Manager puts the application into the one gap a static layout leaves; with "
                               "several it stops (\"incorrect amount of gaps\").");
        f.expected = "exactly one gap in flash_primary";
        f.found = fmt::format("{}: {}", gaps.size(), list);
        f.fix = "fill the other gaps with partitions (EMPTY_0, EMPTY_1), or move their neighbours together";
    }
    at = 0;
    for (const auto* leaf : project.partitions->leaves("external_flash")) {
        if (leaf->name == "external_flash") continue;
        if (leaf->address > at) {
            auto& f = findings.add(Severity::error, leaf->where,
                                   "Static partitions in external flash must be packed from its start.");
            f.expected = fmt::format("{} at {:#x}", leaf->name, at);
            f.found = fmt::format("{:#x}", leaf->address);
            f.fix = fmt::format("address: {:#x}, or a partition that fills the gap", at);
            break;
        }
        at = std::max(at, leaf->end());
    }
}

void external_flash_placeholder(const Project& project, const Inputs&, Findings& findings) {
    const auto* placeholder = project.partitions->find("external_flash");
    if (placeholder == nullptr) return;
    const Partition* hit = nullptr;
    for (const auto& one : project.partitions->all())
        if (&one != placeholder && one.overlaps(*placeholder)) hit = &one;
    if (hit == nullptr && !project.static_layout) return;
    auto& f = findings.add(
        Severity::error, placeholder->where,
        hit != nullptr
            ? fmt::format("The placeholder external_flash lies on top of {}: whoever uses one destroys the other.",
                          hit->name)
            : "external_flash is Partition Manager's own name for what is left of the device; a static layout must not "
              "use it.");
    f.expected = "no partition of that name";
    f.found = placeholder->placed
                  ? fmt::format("external_flash at {:#x}, {:#x} bytes", placeholder->address, placeholder->size)
                  : "external_flash";
    f.fix = "delete the entry";
}

void region_exceeds_device(const Project& project, const Inputs&, Findings& findings) {
    const auto say = [&](const Partition& one, std::uint64_t size, std::string_view device) {
        auto& f = findings.add(Severity::error, one.where, fmt::format("{} ends beyond the {}.", one.name, device));
        f.expected = fmt::format("an end of at most {}", hex_size(size));
        f.found = hex_size(one.end());
        f.fix = "shrink or move it";
    };
    const auto size = project.external_size();
    const Partition* last_external = nullptr;
    const Partition* last_internal = nullptr;
    for (const auto& one : project.partitions->all()) {
        if (!one.placed) continue;
        auto*& last = one.external() ? last_external : last_internal;
        if (!one.external() && one.region != "flash_primary") continue;
        if (last == nullptr || one.end() > last->end()) last = &one;
    }
    if (last_external != nullptr && size && last_external->end() > *size && project.external())
        // Where the node says no size, regions.yml did, in bytes.
        say(*last_external, *size,
            project.external_node_size() ? "external flash (size / 8 of its devicetree node)" : "external flash");
    if (last_internal != nullptr && last_internal->end() > internal_size(project))
        say(*last_internal, internal_size(project), "internal flash");
}

void mcuboot_partition_too_small(const Project& project, const Inputs&, Findings& findings) {
    // Before 2.4 the default of 0xC000 held MCUboot with its driver; sdk-nrf gave it 0xD000 in 2023 (PR 10511).
    if (compare_revisions(project.sdk_version, "2.4.0").value_or(0) < 0) return;
    constexpr std::uint64_t least = 0xD000;
    constexpr std::string_view option = "CONFIG_PM_PARTITION_SIZE_MCUBOOT";
    std::uint64_t size = 0;
    Where where;
    if (const auto* pinned = project.partition("mcuboot")) {
        size = pinned->size;
        where = pinned->where;
    } else if (!project.partition_manager) {
        const auto* node = project.mcuboot.devicetree.by_label("boot_partition");
        const auto* reg = node == nullptr ? nullptr : node->find("reg");
        size = reg == nullptr ? least : reg->number(1).value_or(least);
        if (reg != nullptr) where = reg->where;
    } else if (project.tree == Tree::source) {
        size = project.mcuboot.config.number(option, 0xC000);
        if (size < least && project.mcuboot.config.find(option) == nullptr && driver_by_board(project, project.mcuboot))
            return;
        where = project.mcuboot.where(option);
    } else {
        return;
    }
    if (size >= least) return;
    auto& f = findings.add(
        Severity::error, where,
        "MCUboot with the SPI NOR driver does not fit its partition: linking ends with region `FLASH' overflowed.");
    f.expected = "at least 0xd000";
    f.found = fmt::format("{:#x}{}", size,
                          project.partition("mcuboot") == nullptr && project.mcuboot.config.find(option) == nullptr &&
                                  project.partition_manager
                              ? " by default"
                              : "");
    f.fix = project.partition("mcuboot") != nullptr
                ? "give mcuboot 0x10000 in the static layout, which keeps mcuboot_primary at 0x10000"
                : fmt::format("add to {}:\n  {}=0x10000", place_for_config(project, project.mcuboot), option);
}

void fprotect_length_misaligned(const Project& project, const Inputs&, Findings& findings) {
    const auto version = compare_revisions(project.sdk_version, "3.2.0");
    const auto* primary = project.partition("mcuboot_primary");
    // Behind the immutable bootloader MCUboot protects from its slot on, which begins with a pad.
    const auto* mcuboot = project.partition("mcuboot");
    if (const auto* slot = project.partition("s0"); slot != nullptr && mcuboot != nullptr && slot->overlaps(*mcuboot))
        mcuboot = slot;
    if (!version || *version >= 0 || !project.mcuboot.config.on("CONFIG_FPROTECT") || primary == nullptr ||
        mcuboot == nullptr || primary->address < mcuboot->address)
        return;
    const auto length = primary->address - mcuboot->address;
    const std::uint64_t block = spu_block(project);
    if (length % block == 0) return;
    auto& f = findings.add(Severity::error, project.mcuboot.where("CONFIG_FPROTECT"),
                           "MCUboot protects itself up to the primary slot in blocks of the SPU and stops for ever "
                           "when the length is no multiple: \"Protect mcuboot flash failed\".");
    f.expected = fmt::format("a multiple of {:#x}", block);
    f.found = fmt::format("{:#x}", length);
    f.fix = "start mcuboot_primary on a boundary of the block (0x10000), or set CONFIG_FPROTECT=n knowingly";
}

void wrong_slot_partition_names(const Project& project, const Inputs&, Findings& findings) {
    if (!project.static_layout || project.partitions->find("mcuboot_primary") != nullptr) return;
    for (const char* name : {"image_0", "image_1", "slot0", "slot1"}) {
        const auto* one = project.partitions->find(name);
        if (one == nullptr) continue;
        auto& f =
            findings.add(Severity::error, one->where,
                         "Partition Manager knows MCUboot's slots by other names: this layout has no slots for it.");
        f.expected = "mcuboot_primary and mcuboot_secondary";
        f.found = name;
        f.fix = "use MCUboot's names: mcuboot, mcuboot_pad, app, mcuboot_primary, mcuboot_secondary";
        return;
    }
}

void stale_signing_parameters(const Project& project, const Inputs&, Findings& findings) {
    const auto path = join(project.application, "build.ninja");
    const auto* pad = project.partition("mcuboot_pad");
    const auto* primary = project.partition("mcuboot_primary");
    if (!project.files->is_file(path)) return;
    const auto text = read_text(*project.files, path, 16U << 20);
    if (!text) {
        auto& f = findings.add(Severity::note, {path, 0},
                               "How the image is signed was not compared with the layout: " + text.error().message());
        f.expected = "a build.ninja of at most 16 MiB";
        f.found = "a longer one, or no text";
        f.fix = "compare imgtool's --header-size and --slot-size with partitions.yml by hand";
        return;
    }
    bool said = false;
    for_each_line(*text, [&](unsigned line, std::string_view raw) {
        if (said || raw.find("imgtool") == std::string_view::npos || raw.find(" sign") == std::string_view::npos)
            return;
        const auto value = [&](std::string_view option) -> std::optional<std::uint64_t> {
            const auto at = raw.find(option);
            if (at == std::string_view::npos) return std::nullopt;
            auto rest = raw.substr(at + option.size());
            rest.remove_prefix(std::min(rest.find_first_not_of(" ="), rest.size()));
            return parse_number(rest.substr(0, rest.find_first_of(" \"'&")));
        };
        const auto compare = [&](Severity severity, std::string_view option, const Partition* with) {
            const auto used = value(option);
            if (!used || with == nullptr || *used == with->size) return;
            said = true;
            auto& f = findings.add(
                severity, {path, line},
                fmt::format("The image is signed with a {} that is no longer the layout's: the build kept old values.",
                            option));
            f.expected = fmt::format("{:#x}, the size of {}", with->size, with->name);
            f.found = fmt::format("{:#x}", *used);
            f.fix = "build afresh: west build -p";
        };
        compare(Severity::error, "--header-size", pad);
        compare(Severity::warning, "--slot-size", primary);
    });
}

void static_layout_in_use(const Project& project, const Inputs&, Findings& findings) {
    if (project.static_layout) {
        auto& f = findings.add(
            Severity::note, {project.partitions->file(), 0},
            "This static layout decides the partitions; changing it between releases strands devices in the field.");
        f.found = project.partitions->file();
        return;
    }
    if (project.tree == Tree::source) return;
    for (const auto& path : {std::string("CMakeCache.txt"), join(project.application, "CMakeCache.txt")}) {
        const auto text = read_text(*project.files, path);
        if (!text) continue;
        bool said = false;
        for_each_line(*text, [&](unsigned line, std::string_view raw) {
            if (said || !raw.starts_with("PM_STATIC_YML_FILE:")) return;
            const auto value = trim(raw.substr(std::min(raw.find('=') + 1, raw.size())));
            if (value.empty() || raw.find('=') == std::string_view::npos) return;
            said = true;
            auto& f =
                findings.add(Severity::note, {path, line}, "A static layout decided the partitions of this build.");
            f.found = std::string(value);
        });
        if (said) return;
    }
}

void secure_and_nonsecure_share_block(const Project& project, const Inputs&, Findings& findings) {
    if (project.partition_manager || !project.board || project.board->facts == nullptr ||
        !project.board->facts->soc.starts_with("nrf91"))
        return;
    const std::uint64_t block = spu_block(project);
    struct Range {
        std::string label;
        std::uint64_t from, to;
        Where where;
        const DtNode* node;
    };
    const auto range = [&](std::string_view label) -> std::optional<Range> {
        const auto* node = project.app.devicetree.by_label(label);
        const auto* reg = node == nullptr ? nullptr : node->find("reg");
        if (reg == nullptr) return std::nullopt;
        std::uint64_t base = 0;
        for (const auto* above = node->parent; above != nullptr; above = above->parent) {
            if (above->compatible("jedec,spi-nor")) return std::nullopt;  // external: not attributed
            if (above->compatible("soc-nv-flash")) break;
            const auto* outer = above->find("reg");
            if (outer != nullptr && above->name.starts_with("partition@"))
                base += outer->number(0).value_or(0) & 0xffffffffU;
        }
        const auto from = base + (reg->number(0).value_or(0) & 0xffffffffU);
        return Range{std::string(label), from, from + (reg->number(1).value_or(0) & 0xffffffffU), reg->where, node};
    };
    const auto share = [&](const Range& a, const Range& b) {
        for (const auto* above = a.node; above != nullptr; above = above->parent)
            if (above == b.node) return false;  // a part of it
        return a.to > a.from && b.to > b.from && a.from / block <= (b.to - 1) / block &&
               b.from / block <= (a.to - 1) / block;
    };
    static constexpr std::array secure{"boot_partition",   "slot0_s_partition", "tfm_partition",
                                       "tfm_ps_partition", "tfm_its_partition", "tfm_otp_partition"};
    for (const char* open : {"slot0_ns_partition", "slot1_ns_partition", "storage_partition"}) {
        const auto mine = range(open);
        if (!mine) continue;
        const auto say = [&](const Range& other) {
            auto& f = findings.add(Severity::error, mine->where,
                                   fmt::format("{} and {} share a block of {} that the SPU attributes as one.",
                                               mine->label, other.label, human_size(block)));
            f.expected = fmt::format("boundaries at multiples of {:#x}", block);
            f.found = fmt::format("{:#x} to {:#x} and {:#x} to {:#x}", mine->from, mine->to, other.from, other.to);
            f.fix = "give each a block of its own";
        };
        for (const char* closed : secure)
            if (const auto other = range(closed); other && share(*mine, *other)) say(*other);
        if (mine->label == "storage_partition")
            if (const auto other = range("slot0_ns_partition"); other && share(*mine, *other)) say(*other);
    }
}

void fmfu_and_secondary_exceed_device(const Project& project, const Inputs&, Findings& findings) {
    const auto* modem = project.partition("fmfu_storage");
    const auto* secondary = project.partition("mcuboot_secondary");
    const auto size = project.external_size();
    if (modem == nullptr || secondary == nullptr || !size || !modem->external() ||
        modem->size + secondary->size <= *size)
        return;
    auto& f = findings.add(Severity::error, modem->where,
                           "A full modem image and the secondary slot do not fit this flash together.");
    f.expected = fmt::format("at most {} for both", hex_size(*size));
    f.found = hex_size(modem->size + secondary->size);
    f.fix = "choose one of them, or a bigger part";
}

}  // namespace fota::layout::rules
