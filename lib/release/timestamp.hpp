// Points in time as text: RFC 3339 section 5.6.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fota::release {

/// Whole seconds, UTC, of the years 1970 to 9999.
using Timestamp = std::chrono::sys_seconds;

/// "2027-01-31T12:00:00Z".
std::string timestamp_text(Timestamp time);
/// Any date-time of RFC 3339: fractions are cut off, an offset is applied; no leap second. config_invalid otherwise.
Result<Timestamp> parse_timestamp(std::string_view text);

}  // namespace fota::release
