// regions.yml of a build: the memories as Partition Manager was told of them.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "layout/finding.hpp"

namespace fota::layout {

struct Region {
    std::string name;        ///< "flash_primary", "external_flash", "sram_primary"
    std::uint64_t base = 0;  ///< address of its start; 0 for flash
    std::uint64_t size = 0;  ///< bytes
    Where where;
};

/// config_invalid with the line when the text is no YAML map of maps, or a size or address is no number of 32 bits or
/// a size is 0. A region that gives no size is left out.
Result<std::vector<Region>> parse_regions(std::string_view text, const std::string& file);

}  // namespace fota::layout
