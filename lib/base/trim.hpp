// White space around a text.
#pragma once

#include <string_view>

namespace fota {

/// `text` without what stands at its ends: ASCII white space, or the characters of `what`.
inline std::string_view trim(std::string_view text, std::string_view what = " \t\r\n\v\f") noexcept {
    const auto first = text.find_first_not_of(what);
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(what) - first + 1);
}

}  // namespace fota
