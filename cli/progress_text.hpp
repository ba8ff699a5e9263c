// How far something is, for a person: a bar and the time that is left.
#pragma once

#include <string>

namespace fota::cli {

/// `part` of 0 to 1 as a bar of so many columns, padded with blanks; what is not a number counts as 0, and
/// columns <= 0 gives none.
std::string progress_bar(double part, int columns);

/// "01:11", "1:02:03"; "--:--" for what is negative, not a number or longer than 100 hours.
std::string clock_text(double seconds);

}  // namespace fota::cli
