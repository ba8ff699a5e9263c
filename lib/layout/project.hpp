// A project as the rules see it: two images (application and MCUboot) with their configuration and devicetree, the
// partitions, and the board; read from a source tree or from a build tree.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/file_tree.hpp"
#include "base/result.hpp"
#include "layout/board.hpp"
#include "layout/devicetree.hpp"
#include "layout/finding.hpp"
#include "layout/kconfig.hpp"
#include "layout/partitions.hpp"
#include "layout/regions.hpp"

namespace fota::layout {

enum class Tree : std::uint8_t { source, build };

/// One image's files. In a source tree `config` is what the fragments say on top of the board's own; in a build tree it
/// is the generated .config.
struct Image {
    std::string name;  ///< for messages: "the application", "MCUboot"
    bool present = false;
    Kconfig config;
    Devicetree devicetree;
    bool config_readable = true;
    bool devicetree_readable = true;
    std::vector<std::string> config_files;   ///< read, in order of application
    std::vector<std::string> overlay_files;  ///< read, in order of application
    std::string config_place;                ///< the file in which a person would add a setting
    std::string overlay_place;               ///< the file in which a person would add devicetree source
    std::string pm_config;                   ///< build: the generated pm_config.h, or ""

    /// The setting if a file has it, else the start of the file a person would add it to (line 0 when it is yet to be
    /// made).
    Where where(std::string_view option) const;
    /// Where the devicetree is said: its last overlay, else the file a person would make.
    Where devicetree_where() const;
};

struct Project {
    Tree tree = Tree::source;
    const FileTree* files = nullptr;
    std::string application;  ///< build: directory of the application's image, "" for an old-style build

    const Boards* boards = nullptr;  ///< those that are known; `board` points into them
    std::optional<BoardTarget> board;
    std::string board_origin;                   ///< "CMakePresets.json", "--board"
    std::vector<std::string> board_candidates;  ///< when several are named and none could be chosen
    std::string sdk_version;                    ///< "3.1.0", or ""

    Image app;
    Image mcuboot;
    Kconfig sysbuild;
    std::string sysbuild_place = "sysbuild.conf";
    bool sysbuild_readable = true;

    bool partition_manager = true;
    std::optional<PartitionTable> partitions;
    bool partitions_readable = true;
    std::vector<Region> regions;             ///< build: the memories as Partition Manager was told of them
    bool static_layout = false;              ///< `partitions` is a pm_static file, or the board's own
    bool multi_image = false;                ///< source: built as before sysbuild, options of the images alone
    bool sysbuild_files = false;             ///< source: the tree has files that only sysbuild reads
    std::vector<std::string> twister_files;  ///< source: overlays that only sample.yaml names; applied, as twister does
    std::vector<std::string> unused_files;   ///< source: overlays that nothing picks up

    /// Files that are there and cannot be read, as findings of rule input-unreadable, and includes from outside the
    /// tree, as notes of rule include-not-seen.
    std::vector<Finding> unreadable;

    /// What the image's flash node is: chosen nordic,pm-ext-flash, or in a devicetree layout the flash that holds
    /// slot1.
    const DtNode* flash(const Image& image) const;
    /// The same, but when it is not chosen, the node with the board's flash label.
    const DtNode* flash_or_board(const Image& image) const;
    /// The secondary slot is in external flash.
    bool external() const;
    /// The board's own files put the secondary there; nothing in the project asks for it.
    bool external_by_board() const;
    /// External flash on plain SPI (jedec,spi-nor); nullopt when neither board nor devicetree tells.
    std::optional<bool> spi() const;
    /// The memory of that name in regions.yml, or nullptr.
    const Region* region(std::string_view name) const;
    /// Bytes of the external flash by the devicetree (its `size` is in bits); nullopt when that does not say.
    std::optional<std::uint64_t> external_node_size() const;
    /// The same, else by regions.yml; nullopt when unknown.
    std::optional<std::uint64_t> external_size() const;
    /// Partition of Partition Manager's table with address and size, or nullptr.
    const Partition* partition(std::string_view name) const;
};

/// Reads a tree as a build or a source tree. `board` (may be "") overrides what the tree says. `files` and `boards`
/// must outlive the project. file_unreadable or config_invalid when it is neither, or when nothing of it can be read.
Result<Project> read_project(const FileTree& files, const std::string& board,
                             const Boards& boards = Boards::built_in());

}  // namespace fota::layout
