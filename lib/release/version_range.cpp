#include "release/version_range.hpp"

#include <fmt/format.h>

#include "base/text.hpp"

namespace fota::release {

std::string VersionRange::text() const {
    if (min && max) return fmt::format("{} to {}", min->text(), max->text());
    if (min) return fmt::format("{} or later", min->text());
    if (max) return fmt::format("up to {}", max->text());
    return "any version";
}

std::optional<Error> replace_fault(const VersionRange& range, const std::optional<image::Version>& version,
                                   std::string_view running) {
    if (range.is_open() || (version && range.contains(*version))) return std::nullopt;
    return Error(Errc::policy_refused, fmt::format("expected a device that runs {}, which this release may replace, "
                                                   "found \"{}\"",
                                                   range.text(), printable(running)));
}

}  // namespace fota::release
