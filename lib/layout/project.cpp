#include "layout/project.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "layout/project_reader.hpp"
#include "layout/text.hpp"

namespace fota::layout {

namespace {

constexpr unsigned deepest_include = 8;
constexpr unsigned most_includes = 64;

/// The file that a line `#include "x"` of the file `from` names, within the tree; nullopt for any other line.
std::optional<std::string> included_path(std::string_view line, const std::string& from) {
    if (!line.starts_with("#include")) return std::nullopt;
    const auto open = line.find('"');
    const auto close = line.rfind('"');
    if (open == std::string_view::npos || close <= open) return std::nullopt;
    auto name = line.substr(open + 1, close - open - 1);
    auto directory = directory_of(from);
    while (name.starts_with("../")) {
        if (directory.empty()) return std::nullopt;
        name.remove_prefix(3);
        directory = directory_of(directory);
    }
    if (name.empty() || name.starts_with('/') || name.find("..") != std::string_view::npos) return std::nullopt;
    return join(directory, name);
}

}  // namespace

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
    return std::nullopt;
}

std::optional<std::uint64_t> Project::external_size() const {
    for (const auto* image : {&app, &mcuboot})
        if (const auto* node = flash_or_board(*image))
            if (const auto* size = node->find("size"))
                if (const auto bits = size->number()) return *bits / 8;
    return std::nullopt;
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
    project_.unreadable.push_back(std::move(finding));
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

std::optional<std::string> ProjectReader::with_includes(const std::string& path) {
    std::string out;
    unsigned files = 0;
    const auto expand = [&](const auto& self, const std::string& from, unsigned depth) -> bool {
        const auto content = text(from);
        if (!content) return false;
        for_each_line(*content, [&](unsigned number, std::string_view line) {
            const auto inner = included_path(trim(line), from);
            if (!inner || depth >= deepest_include || ++files > most_includes || out.size() > text_limit ||
                !files_.is_file(*inner)) {
                out.append(line).append("\n");
                return;
            }
            out += fmt::format("# 1 \"{}\"\n", *inner);
            (void)self(self, *inner, depth + 1);
            out += fmt::format("# {} \"{}\"\n", number + 1, from);
        });
        return true;
    };
    if (!expand(expand, path, 0)) return std::nullopt;
    return out;
}

bool ProjectReader::image_overlay(Image& image, const std::string& path) {
    if (!files_.is_file(path)) return false;
    const auto content = with_includes(path);
    if (!content) {
        image.devicetree_readable = false;
        return false;
    }
    if (auto added = image.devicetree.add(*content, path); !added) {
        unreadable(path, added.error());
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
