#include "layout/project.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "layout/dts_includes.hpp"
#include "layout/project_reader.hpp"
#include "layout/text.hpp"

namespace fota::layout {

Where Image::where(std::string_view option) const {
    const auto* setting = config.find(option);
    if (setting != nullptr && !setting->where.file.empty()) return setting->where;
    const bool there = std::ranges::find(config_files, config_place) != config_files.end();
    return {config_place, there ? 1U : 0U};
}

Where Image::devicetree_where() const {
    if (overlay_files.empty()) return {overlay_place, 0};
    return {overlay_files.back(), 1};
}

const DtNode* Project::flash(const Image& image) const {
    if (partition_manager) return image.devicetree.chosen("nordic,pm-ext-flash");
    const auto* slot = image.devicetree.by_label("slot1_partition");
    for (const auto* node = slot; node != nullptr; node = node->parent)
        if (node->find("jedec-id") != nullptr || node->compatible("jedec,spi-nor") ||
            node->compatible("nordic,qspi-nor") || node->compatible("soc-nv-flash"))
            return node;
    return nullptr;
}

const DtNode* Project::flash_or_board(const Image& image) const {
    if (const auto* chosen = flash(image)) return chosen;
    if (board && board->facts != nullptr && !board->facts->flash_label.empty())
        if (const auto* node = image.devicetree.by_label(board->facts->flash_label)) return node;
    if (tree == Tree::build)
        for (const auto* node : image.devicetree.nodes())
            if (node->compatible("jedec,spi-nor") || node->compatible("nordic,qspi-nor")) return node;
    return nullptr;
}

bool Project::external() const {
    if (!partition_manager) {
        const auto* node = flash(app);
        return node != nullptr && !node->compatible("soc-nv-flash");
    }
    if (tree == Tree::source && !mcuboot.present) return false;  // a table alone makes no bootloader
    if (const auto* secondary = partitions ? partitions->find("mcuboot_secondary") : nullptr)
        return secondary->external();
    if (tree == Tree::build) return false;
    if (sysbuild.on("SB_CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY")) return true;
    return multi_image && (app.config.on("CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY") ||
                           mcuboot.config.on("CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY"));
}

bool Project::external_by_board() const {
    const auto* asked = sysbuild.find("SB_CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY");
    return tree == Tree::source && asked != nullptr && asked->where.file.empty();
}

std::optional<bool> Project::spi() const {
    for (const auto* image : {&app, &mcuboot})
        if (const auto* node = flash_or_board(*image)) {
            if (node->compatible("jedec,spi-nor")) return true;
            if (node->compatible("nordic,qspi-nor")) return false;
        }
    // An overlay may choose a node that this board does not have; whatever it is, the nRF91 has no QSPI.
    if (tree == Tree::source && board && board->facts != nullptr && board->facts->soc.starts_with("nrf91")) return true;
    return std::nullopt;
}

std::optional<std::uint64_t> Project::external_node_size() const {
    for (const auto* image : {&app, &mcuboot})
        if (const auto* node = flash_or_board(*image))
            if (const auto* size = node->find("size"))
                if (const auto bits = size->number()) return *bits / 8;
    return std::nullopt;
}

std::optional<std::uint64_t> Project::external_size() const {
    if (const auto size = external_node_size()) return size;
    if (const auto* one = region("external_flash")) return one->size;
    return std::nullopt;
}

const Region* Project::region(std::string_view name) const {
    const auto it = std::ranges::find(regions, name, &Region::name);
    return it == regions.end() ? nullptr : &*it;
}

const Partition* Project::partition(std::string_view name) const {
    const auto* found = partitions ? partitions->find(name) : nullptr;
    return found != nullptr && found->placed ? found : nullptr;
}

std::optional<std::string> ProjectReader::text(const std::string& path) {
    if (!files_.is_file(path)) return std::nullopt;
    auto text = read_text(files_, path);
    if (text) return std::move(*text);
    unreadable(path, text.error());
    return std::nullopt;
}

void ProjectReader::unreadable(const std::string& path, const Error& error) {
    Finding finding;
    finding.rule = "input-unreadable";
    finding.where = {path, line_of(error)};
    finding.message = "the file is there and cannot be used: " + error.message();
    finding.fix = "mend or remove the file; rules that need it were skipped";
    add(std::move(finding));
}

void ProjectReader::add(Finding finding) {
    // A file that both images include is read twice.
    const auto same = [&](const Finding& one) {
        return one.where.file == finding.where.file && one.where.line == finding.where.line &&
               one.message == finding.message;
    };
    if (std::ranges::none_of(project_.unreadable, same)) project_.unreadable.push_back(std::move(finding));
}

bool ProjectReader::config(Kconfig& into, bool& readable, const std::string& path) {
    if (!files_.is_file(path)) return false;
    const auto content = text(path);
    if (!content) {
        readable = false;
        return false;
    }
    auto parsed = Kconfig::parse(*content, path);
    if (!parsed) {
        unreadable(path, parsed.error());
        readable = false;
        return false;
    }
    into.merge(*parsed);
    return true;
}

bool ProjectReader::image_config(Image& image, const std::string& path) {
    if (!config(image.config, image.config_readable, path)) return false;
    image.config_files.push_back(path);
    return true;
}

bool ProjectReader::image_overlay(Image& image, const std::string& path) {
    if (!files_.is_file(path)) return false;
    const auto source = with_includes(files_, path);
    if (!source) {
        unreadable(path, source.error());
        image.devicetree_readable = false;
        return false;
    }
    for (const auto& problem : source->problems)
        unreadable(problem.where.file, at_line(problem.where.line, problem.message));
    if (!source->problems.empty()) image.devicetree_readable = false;
    for (const auto& [where, name] : source->elsewhere) {
        image.devicetree_readable = false;
        Finding note;
        note.rule = "include-not-seen";  // input-unreadable is always an error
        note.severity = Severity::note;
        note.where = where;
        note.message = fmt::format(
            "{} lies outside the directory that is checked: what it says was not seen, and rules that need it were "
            "skipped.",
            printable(name, 200));
        note.expected = "includes within the project, or from the SDK";
        note.found = name;
        note.fix = "check the build directory instead, where everything is in zephyr.dts";
        add(std::move(note));
    }
    if (auto added = image.devicetree.add(source->text, path); !added) {
        const auto origin = source->origin(line_of(added.error()));
        unreadable(origin.file.empty() ? path : origin.file, at_line(origin.line, added.error().message()));
        image.devicetree_readable = false;
        return false;
    }
    image.overlay_files.push_back(path);
    return true;
}

void ProjectReader::partitions(const std::string& path) {
    const auto content = text(path);
    if (!content) {
        project_.partitions_readable = !files_.is_file(path);
        return;
    }
    auto table = PartitionTable::parse(*content, path);
    if (!table) {
        unreadable(path, table.error());
        project_.partitions_readable = false;
        return;
    }
    project_.partitions = std::move(*table);
}

void ProjectReader::regions(const std::string& path) {
    const auto content = text(path);
    if (!content) return;
    auto regions = parse_regions(*content, path);
    if (!regions) {
        unreadable(path, regions.error());
        return;
    }
    project_.regions = std::move(*regions);
}

Result<Project> read_project(const FileTree& files, const std::string& board, const Boards& boards) {
    Project project;
    project.boards = &boards;
    project.files = &files;
    project.app.name = "the application";
    project.mcuboot.name = "MCUboot";
    if (!board.empty()) {
        project.board = boards.target(board);
        if (!project.board)
            return fail(Errc::usage, fmt::format("expected a board such as nrf9160dk@1.0.0/nrf9160/ns, found {}",
                                                 printable(board, 80)));
        project.board_origin = "--board";
    }
    ProjectReader reader(files, project);
    const auto name = files.display_name("");
    if (is_build_tree(files) && !files.is_file("prj.conf")) {
        project.tree = Tree::build;
        TRY_VOID(read_build_tree(reader, project));
    } else if (is_source_tree(files)) {
        TRY_VOID(read_source_tree(reader, project, board));
    } else {
        return fail(
            Error(Errc::file_unreadable,
                  fmt::format("expected an application source directory (prj.conf, sysbuild.conf) or a build directory "
                              "(zephyr/.config, domains.yaml), found neither in {}",
                              printable(name)))
                .with("file", printable(name)));
    }
    const bool nothing = project.app.config.empty() && project.mcuboot.config_files.empty() &&
                         project.sysbuild.empty() && !project.partitions && project.app.overlay_files.empty();
    if (nothing && !project.unreadable.empty()) {
        const auto& first = project.unreadable.front();
        return fail(Error(Errc::config_invalid,
                          fmt::format("{}: nothing else in {} can be judged", first.message, printable(name)))
                        .with("file", files.display_name(first.where.file))
                        .in(fmt::format("reading {}", printable(first.where.file))));
    }
    return project;
}

}  // namespace fota::layout
