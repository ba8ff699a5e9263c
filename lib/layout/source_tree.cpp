// Reads an application's source directory by sysbuild's and Zephyr's file rules.
//
// Zephyr, doc/build/dts/howtos.rst and kconfig/setting.rst: boards/<board>.overlay and
// boards/<board>_<revision>.overlay are used together; app.overlay only when there is neither. prj.conf is extended by
// boards/<board>.conf. Sysbuild: sysbuild/<image>.conf and .overlay extend an image, a directory sysbuild/<image>/
// replaces its configuration directory.
#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>

#include "layout/kconfig_defaults.hpp"
#include "layout/project_reader.hpp"
#include "layout/text.hpp"
#include "layout/yaml.hpp"

namespace fota::layout {
namespace {

constexpr std::size_t most_scripts_bytes = 256U << 10;

/// CMake's files, sysbuild's too, and CMakePresets.json, which may name a board and files.
struct Scripts {
    std::string cmake;
    std::string presets;

    bool name(std::string_view file) const {
        return cmake.find(file) != std::string::npos || presets.find(file) != std::string::npos;
    }
    /// The line that names the file speaks of MCUboot's image.
    bool name_for_mcuboot(std::string_view file) const {
        bool found = false;
        for (const auto* text : {&cmake, &presets})
            for_each_line(*text, [&](unsigned, std::string_view line) {
                // mcuboot_EXTRA_CONF_FILE and its like; add_overlay_config(mcuboot file), add_overlay_dts(mcuboot file)
                found = found || (line.find(file) != std::string_view::npos &&
                                  (line.find("mcuboot_") != std::string_view::npos ||
                                   line.find("(mcuboot ") != std::string_view::npos));
            });
        return found;
    }
};

std::string script(ProjectReader& reader, const char* path) {
    auto text = read_text(reader.files(), path, most_scripts_bytes);
    return text ? std::move(*text) : std::string();
}

void boards_of_presets(const std::string& presets, std::set<std::string>& boards) {
    const auto document = nlohmann::json::parse(presets, nullptr, false, true);
    if (!document.is_object()) return;
    const auto list = document.find("configurePresets");
    if (list == document.end() || !list->is_array()) return;
    for (const auto& preset : *list) {
        if (!preset.is_object()) continue;
        const auto variables = preset.find("cacheVariables");
        if (variables == preset.end() || !variables->is_object()) continue;
        auto board = variables->find("BOARD");
        if (board == variables->end()) continue;
        if (board->is_object() && board->contains("value")) board = board->find("value");
        if (board->is_string()) boards.insert(board->get<std::string>());
    }
}

void boards_of_cmake(const std::string& cmake, std::set<std::string>& boards) {
    for_each_line(cmake, [&](unsigned, std::string_view raw) {
        auto line = trim(raw);
        if (!line.starts_with("set(BOARD ")) return;
        line = trim(line.substr(10));
        line = line.substr(0, line.find_first_of(" )"));
        if (line.starts_with('"') && line.ends_with('"') && line.size() > 1) line = line.substr(1, line.size() - 2);
        if (!line.empty() && line.front() != '$') boards.insert(std::string(line));
    });
}

/// The words of a scalar, or the items of a list: twister takes both.
void words_of(const YamlNode* node, std::set<std::string>& words) {
    if (node == nullptr) return;
    if (node->kind == YamlNode::Kind::scalar) {
        std::string_view rest = node->scalar;
        while (!rest.empty()) {
            const auto word = rest.substr(0, rest.find(' '));
            if (!word.empty()) words.insert(std::string(word));
            rest.remove_prefix(std::min(word.size() + 1, rest.size()));
        }
    }
    for (const auto& item : node->items)
        if (item->kind == YamlNode::Kind::scalar) words.insert(item->scalar);
}

void boards_of_sample(const std::string& sample, std::set<std::string>& boards) {
    const auto root = parse_yaml(sample);
    if (!root) return;  // twister's file, not an input of ours
    const auto take = [&](const YamlNode* node) { words_of(node, boards); };
    take((*root)->at("common/platform_allow"));
    take((*root)->at("common/integration_platforms"));
    if (const auto* tests = (*root)->get("tests"))
        for (const auto& test : tests->entries) {
            take(test.value->get("platform_allow"));
            take(test.value->get("integration_platforms"));
        }
}

/// Overlays which sample.yaml hands to twister for this board: no build of a person's gets them by itself.
std::vector<std::string> overlays_of_sample(const std::string& sample, const Boards& boards, const BoardTarget& board) {
    std::vector<std::string> out;
    const auto root = parse_yaml(sample);
    if (!root) return out;
    const auto allows = [&](const YamlNode* test) {
        std::set<std::string> names;
        for (const char* key : {"platform_allow", "integration_platforms"}) words_of(test->get(key), names);
        return std::ranges::any_of(names, [&](const auto& name) {
            const auto target = boards.target(name);
            return target && target->board == board.board && target->non_secure() == board.non_secure();
        });
    };
    if (const auto* tests = (*root)->get("tests"))
        for (const auto& test : tests->entries) {
            const auto* list = test.value->get("extra_dtc_overlay_files");
            if (list == nullptr || !allows(test.value.get())) continue;
            for (const auto& item : list->items)
                if (item->kind == YamlNode::Kind::scalar) out.push_back(item->scalar);
        }
    return out;
}

void boards_of_file_names(const FileTree& files, const Boards& known, std::set<std::string>& boards) {
    const auto take = [&](const std::string& directory, std::string_view prefix) {
        for (const auto& entry : files.list(directory)) {
            std::string_view name = entry.name;
            if (entry.is_directory || !name.starts_with(prefix)) continue;
            const auto dot = name.rfind('.');
            if (dot == std::string_view::npos) continue;
            const auto ending = name.substr(dot);
            if (ending != ".conf" && ending != ".overlay" && ending != ".yml") continue;
            const auto target = known.target(name.substr(prefix.size(), dot - prefix.size()));
            // A revision in a file name says for which revision the file is, not which one is built.
            if (target && target->facts != nullptr)
                boards.insert(target->board + (target->qualifiers.empty() ? "" : "/" + target->qualifiers));
        }
    };
    take("boards", "");
    take("", "pm_static_");
    if (boards.empty()) {
        take("sysbuild/mcuboot/boards", "");
        take("child_image/mcuboot/boards", "");
    }
}

/// Takes the one board these names agree on; several boards make candidates.
bool choose(Project& project, const std::set<std::string>& names, const std::string& origin) {
    std::optional<BoardTarget> best;
    std::set<std::string> distinct;
    for (const auto& name : names) {
        auto target = project.boards->target(name);
        if (!target) continue;
        distinct.insert(target->board);
        if (!best || (target->non_secure() && !best->non_secure()) ||
            (target->non_secure() == best->non_secure() && best->revision.empty()))
            best = std::move(target);
    }
    if (distinct.size() == 1) {
        project.board = std::move(best);
        project.board_origin = origin;
        project.board_candidates.clear();
        return true;
    }
    if (distinct.size() > 1 && project.board_candidates.empty())
        project.board_candidates.assign(distinct.begin(), distinct.end());
    return false;
}

void find_source_board(ProjectReader& reader, Project& project, const Scripts& scripts) {
    std::set<std::string> names;
    boards_of_presets(scripts.presets, names);
    if (choose(project, names, "CMakePresets.json")) return;
    names.clear();
    boards_of_cmake(scripts.cmake, names);
    if (choose(project, names, "CMakeLists.txt")) return;
    names.clear();
    boards_of_file_names(reader.files(), *project.boards, names);
    if (choose(project, names, "file names")) return;
    names.clear();
    boards_of_sample(script(reader, "sample.yaml"), names);
    if (choose(project, names, "sample.yaml")) return;
    // The modem library is for nRF91 alone, and only one nRF91 board of those known calls its flash mx25r64.
    if (!project.board_candidates.empty() || !project.app.config.on("CONFIG_NRF_MODEM_LIB")) return;
    for (const char* overlay : {"app.overlay", "sysbuild/mcuboot.overlay", "child_image/mcuboot.overlay"})
        if (script(reader, overlay).find("&mx25r64") != std::string::npos) {
            choose(project, {"nrf9160dk/nrf9160/ns"}, std::string("&mx25r64 in ") + overlay);
            return;
        }
}

std::string sdk_version(ProjectReader& reader) {
    const auto west = parse_yaml(script(reader, "west.yml"));
    if (!west) return "";
    const auto* projects = (*west)->at("manifest/projects");
    if (projects == nullptr) return "";
    for (const auto& item : projects->items) {
        const auto* name = item->get("name");
        const auto* revision = item->get("revision");
        if (name == nullptr || revision == nullptr || (name->scalar != "nrf" && name->scalar != "sdk-nrf")) continue;
        if (revision->scalar.size() < 20 && revision->scalar.starts_with('v')) return revision->scalar.substr(1);
    }
    return "";
}

/// boards/<stem>.<ending> and boards/<stem>_<revision>.<ending> of a configuration directory.
std::vector<std::string> board_files(const Project& project, const std::string& directory, bool secure,
                                     const char* ending) {
    if (!project.board) return {};
    const auto stem = join(directory, "boards/") + project.board->stem(secure);
    std::vector<std::string> out{stem + ending};
    if (const auto revision = project.board->file_revision(); !revision.empty())
        out.push_back(stem + "_" + revision + ending);
    return out;
}

void read_board_files(ProjectReader& reader, Project& project, Image& image, const std::string& directory,
                      bool secure) {
    for (const auto& path : board_files(project, directory, secure, ".conf")) reader.image_config(image, path);
    bool any = false;
    for (const auto& path : board_files(project, directory, secure, ".overlay"))
        any |= reader.image_overlay(image, path);
    if (!any) reader.image_overlay(image, join(directory, "app.overlay"));
}

void read_mcuboot(ProjectReader& reader, Project& project) {
    auto& mcuboot = project.mcuboot;
    const auto& files = reader.files();
    const std::string base = project.multi_image ? "child_image" : "sysbuild";
    const auto own = base + "/mcuboot";
    const bool replaced = files.is_file(own + "/prj.conf");
    if (!replaced && project.board && project.board->facts != nullptr)
        mcuboot.config.merge(project.board->facts->mcuboot);
    mcuboot.config_place = replaced ? own + "/prj.conf" : base + "/mcuboot.conf";
    mcuboot.overlay_place = base + "/mcuboot.overlay";
    if (replaced) reader.image_config(mcuboot, own + "/prj.conf");
    read_board_files(reader, project, mcuboot, own, true);
    reader.image_config(mcuboot, base + "/mcuboot.conf");
    reader.image_overlay(mcuboot, base + "/mcuboot.overlay");
}

/// The file's name has the board's in it as a word of its own: thingy91x.conf is not for the thingy91.
bool names_board(std::string_view name, std::string_view board) {
    const auto alphanumeric = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    };
    for (auto at = name.find(board); at != std::string_view::npos; at = name.find(board, at + 1)) {
        const auto end = at + board.size();
        if ((at == 0 || !alphanumeric(name[at - 1])) && (end == name.size() || !alphanumeric(name[end]))) return true;
    }
    return false;
}

/// The file's name has another known board in it, and not the one that is built for.
bool of_other_board(const Project& project, std::string_view name) {
    if (!project.board || names_board(name, project.board->board)) return false;
    return std::ranges::any_of(project.boards->all(), [&](const auto& one) { return names_board(name, one->name); });
}

/// Overlays and fragments that CMake's files name; overlays which nobody names are remembered.
void read_named_files(ProjectReader& reader, Project& project, const Scripts& scripts) {
    const auto used = [&](const std::string& path) {
        const auto has = [&](const std::vector<std::string>& list) {
            return std::ranges::find(list, path) != list.end();
        };
        return has(project.app.overlay_files) || has(project.mcuboot.overlay_files) || has(project.app.config_files) ||
               has(project.mcuboot.config_files);
    };
    const auto sample = script(reader, "sample.yaml");
    const auto twister =
        project.board ? overlays_of_sample(sample, *project.boards, *project.board) : std::vector<std::string>();
    for (const std::string directory : {"", "boards", "sysbuild", "sysbuild/mcuboot", "sysbuild/mcuboot/boards"}) {
        for (const auto& entry : reader.files().list(directory)) {
            const auto path = join(directory, entry.name);
            const bool overlay = entry.name.ends_with(".overlay");
            const bool fragment = (directory.empty() || path.starts_with("sysbuild/mcuboot")) &&
                                  entry.name.ends_with(".conf") && entry.name != "prj.conf" &&
                                  entry.name != "sysbuild.conf" && entry.name != "Kconfig.conf";
            if (entry.is_directory || (!overlay && !fragment) || used(path)) continue;
            if (std::ranges::find(twister, path) != twister.end()) {
                auto& image = path.starts_with("sysbuild/mcuboot") ? project.mcuboot : project.app;
                (void)reader.image_overlay(image, path);
                project.twister_files.push_back(path);
            } else if (scripts.name(entry.name)) {
                if (of_other_board(project, entry.name)) continue;  // named for that board alone
                auto& image = path.starts_with("sysbuild/mcuboot") || scripts.name_for_mcuboot(entry.name)
                                  ? project.mcuboot
                                  : project.app;
                (void)(overlay ? reader.image_overlay(image, path) : reader.image_config(image, path));
            } else if (overlay && sample.find(entry.name) == std::string::npos) {
                project.unused_files.push_back(path);
            }
        }
    }
}

bool mcuboot_wanted(const Project& project) {
    return project.sysbuild.on("SB_CONFIG_BOOTLOADER_MCUBOOT") ||
           project.sysbuild.on("SB_CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY") ||
           project.app.config.on("CONFIG_BOOTLOADER_MCUBOOT") ||
           (project.multi_image && project.app.config.on("CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY"));
}

/// The distinct files that `set(PM_STATIC_YML_FILE path ...)` of a CMake file in `directory` names and that are there;
/// from more than one only CMake can choose.
std::vector<std::string> static_layouts_of(const FileTree& files, const std::string& cmake,
                                           std::string_view directory) {
    std::vector<std::string> out;
    for_each_line(cmake, [&](unsigned, std::string_view raw) {
        auto line = trim(raw);
        constexpr std::string_view start = "set(PM_STATIC_YML_FILE";
        if (!line.starts_with(start)) return;
        line = trim(line.substr(start.size()));
        const bool quoted = line.starts_with('"');
        if (quoted) line.remove_prefix(1);
        line = line.substr(0, line.find_first_of(quoted ? "\"" : " \t)"));
        auto path = join(directory, line);
        for (const std::string_view root : {"${CMAKE_CURRENT_LIST_DIR}/", "${CMAKE_CURRENT_SOURCE_DIR}/"})
            if (line.starts_with(root)) path = join(directory, line.substr(root.size()));
        for (const std::string_view root : {"${APP_DIR}/", "${APPLICATION_SOURCE_DIR}/", "${APPLICATION_CONFIG_DIR}/"})
            if (line.starts_with(root)) path = line.substr(root.size());
        if (path.find("..") != std::string::npos || !files.is_file(path)) return;
        if (std::ranges::find(out, path) == out.end()) out.push_back(std::move(path));
    });
    return out;
}

void read_static_layout(ProjectReader& reader, Project& project, const Scripts& scripts) {
    std::vector<std::string> names;
    bool several = false;
    for (const char* path : {"sysbuild.cmake", "sysbuild/CMakeLists.txt", "CMakeLists.txt"}) {
        auto layouts = static_layouts_of(reader.files(), script(reader, path), directory_of(path));
        const bool choice = layouts.size() > 1;
        several = several || choice;
        std::erase_if(layouts, [&](const auto& file) { return of_other_board(project, base_name(file)); });
        // Of a choice by board the one that is named for this board is certain; any other choice is CMake's alone.
        if (layouts.size() == 1 &&
            (!choice || (project.board && names_board(base_name(layouts.front()), project.board->board))))
            names.push_back(std::move(layouts.front()));
    }
    // The first of several that happens to be listed may be the one that is not built with.
    if (!several)
        for (const auto& entry : reader.files().list(""))
            if (!entry.is_directory && entry.name.ends_with(".yml") && entry.name.starts_with("pm_static") &&
                scripts.cmake.find("PM_STATIC_YML_FILE") != std::string::npos && scripts.name(entry.name) &&
                !of_other_board(project, entry.name))
                names.push_back(entry.name);
    if (project.board) {
        const auto stem = "pm_static_" + project.board->stem(false);
        if (const auto revision = project.board->file_revision(); !revision.empty())
            names.push_back(stem + "_" + revision + ".yml");
        names.push_back(stem + ".yml");
    }
    names.emplace_back("pm_static.yml");
    for (const auto& name : names)
        if (reader.files().is_file(name)) {
            reader.partitions(name);
            project.static_layout = true;
            return;
        }
    const auto* facts = project.board ? project.board->facts : nullptr;
    if (facts == nullptr || !facts->partitions || !mcuboot_wanted(project)) return;
    const auto* secondary = facts->partitions->find("mcuboot_secondary");
    // The board's own layout is for the place of the secondary that the board itself chooses.
    if (secondary != nullptr &&
        secondary->external() != project.sysbuild.on("SB_CONFIG_PM_EXTERNAL_FLASH_MCUBOOT_SECONDARY"))
        return;
    project.partitions = facts->partitions;
    project.static_layout = true;
}

/// The application can be given an update: what a board offers by default is then in use.
bool takes_updates(const Project& project) {
    static constexpr std::array options{"CONFIG_BOOTLOADER_MCUBOOT",
                                        "CONFIG_IMG_MANAGER",
                                        "CONFIG_MCUBOOT_IMG_MANAGER",
                                        "CONFIG_DFU_TARGET",
                                        "CONFIG_FOTA_DOWNLOAD",
                                        "CONFIG_MCUMGR_GRP_IMG",
                                        "CONFIG_LWM2M_CLIENT_UTILS_FIRMWARE_UPDATE_OBJ_SUPPORT",
                                        "CONFIG_LWM2M_FIRMWARE_UPDATE_OBJ_SUPPORT"};
    return std::ranges::any_of(options, [&](const char* option) { return project.app.config.on(option); });
}

/// What sysbuild is told: by the board, by the application's Kconfig.sysbuild, by sysbuild.conf, each over the last.
void read_sysbuild(ProjectReader& reader, Project& project) {
    const auto& files = reader.files();
    bool sysbuild = false;
    for (const char* file : {"sysbuild.conf", "Kconfig.sysbuild", "sysbuild.cmake"})
        sysbuild = sysbuild || files.is_file(file);
    sysbuild = sysbuild || files.is_directory("sysbuild");
    project.sysbuild_files = sysbuild;
    project.multi_image =
        !sysbuild && (files.is_directory("child_image") || project.app.config.on("CONFIG_BOOTLOADER_MCUBOOT"));
    const auto* facts = project.board ? project.board->facts : nullptr;
    Kconfig all;
    if (facts != nullptr && !project.multi_image && (sysbuild || takes_updates(project))) all.merge(facts->sysbuild);
    if (const auto text = reader.text("Kconfig.sysbuild")) {
        const auto values = [&](std::string_view name) -> std::optional<std::string> {
            if (!project.board) return std::nullopt;
            if (name.starts_with("BOARD_")) {
                const auto& board = *project.board;
                auto own = "BOARD_" + board.stem(false);
                std::ranges::transform(own, own.begin(),
                                       [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
                return name == own || own.starts_with(std::string(name) + "_") ? "y" : "n";
            }
            if (name == "${BOARD_REVISION}" || name == "$(BOARD_REVISION)") {
                if (!project.board->revision.empty()) return project.board->revision;
                return facts == nullptr ? std::nullopt : std::optional(facts->default_revision);
            }
            return std::nullopt;
        };
        if (const auto defaults = sysbuild_defaults(*text, "Kconfig.sysbuild", values)) {
            all.merge(*defaults);
        } else {
            reader.unreadable("Kconfig.sysbuild", defaults.error());
        }
    }
    all.merge(project.sysbuild);
    project.sysbuild = std::move(all);
}

/// Something in the tree asks for MCUboot.
bool asks_for_mcuboot(const Project& project) {
    const auto& mcuboot = project.mcuboot;
    return mcuboot_wanted(project) || !mcuboot.config_files.empty() || !mcuboot.overlay_files.empty() ||
           project.partition("mcuboot") != nullptr || project.partition("mcuboot_primary") != nullptr;
}

}  // namespace

bool is_source_tree(const FileTree& files) {
    if (files.is_file("prj.conf") || files.is_file("sysbuild.conf") || files.is_file("pm_static.yml")) return true;
    const auto cmake = read_text(files, "CMakeLists.txt", most_scripts_bytes);
    return cmake && cmake->find("find_package(Zephyr") != std::string::npos;
}

Result<> read_source_tree(ProjectReader& reader, Project& project, const std::string& board) {
    // A file whose last line has no end must not run into the next one's first line.
    const Scripts scripts{script(reader, "CMakeLists.txt") + "\n" + script(reader, "sysbuild.cmake") + "\n" +
                              script(reader, "sysbuild/CMakeLists.txt"),
                          script(reader, "CMakePresets.json")};
    auto& app = project.app;
    app.present = true;
    app.config_place = "prj.conf";
    reader.image_config(app, "prj.conf");
    reader.config(project.sysbuild, project.sysbuild_readable, "sysbuild.conf");
    if (board.empty()) find_source_board(reader, project, scripts);
    project.sdk_version = sdk_version(reader);
    if (project.board && project.board->facts != nullptr)
        for (auto* image : {&app, &project.mcuboot})
            TRY_VOID(image->devicetree.add(project.board->facts->devicetree, ""));
    if (project.board && project.board->facts != nullptr) {
        auto config = project.board->facts->application;
        config.merge(app.config);
        app.config = std::move(config);
    }
    app.overlay_place = project.board ? "boards/" + project.board->stem(false) + ".overlay" : "app.overlay";
    read_board_files(reader, project, app, "", false);
    read_sysbuild(reader, project);
    read_mcuboot(reader, project);
    read_named_files(reader, project, scripts);
    const auto* manager = project.sysbuild.find("SB_CONFIG_PARTITION_MANAGER");
    project.partition_manager = manager == nullptr || manager->value != "n";
    if (project.partition_manager) read_static_layout(reader, project, scripts);
    project.mcuboot.present = asks_for_mcuboot(project);
    return {};
}

}  // namespace fota::layout
