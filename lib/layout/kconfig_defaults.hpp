// Defaults which an application's Kconfig.sysbuild gives sysbuild's options: `config` and `choice` blocks with
// `default VALUE [if CONDITION]`, also inside `if CONDITION ... endif`. Zephyr, doc/build/kconfig.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "layout/kconfig.hpp"

namespace fota::layout {

/// What a symbol ("BOARD_NRF9160DK_NRF9160_NS") or a variable ("${BOARD_REVISION}") is; nullopt when that is unknown.
using KconfigValues = std::function<std::optional<std::string>(std::string_view name)>;

/// The options whose first applicable default can be decided, by full name (SB_CONFIG_...). A default whose condition
/// is unknown ends the search for its option. config_invalid as Kconfig::parse().
Result<Kconfig> sysbuild_defaults(std::string_view text, const std::string& file, const KconfigValues& values);

}  // namespace fota::layout
