// What is known of a board without its build: flash, bus, revisions, alignment of the security attribution.
//
// Sources: the boards' devicetrees in Zephyr (boards/nordic, boards/circuitdojo) and nRF Connect SDK
// (boards/nordic/thingy91*), nRF9160 and nRF5340 product specifications (flash size, SPU region).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fota::layout {

struct Board {
    std::string_view name;                    ///< "nrf9160dk"
    std::string_view title;                   ///< "nRF9160-DK"
    std::string_view soc;                     ///< "nrf9160"
    bool qspi = false;                        ///< the SoC has a QSPI peripheral and the flash sits on it
    std::uint32_t internal_flash = 0x100000;  ///< bytes
    std::uint32_t spu_block = 0x8000;         ///< bytes that the SPU attributes together
    std::string_view flash_label{};           ///< devicetree label; "" when the board has no external flash in use
    std::string_view flash_name{};            ///< the part
    std::string_view flash_bus{};             ///< "spi3"
    std::string_view flash_place{};           ///< "spi3, CS P0.25"
    std::uint64_t max_spi_hz = 0;
    std::uint32_t min_exit_dpd_ns = 0;
    std::string_view flash_since{};   ///< first board revision that has the flash; "" for all
    std::string_view devicetree{};    ///< the part of the board's devicetree that layouts turn on
    std::string_view mcuboot_conf{};  ///< settings which the board's own files give MCUboot
};

const Board* find_board(std::string_view name);
std::vector<std::string> board_names();

/// "nrf9160dk@1.0.0/nrf9160/ns", also "nrf9160dk/nrf9160@1.0.0/ns" and the old "nrf9160dk_nrf9160_ns@1_0_0".
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

std::optional<BoardTarget> parse_board_target(std::string_view text);

/// Compares major.minor.patch (also with underscores): negative, 0 or positive; nullopt if either is no such number.
std::optional<int> compare_revisions(std::string_view a, std::string_view b);

}  // namespace fota::layout
