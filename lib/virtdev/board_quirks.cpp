#include "virtdev/board_quirks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "virtdev/quirks.hpp"

namespace fota::virtdev {

namespace {

bool of_a_board(std::string_view name) {
    return name.starts_with("boot-") || name.starts_with("flash-");
}

}  // namespace

std::span<const BoardQuirkInfo> all_board_quirks() {
    static constexpr std::array table{
        BoardQuirkInfo{"boot-offset", "its MCUboot swaps using offset",
                       [](auto& s) { s.boot.mode = SwapMode::offset; }},
        BoardQuirkInfo{"boot-scratch", "its MCUboot swaps using a scratch area of 28 KiB",
                       [](auto& s) { s.boot.mode = SwapMode::scratch; }},
        BoardQuirkInfo{"boot-overwrite", "its MCUboot overwrites and never goes back",
                       [](auto& s) { s.boot.mode = SwapMode::overwrite; }},
        BoardQuirkInfo{"boot-no-downgrade", "its MCUboot erases an update of a lower version",
                       [](auto& s) { s.boot.downgrade = Downgrade::by_version; }},
        BoardQuirkInfo{"boot-counter", "its MCUboot erases an update of a lower security counter",
                       [](auto& s) { s.boot.downgrade = Downgrade::by_counter; }},
        BoardQuirkInfo{"boot-hardware-counter", "its MCUboot keeps a security counter that only rises",
                       [](auto& s) { s.boot.hardware_counter = true; }},
        BoardQuirkInfo{"flash-gd25le255e", "has a GD25LE255E, 32 MiB (Thingy:91 X)",
                       [](auto& s) { s.external = gd25le255e(); }},
        BoardQuirkInfo{"flash-gd25wb256e", "has a GD25WB256E3IR, 32 MiB (nRF9161-DK, nRF9151-DK)",
                       [](auto& s) { s.external = gd25wb256e(); }},
        BoardQuirkInfo{"flash-w25q32jv", "has a W25Q32JV, 4 MiB (nRF9160 Feather)",
                       [](auto& s) { s.external = w25q32jv(); }},
    };
    return table;
}

Result<BoardSetup> take_board_quirks(std::vector<std::string>& names) {
    BoardSetup setup;
    for (const auto& name : names) {
        if (!of_a_board(name)) continue;
        const auto all = all_board_quirks();
        const auto found = std::ranges::find(all, name, &BoardQuirkInfo::name);
        if (found == all.end()) return unknown_quirk(name);
        found->apply(setup);
    }
    std::erase_if(names, of_a_board);
    return setup;
}

}  // namespace fota::virtdev
