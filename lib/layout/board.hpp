// What is known of a board without its build: flash, bus, revisions, alignment of the security attribution.
//
// Each board is a YAML file. Those of lib/layout/boards are built into the program (their sources are named in each of
// them); a user adds more, or replaces one by name, without building anything.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "layout/kconfig.hpp"
#include "layout/partitions.hpp"

namespace fota::layout {

struct Board {
    std::string name;                         ///< "nrf9160dk"
    std::vector<std::string> aliases;         ///< former names: "nrf9160_pca10090"
    std::string title;                        ///< "nRF9160-DK"
    std::string soc;                          ///< "nrf9160"
    std::vector<std::string> revisions;       ///< as the board numbers them, ascending: "0.7.0", "0.14.0"
    std::string default_revision;             ///< what a build without one takes; "" when the board has none
    std::uint32_t internal_flash = 0x100000;  ///< bytes
    std::uint32_t spu_block = 0x8000;         ///< bytes that the SPU attributes together
    std::string flash_label;                  ///< devicetree label; "" when the board has no external flash in use
    std::string flash_name;                   ///< the part
    std::string flash_bus;                    ///< "spi3", "qspi"
    std::string flash_place;                  ///< "spi3, CS P0.25"
    std::uint64_t max_spi_hz = 0;
    std::uint32_t min_exit_dpd_ns = 0;
    std::string flash_since;    ///< first board revision that has the flash; "" for all
    std::string write_protect;  ///< the flash's write-protect pin, as in a devicetree; "" when it is not wired
    std::string devicetree;     ///< the part of the board's devicetree that layouts turn on
    Kconfig application;        ///< settings which the board's own files give the application
    Kconfig sysbuild;           ///< what the board's own files choose for sysbuild
    Kconfig mcuboot;            ///< settings which the board's own files give MCUboot
    std::optional<PartitionTable> partitions;  ///< the static layout in the board's own directory
    std::string origin;                        ///< the file it was read from; without folder when it is built in
    std::string source;                        ///< that file's text

    /// The board's own revision that a requested one means (major.minor.patch, matched downwards as Zephyr does): 1.0.0
    /// of the nRF9160-DK is 0.14.0. "" when there is none.
    std::string own_revision(std::string_view requested) const;
};

/// "nrf9160dk@1.0.0/nrf9160/ns", also "nrf9160dk/nrf9160@1.0.0/ns" and the old forms "nrf9160dk_nrf9160_ns@1_0_0" and
/// "nrf9160dk_nrf9160ns".
struct BoardTarget {
    std::string board;       ///< "nrf9160dk"
    std::string revision;    ///< "1.0.0", or ""
    std::string qualifiers;  ///< "nrf9160/ns", or ""
    const Board* facts = nullptr;

    bool non_secure() const { return qualifiers == "ns" || qualifiers.ends_with("/ns"); }
    /// "nrf9160dk_nrf9160_ns": the stem of board-specific file names; MCUboot's has no "_ns".
    std::string stem(bool secure) const;
    /// The revision in file names, as the board itself numbers it: 1.0.0 of the nRF9160-DK is "0_14_0"; "" when there
    /// is none.
    std::string file_revision() const;
    /// "nRF9160-DK @1.0.0 (nrf9160/ns)"
    std::string description() const;
};

/// The boards that are known. A copy shares the boards; targets point into them.
class Boards {
  public:
    /// The boards that are built in.
    static const Boards& built_in();

    /// Adds a board, or takes the place of the one of that name. config_invalid with file and line in the message when
    /// the text is no YAML, lacks name or soc, has an unknown key, or holds devicetree source, settings or partitions
    /// that cannot be read.
    Result<> add(std::string_view text, const std::string& file);

    /// By name or former name; nullptr when unknown.
    const Board* find(std::string_view name) const;
    const std::vector<std::shared_ptr<const Board>>& all() const noexcept { return boards_; }
    /// nullopt for what is no board name.
    std::optional<BoardTarget> target(std::string_view text) const;

  private:
    std::vector<std::shared_ptr<const Board>> boards_;  ///< sorted by name
};

/// Compares major.minor.patch (also with underscores): negative, 0 or positive; nullopt if either is no such number.
std::optional<int> compare_revisions(std::string_view a, std::string_view b);

/// A file that is built into the program; made from lib/layout/boards by the build.
struct BoardFile {
    std::string_view name;  ///< "nrf9160dk.yaml"
    std::string_view text;
};
std::vector<BoardFile> built_in_board_files();

}  // namespace fota::layout
