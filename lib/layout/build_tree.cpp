// Reads a build directory: sysbuild's (one directory per image) or the older multi-image one (the application at the
// root).
#include <algorithm>
#include <array>

#include "layout/project_reader.hpp"
#include "layout/text.hpp"
#include "layout/yaml.hpp"

namespace fota::layout {
namespace {

constexpr std::array<std::string_view, 9> helper_images{
    "mcuboot", "b0", "b0n", "tfm", "hci_ipc", "hci_rpmsg", "ipc_radio", "empty_net_core", "uicr"};

bool has_config(const FileTree& files, const std::string& image) {
    return files.is_file(join(image, "zephyr/.config"));
}

bool is_sysbuild_config(const FileTree& files) {
    const auto text = read_text(files, "zephyr/.config");
    return text && (text->starts_with("SB_CONFIG_") || text->find("\nSB_CONFIG_") != std::string::npos ||
                    text->find("\n# SB_CONFIG_") != std::string::npos);
}

/// The application's directory in the build; "" at the root of an old-style build, nullopt when there is none.
std::optional<std::string> application_of(ProjectReader& reader) {
    const auto& files = reader.files();
    if (const auto text = reader.text("domains.yaml")) {
        if (const auto domains = parse_yaml(*text); !domains) {
            reader.unreadable("domains.yaml", domains.error());
        } else if (const auto* name = (*domains)->get("default"); name != nullptr && has_config(files, name->scalar)) {
            return name->scalar;
        }
    }
    if (has_config(files, "") && !is_sysbuild_config(files)) return "";
    for (const auto& entry : files.list(""))
        if (entry.is_directory && std::ranges::find(helper_images, entry.name) == helper_images.end() &&
            entry.name != "zephyr" && has_config(files, entry.name))
            return entry.name;
    return std::nullopt;
}

void read_image(ProjectReader& reader, Image& image, const std::string& directory) {
    const auto config = join(directory, "zephyr/.config");
    const auto devicetree = join(directory, "zephyr/zephyr.dts");
    image.present = reader.files().is_file(config);
    image.config_place = config;
    image.overlay_place = devicetree;
    reader.image_config(image, config);
    if (!reader.image_overlay(image, devicetree)) image.devicetree_readable = false;
    for (const char* name : {"zephyr/include/generated/pm_config.h", "zephyr/include/generated/zephyr/pm_config.h"})
        if (reader.files().is_file(join(directory, name))) {
            image.pm_config = join(directory, name);
            break;
        }
}

std::string defined_string(const std::string& text, std::string_view name) {
    std::string out;
    for_each_line(text, [&](unsigned, std::string_view line) {
        const auto at = line.find(name);
        if (!line.starts_with("#define") || at == std::string_view::npos) return;
        const auto open = line.find('"', at);
        const auto close = line.rfind('"');
        if (open != std::string_view::npos && close > open && close - open < 40)
            out = line.substr(open + 1, close - open - 1);
    });
    return out;
}

std::string cache_value(const std::string& cache, std::string_view key) {
    std::string out;
    for_each_line(cache, [&](unsigned, std::string_view line) {
        if (!line.starts_with(key) || line.size() <= key.size() || line[key.size()] != ':') return;
        if (const auto equals = line.find('='); equals != std::string_view::npos) out = trim(line.substr(equals + 1));
    });
    return out;
}

/// The board as the build recorded it, best record first.
void find_build_board(ProjectReader& reader, Project& project) {
    const auto& app = project.app.config;
    std::string name = app.text("CONFIG_BOARD");
    std::string revision = app.text("CONFIG_BOARD_REVISION");
    std::string qualifiers = app.text("CONFIG_BOARD_QUALIFIERS");
    std::string origin = project.app.config_place;
    for (const auto& directory : {project.application, std::string()}) {
        const auto path = join(directory, "build_info.yml");
        const auto text = reader.text(path);
        if (!text) continue;
        const auto info = parse_yaml(*text);
        if (!info) {
            reader.unreadable(path, info.error());
            continue;
        }
        const auto take = [&](const char* key, std::string& into) {
            if (const auto* node = (*info)->at(key); node != nullptr && !node->scalar.empty()) into = node->scalar;
        };
        take("cmake/board/name", name);
        take("cmake/board/qualifiers", qualifiers);
        take("cmake/board/revision", revision);
        origin = path;
        break;
    }
    if (name.empty() || revision.empty())
        for (const auto& directory : {project.application, std::string()})
            if (const auto cache = reader.text(join(directory, "CMakeCache.txt"))) {
                if (name.empty()) {
                    name = cache_value(*cache, "BOARD");
                    if (name.empty()) name = cache_value(*cache, "CACHED_BOARD");
                    origin = join(directory, "CMakeCache.txt");
                }
                if (revision.empty()) revision = cache_value(*cache, "BOARD_REVISION");
            }
    auto target = project.boards->target(name);
    if (!target) return;
    if (!qualifiers.empty() && target->qualifiers.empty()) target->qualifiers = qualifiers;
    if (!revision.empty() && target->revision.empty()) target->revision = revision;
    project.board = std::move(target);
    project.board_origin = origin;
}

}  // namespace

bool is_build_tree(const FileTree& files) {
    return files.is_file("domains.yaml") || files.is_file("CMakeCache.txt") || files.is_file("zephyr/.config") ||
           files.is_file("build_info.yml") || files.is_file("mcuboot/zephyr/.config") ||
           files.is_file("partitions.yml");
}

Result<> read_build_tree(ProjectReader& reader, Project& project) {
    const auto& files = reader.files();
    const auto application = application_of(reader);
    project.application = application.value_or("");
    if (application) {
        read_image(reader, project.app, *application);
    } else {
        project.app.config_readable = project.app.devicetree_readable = false;
    }
    if (has_config(files, "mcuboot")) {
        read_image(reader, project.mcuboot, "mcuboot");
    } else {
        project.mcuboot.config_place = "mcuboot/zephyr/.config";
        project.mcuboot.config_readable = project.mcuboot.devicetree_readable = false;
    }
    if (application && !application->empty() && has_config(files, "")) {
        project.sysbuild_place = "zephyr/.config";
        reader.config(project.sysbuild, project.sysbuild_readable, "zephyr/.config");
    }
    for (const char* name : {"ncs_version.h", "zephyr/ncs_version.h"})
        if (project.sdk_version.empty())
            if (const auto text =
                    reader.text(join(project.application, std::string("zephyr/include/generated/") + name)))
                project.sdk_version = defined_string(*text, "NCS_VERSION_STRING");
    project.partition_manager = files.is_file("partitions.yml");
    if (project.partition_manager) {
        reader.partitions("partitions.yml");
        reader.regions("regions.yml");
    }
    if (!project.board) find_build_board(reader, project);
    if (!application && !project.partitions && !project.mcuboot.present && project.unreadable.empty())
        return fail(Errc::config_invalid,
                    "expected a finished build with zephyr/.config of an image or partitions.yml, found "
                    "neither: did the build stop early?");
    return {};
}

}  // namespace fota::layout
