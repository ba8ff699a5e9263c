// Which versions a release may take the place of.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "image/version.hpp"

namespace fota::release {

/// Both ends are inside; an absent end is open.
struct VersionRange {
    std::optional<image::Version> min;
    std::optional<image::Version> max;

    bool is_open() const noexcept { return !min && !max; }
    bool contains(const image::Version& version) const noexcept {
        return (!min || version >= *min) && (!max || version <= *max);
    }
    /// "1.0.0 to 1.9.9", "1.0.0 or later", "up to 1.9.9", "any version".
    std::string text() const;
};

/// policy_refused when what runs is outside, or says no version that could be compared while the range is not open.
/// `running`: as the device said it (for the message); `version`: what was understood of it.
std::optional<Error> replace_fault(const VersionRange& range, const std::optional<image::Version>& version,
                                   std::string_view running);

}  // namespace fota::release
