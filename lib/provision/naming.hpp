// Names made from what a device says of itself: endpoint and identity templates.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fota::provision {

/// Fills in "{imei}" and whatever else `values` has. usage: an unknown name between braces, an open brace, an empty
/// result, and a result with characters other than printable ASCII.
Result<std::string> expand(std::string_view text, const std::map<std::string, std::string>& values);

/// Whether the template asks for this value.
bool asks_for(std::string_view text, std::string_view name);

}  // namespace fota::provision
