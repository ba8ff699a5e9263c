#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "layout/rules.hpp"
#include "layout/text.hpp"

namespace fota::layout::rules {
namespace {

std::string label_of(const DtNode& node) {
    return node.labels.empty() ? node.name : node.labels.front();
}

/// Where a property stands, or the node, or the image's overlay when the fact is the board's.
Where where_of(const Image& image, const DtNode& node, std::string_view property = {}) {
    const auto* found = property.empty() ? nullptr : node.find(property);
    if (found != nullptr && !found->where.file.empty()) return found->where;
    return node.where.file.empty() ? image.devicetree_where() : node.where;
}

/// The node of the application's flash in another image.
const DtNode* same_device(const Devicetree& tree, const DtNode& node) {
    const auto path = device_path(node.path());
    for (const auto* one : tree.nodes())
        if (device_path(one->path()) == path) return one;
    return nullptr;
}

std::string flash_label(const Project& project) {
    const auto* node = project.flash_or_board(project.app);
    if (node == nullptr) node = project.flash_or_board(project.mcuboot);
    return node == nullptr ? "mx25r64" : label_of(*node);
}

std::set<std::uint64_t> pins_of(const Devicetree& tree, const DtNode& device) {
    std::set<std::uint64_t> pins;
    const auto* state = device.find("pinctrl-0");
    if (state == nullptr || state->items.empty()) return pins;
    const auto& target = state->items.front();
    if (target.kind != DtItem::Kind::reference) return pins;
    const auto* group = target.text.starts_with('/') ? tree.by_path(target.text) : tree.by_label(target.text);
    if (group == nullptr) return pins;
    for (const auto* child : group->children)
        if (const auto* psels = child->find("psels"))
            for (const auto& item : psels->items)
                if (item.kind == DtItem::Kind::number && (item.number & 0x7f) != 0x7f) pins.insert(item.number & 0x7f);
    return pins;
}

/// The items of the n-th entry of a phandle array, as text.
std::string entry_of(const DtProperty* list, std::uint64_t index) {
    if (list == nullptr) return "";
    std::string out;
    std::uint64_t at = 0;
    bool first = true;
    for (const auto& item : list->items) {
        if (item.kind == DtItem::Kind::reference && !std::exchange(first, false)) ++at;
        if (at == index)
            out += item.kind == DtItem::Kind::reference ? "&" + item.text : fmt::format(" {}", item.number);
    }
    return out;
}

/// An overlay for the board's other variant (with or without _ns) or another of its revisions: right where it is.
bool of_other_target(const BoardTarget& board, std::string_view name, bool secure) {
    const auto stem = board.stem(secure) + "_";
    const auto base = name.substr(0, name.rfind('.'));
    if (!secure && base == board.stem(true)) return true;
    if (!base.starts_with(board.stem(true))) return true;  // the board's other SoC
    if (board.facts == nullptr || !base.starts_with(stem)) return false;
    return std::ranges::any_of(board.facts->revisions, [&](std::string revision) {
        std::ranges::replace(revision, '.', '_');
        return base.substr(stem.size()) == revision;
    });
}

/// overlay-x.overlay beside overlay-x.conf: how the SDK's applications name what is chosen on the command line.
bool is_snippet(const Project& project, const std::string& path) {
    const auto name = base_name(path);
    return (name.starts_with("overlay-") || name.starts_with("overlay_")) &&
           project.files->is_file(path.substr(0, path.rfind('.')) + ".conf");
}

/// The overlay has to do with the layout.
bool speaks_of_flash(const Project& project, const std::string& path) {
    const auto text = read_text(*project.files, path);
    if (!text) return true;
    return std::ranges::any_of(
        std::array<std::string, 5>{"pm-ext-flash", "partition", "jedec", "spi-nor", "&" + flash_label(project)},
        [&](const std::string& word) { return text->find(word) != std::string::npos; });
}

void not_chosen(const Project& project, const Image& image, Findings& findings, std::string_view consequence) {
    const auto label = flash_label(project);
    auto& f = findings.add(
        Severity::error, image.devicetree_where(),
        fmt::format("{} has no chosen node nordic,pm-ext-flash. {}",
                    &image == &project.mcuboot ? "MCUboot's devicetree" : "The application's devicetree", consequence));
    f.expected = fmt::format("chosen {{ nordic,pm-ext-flash = &{}; }}", label);
    f.found = "no such property";
    f.fix =
        fmt::format("add to {}:\n  / {{ chosen {{ nordic,pm-ext-flash = &{}; }}; }};\n  &{} {{ status = \"okay\"; }};",
                    place_for_overlay(project, image), label, label);
}

}  // namespace

void pm_ext_flash_not_chosen_app(const Project& project, const Inputs&, Findings& findings) {
    if (!project.partition_manager) return;
    const auto* secondary = project.partition("mcuboot_secondary");
    if (project.sysbuild.on("SB_CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY") && !project.external_by_board() &&
        secondary != nullptr && secondary->region == "flash_primary") {
        auto& f = findings.add(Severity::error, secondary->where,
                               "The secondary slot was asked for in external flash and lies in internal flash.");
        f.expected = "mcuboot_secondary in region external_flash";
        f.found = "flash_primary";
        f.fix = fmt::format(
            "choose the flash in the application's devicetree (/ {{ chosen {{ nordic,pm-ext-flash = &{}; }}; }};) and "
            "give mcuboot_secondary region: external_flash",
            flash_label(project));
        return;
    }
    if (project.external() && project.app.devicetree.chosen_property("nordic,pm-ext-flash") == nullptr)
        not_chosen(project, project.app, findings,
                   "Partition Manager then has no external flash: the secondary slot falls back to internal flash or "
                   "the build stops.");
}

void pm_ext_flash_not_chosen_mcuboot(const Project& project, const Inputs&, Findings& findings) {
    if (!project.partition_manager || project.mcuboot.devicetree.chosen_property("nordic,pm-ext-flash") != nullptr)
        return;
    not_chosen(project, project.mcuboot, findings,
               "MCUboot then cannot open the secondary slot. The application's overlay does not reach MCUboot.");
}

void flash_node_disabled_in_mcuboot(const Project& project, const Inputs&, Findings& findings) {
    const auto* flash = project.flash_or_board(project.app);
    if (flash == nullptr) return;
    const auto* mine = same_device(project.mcuboot.devicetree, *flash);
    if (mine != nullptr && mine->okay()) return;
    if (mine == nullptr && flash->name.starts_with('&'))
        return;  // of a board that is not known: it may be enabled there
    const auto label = label_of(*flash);
    auto& f = findings.add(
        Severity::error,
        mine == nullptr ? project.mcuboot.devicetree_where() : where_of(project.mcuboot, *mine, "status"),
        fmt::format(
            "The flash node {} is {} in MCUboot's devicetree: MCUboot has no device for the secondary slot. The "
            "application's overlay does not reach MCUboot.",
            label, mine == nullptr ? "absent" : "not enabled"));
    f.expected = "status = \"okay\"";
    f.found = mine == nullptr ? "no such node" : "not okay";
    f.fix =
        fmt::format("add to {}:\n  &{} {{ status = \"okay\"; }};", place_for_overlay(project, project.mcuboot), label);
}

void overlay_not_picked_up(const Project& project, const Inputs&, Findings& findings) {
    for (const auto& path : project.unused_files) {
        const std::string name(base_name(path));
        const std::string directory(directory_of(path));
        if (name == "app.overlay" || path == "sysbuild/mcuboot.overlay") continue;
        const bool mcuboot = directory.starts_with("sysbuild");
        std::string right = mcuboot ? "sysbuild/mcuboot.overlay" : "app.overlay";
        if (base_name(directory) == "boards") {
            if (!project.board || !name.starts_with(project.board->board + "_")) continue;  // another board's
            if (of_other_target(*project.board, name, mcuboot)) continue;
            right = join(directory, project.board->stem(mcuboot));
            if (const auto revision = project.board->file_revision(); !revision.empty()) right += "[_" + revision + "]";
            right += ".overlay";
        } else if (directory == "sysbuild" && name.ends_with(".overlay") && name.find("mcuboot") == std::string::npos) {
            continue;  // of another image
        } else if (!speaks_of_flash(project, path) || is_snippet(project, path)) {
            continue;  // one to choose on the command line
        }
        auto& f = findings.add(Severity::warning, {path, 0},
                               "No build picks this overlay up: its name is none that Zephyr or sysbuild looks for.");
        f.expected = right;
        f.found = path;
        f.fix = fmt::format("rename it to {}, or name it in CMakeLists.txt (EXTRA_DTC_OVERLAY_FILE)", right);
    }
    for (const auto& path : project.twister_files) {
        const bool mcuboot = path.starts_with("sysbuild");
        auto& f = findings.add(Severity::warning, {path, 0},
                               "Only twister picks this overlay up, by sample.yaml; a build with west does not. What "
                               "else is said here takes it as applied.");
        f.expected = mcuboot ? "sysbuild/mcuboot.overlay" : "app.overlay";
        f.found = path;
        f.fix = fmt::format("rename it to {}, or build with -D{}EXTRA_DTC_OVERLAY_FILE={}", f.expected,
                            mcuboot ? "mcuboot_" : "", path);
    }
}

void board_revision_without_flash(const Project& project, const Inputs&, Findings& findings) {
    const auto& board = *project.board;
    const auto& since = board.facts->flash_since;
    if (since.empty()) return;
    const auto order = compare_revisions(board.revision, since);
    if (order && *order >= 0) return;
    const auto fix = fmt::format("build for {}@1.0.0/{}", board.board,
                                 board.qualifiers.empty() ? std::string(board.facts->soc) + "/ns" : board.qualifiers);
    if (!order) {
        auto& f = findings.add(
            Severity::note, {},
            fmt::format("The {} has external flash only from revision {}; no revision is given, and the default "
                        "differs between versions of the SDK.",
                        board.facts->title, since));
        f.expected = fmt::format("a revision from {}", since);
        f.found = board.revision.empty() ? "none" : board.revision;
        f.fix = fix;
        return;
    }
    auto& f =
        findings.add(Severity::error, {},
                     fmt::format("The {} has external flash only from revision {}; this builds for an earlier one.",
                                 board.facts->title, since));
    f.expected = fmt::format("revision {} or later", since);
    f.found = board.revision;
    f.fix = fix + ", on a kit that is that new";
}

void routing_disabled(const Project& project, const Inputs&, Findings& findings) {
    const auto* node = project.app.devicetree.by_label("external_flash_pins_routing");
    if (node == nullptr || node->okay()) return;
    auto& f = findings.add(Severity::warning, where_of(project.app, *node, "status"),
                           "This board controller firmware leaves the external flash disconnected from the nRF9160.");
    f.expected = "external_flash_pins_routing with status = \"okay\"";
    f.found = "not okay";
    f.fix = "&external_flash_pins_routing { status = \"okay\"; };";
}

void spi_clock_above_board(const Project& project, const Inputs&, Findings& findings) {
    const auto limit = project.board->facts->max_spi_hz;
    for (const auto* image : {&project.app, &project.mcuboot}) {
        const auto* node = project.flash_or_board(*image);
        const auto* property = node == nullptr ? nullptr : node->find("spi-max-frequency");
        const auto hertz = property == nullptr ? std::nullopt : property->number();
        if (limit == 0 || !hertz || *hertz <= limit) continue;
        auto& f = findings.add(
            Severity::warning, where_of(*image, *node, "spi-max-frequency"),
            fmt::format("The flash is clocked faster in {} than this board's wiring and SPI allow: reads go wrong.",
                        image->name));
        f.expected = fmt::format("at most {} MHz", limit / 1'000'000);
        f.found = fmt::format("{:g} MHz", static_cast<double>(*hertz) / 1e6);
        f.fix = fmt::format("spi-max-frequency = <{}>;", limit);
    }
}

void flash_bus_differs(const Project& project, const Inputs&, Findings& findings) {
    const auto* app = project.flash_or_board(project.app);
    const auto* boot = project.flash_or_board(project.mcuboot);
    if (app == nullptr || boot == nullptr || app->parent == nullptr || boot->parent == nullptr) return;
    const auto say = [&](std::string_view what, std::string expected, std::string found) {
        auto& f = findings.add(
            Severity::error, where_of(project.mcuboot, *boot->parent),
            fmt::format("The {} of the flash differs between application and MCUboot: it works in one of them only.",
                        what));
        f.expected = std::move(expected);
        f.found = std::move(found);
        f.fix = "one overlay or .dtsi for the flash, included by both images";
    };
    const auto app_bus = device_path(app->parent->path());
    const auto boot_bus = device_path(boot->parent->path());
    if (app_bus != boot_bus) {
        say("bus", app_bus, boot_bus);
        return;
    }
    const auto index = [](const DtNode& node) {
        return node.find("reg") == nullptr ? 0 : node.find("reg")->number().value_or(0);
    };
    const auto app_cs = entry_of(app->parent->find("cs-gpios"), index(*app));
    const auto boot_cs = entry_of(boot->parent->find("cs-gpios"), index(*boot));
    if (app_cs != boot_cs) say("chip select", app_cs, boot_cs);
    const auto list = [](const std::set<std::uint64_t>& pins) {
        std::string out;
        for (const auto pin : pins) out += fmt::format("{}P{}.{:02}", out.empty() ? "" : ", ", pin / 32, pin % 32);
        return out.empty() ? std::string("none") : out;
    };
    const auto app_pins = pins_of(project.app.devicetree, *app->parent);
    const auto boot_pins = pins_of(project.mcuboot.devicetree, *boot->parent);
    if (app_pins != boot_pins) say("pins", list(app_pins), list(boot_pins));
}

void shared_pins(const Project& project, const Inputs&, Findings& findings) {
    for (const auto* image : {&project.app, &project.mcuboot}) {
        if (!image->devicetree_readable) continue;
        std::map<std::uint64_t, const DtNode*> pin_owner;
        std::map<std::string, const DtNode*> base_owner;
        for (const auto* node : image->devicetree.nodes()) {
            if (!node->okay() || node->find("status") == nullptr) continue;
            for (const auto pin : pins_of(image->devicetree, *node)) {
                const auto [it, first] = pin_owner.try_emplace(pin, node);
                if (first) continue;
                auto& f = findings.add(Severity::warning, where_of(*image, *node, "status"),
                                       fmt::format("{} and {} of {} share pin P{}.{:02}.", label_of(*it->second),
                                                   label_of(*node), image->name, pin / 32, pin % 32));
                f.expected = "one owner for each pin";
                f.found = "two enabled";
                f.fix = fmt::format("&{} {{ status = \"disabled\"; }};", label_of(*node));
            }
            const auto at = node->name.find('@');
            const auto unit = at == std::string::npos ? std::string() : node->name.substr(at + 1);
            if (unit != "8000" && unit != "9000" && unit != "a000" && unit != "b000") continue;
            const auto [it, first] = base_owner.try_emplace(unit, node);
            if (first) continue;
            auto& f = findings.add(
                Severity::note, where_of(*image, *node, "status"),
                fmt::format("{} and {} of {} are one serial block of the nRF91 (0x{}); only one can be in use.",
                            label_of(*it->second), label_of(*node), image->name, unit));
            f.expected = "one of them enabled";
            f.found = "both";
            f.fix = fmt::format("&{} {{ status = \"disabled\"; }};", label_of(*node));
        }
    }
}

void flash_stuck_after_warm_reset(const Project& project, const Inputs&, Findings& findings) {
    const auto say = [&](Where where, std::string message, std::string expected, std::string found, std::string fix) {
        auto& f = findings.add(Severity::warning, std::move(where), std::move(message));
        f.expected = std::move(expected);
        f.found = std::move(found);
        f.fix = std::move(fix);
    };
    for (const auto* image : {&project.app, &project.mcuboot}) {
        if (image->config.on("CONFIG_SPI_NOR_IDLE_IN_DPD"))
            say(image->where("CONFIG_SPI_NOR_IDLE_IN_DPD"),
                fmt::format(
                    "{} leaves the flash in deep power-down between accesses; after a warm reset it may not wake.",
                    image->name),
                "CONFIG_SPI_NOR_IDLE_IN_DPD=n", "y", "CONFIG_SPI_NOR_IDLE_IN_DPD=n");
    }
    const auto* node = project.flash_or_board(project.app);
    if (node == nullptr) return;
    if (node->find("has-dpd") != nullptr && node->find("t-exit-dpd") == nullptr)
        say(where_of(project.app, *node, "has-dpd"),
            "The flash has deep power-down and no time to leave it: after a warm reset it may not answer.",
            "t-exit-dpd in ns", "none", "add t-exit-dpd as the datasheet says, in ns");
    if (const auto size = project.external_size();
        size && *size > (16U << 20) && node->find("use-4b-addr-opcodes") == nullptr) {
        // The driver has the 4-byte erase commands only for its minimal table, or from the part itself.
        const bool from_devicetree = project.app.config.on("CONFIG_SPI_NOR_SFDP_DEVICETREE") ||
                                     project.mcuboot.config.on("CONFIG_SPI_NOR_SFDP_DEVICETREE");
        say(where_of(project.app, *node, "size"),
            "A part of more than 16 MiB is switched to 4-byte addresses; after a warm reset it is still in that mode, "
            "and what addresses it with 3 bytes reads wrong.",
            "use-4b-addr-opcodes", "not there",
            from_devicetree
                ? "wire the part's reset (reset-gpios), or use-4b-addr-opcodes; in the flash node with "
                  "CONFIG_SPI_NOR_SFDP_RUNTIME=y in both images (CONFIG_SPI_NOR_SFDP_DEVICETREE has the erase commands "
                  "for 3-byte addresses)"
                : "add use-4b-addr-opcodes; to the flash node, or wire its reset (reset-gpios)");
    }
}

void several_spi_nor_nodes(const Project& project, const Inputs&, Findings& findings) {
    std::vector<const DtNode*> nodes;
    for (const auto* node : project.app.devicetree.nodes())
        if (node->compatible("jedec,spi-nor") && node->okay()) nodes.push_back(node);
    if (nodes.size() < 2) return;
    auto& f =
        findings.add(Severity::warning, where_of(project.app, *nodes[1]),
                     fmt::format("{} SPI NOR flashes are enabled; the LwM2M client library takes whichever it finds.",
                                 nodes.size()));
    f.expected = "one node of jedec,spi-nor enabled";
    f.found = fmt::format("{} and {}", label_of(*nodes[0]), label_of(*nodes[1]));
    f.fix = fmt::format("&{} {{ status = \"disabled\"; }};", label_of(*nodes[1]));
}

void write_protect_unhandled(const Project& project, const Inputs&, Findings& findings) {
    const auto& pin = project.board->facts->write_protect;
    if (pin.empty()) return;
    const auto* node = project.flash_or_board(project.app);
    if (node == nullptr || node->find("wp-gpios") != nullptr) return;
    auto& f =
        findings.add(Severity::note, where_of(project.app, *node),
                     fmt::format("The {} wires the flash's write-protect pin, and the devicetree does not say so.",
                                 project.board->facts->title));
    f.expected = fmt::format("wp-gpios = <{}>", pin);
    f.found = "no wp-gpios";
    f.fix = "add wp-gpios to the flash node";
}

void flash_cs_index_out_of_range(const Project& project, const Inputs&, Findings& findings) {
    for (const auto* image : {&project.app, &project.mcuboot}) {
        const auto* node = project.flash_or_board(*image);
        if (node == nullptr || node->parent == nullptr) continue;
        const auto* list = node->parent->find("cs-gpios");
        const auto* reg = node->find("reg");
        if (list == nullptr || reg == nullptr) continue;
        const auto count = std::ranges::count(list->items, DtItem::Kind::reference, &DtItem::kind);
        const auto index = reg->number().value_or(0);
        if (count == 0 || index < static_cast<std::uint64_t>(count)) continue;
        auto& f =
            findings.add(Severity::note, where_of(*image, *node, "reg"),
                         "The flash node's reg is the index of its chip select in cs-gpios, and there are fewer.");
        f.expected = fmt::format("less than {}", count);
        f.found = std::to_string(index);
        f.fix = "reg = index of the flash's pin in cs-gpios; see the schematic";
    }
}

void flash_node_differs(const Project& project, const Inputs&, Findings& findings) {
    const auto* app = project.flash_or_board(project.app);
    const auto* boot = project.flash_or_board(project.mcuboot);
    if (app == nullptr || boot == nullptr) return;
    const auto text = [](const DtNode& node) {
        const auto* id = node.find("jedec-id");
        const auto* size = node.find("size");
        return fmt::format("{}, id {}, {} bits", device_path(node.path()), id == nullptr ? "none" : to_hex(id->bytes()),
                           size == nullptr ? 0 : size->number().value_or(0));
    };
    if (text(*app) == text(*boot)) return;
    auto& f = findings.add(Severity::note, where_of(project.mcuboot, *boot),
                           "Application and MCUboot describe different external flashes.");
    f.expected = text(*app);
    f.found = text(*boot);
    f.fix = "one overlay or .dtsi for the flash, included by both images";
}

void dpd_exit_time_too_short(const Project& project, const Inputs&, Findings& findings) {
    const auto least = project.board->facts->min_exit_dpd_ns;
    const auto* node = project.flash_or_board(project.app);
    const auto* property = node == nullptr ? nullptr : node->find("t-exit-dpd");
    const auto time = property == nullptr ? std::nullopt : property->number();
    if (!time || *time >= least) return;
    auto& f = findings.add(Severity::note, where_of(project.app, *node, "t-exit-dpd"),
                           "The time to leave deep power-down is shorter than this board's (it is in ns).");
    f.expected = fmt::format("at least {} ns", least);
    f.found = fmt::format("{} ns", *time);
    f.fix = fmt::format("t-exit-dpd = <{}>;", least);
}

}  // namespace fota::layout::rules
