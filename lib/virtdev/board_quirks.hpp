// How boards differ from the nRF9160-DK with MCUboot as Nordic's SDK builds it, as named options: the swap mode, what
// prevents downgrades, the external flash part.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "virtdev/bootloader.hpp"
#include "virtdev/nor_flash.hpp"

namespace fota::virtdev {

struct BoardSetup {
    BootConfig boot{};
    FlashPart external = mx25r6435f();
};

struct BoardQuirkInfo {
    std::string_view name;  ///< as in --quirk NAME; begins with "boot-" or "flash-"
    std::string_view help;  ///< one line
    void (*apply)(BoardSetup& setup);
};

std::span<const BoardQuirkInfo> all_board_quirks();

/// Takes the names of these quirks out of `names`; of two that exclude each other the later one counts. usage: a name
/// with one of their beginnings that is none of them.
Result<BoardSetup> take_board_quirks(std::vector<std::string>& names);

}  // namespace fota::virtdev
