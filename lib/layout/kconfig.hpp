// Kconfig fragments (prj.conf, sysbuild.conf) and generated .config files: `CONFIG_X=value` and `# CONFIG_X is not
// set`.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "layout/finding.hpp"

namespace fota::layout {

struct Setting {
    std::string value;  ///< without quotes; "n" for `is not set`
    Where where;
};

/// Settings by full name ("CONFIG_SPI", "SB_CONFIG_BOOTLOADER_MCUBOOT"). As in Kconfig the last assignment wins, also
/// among the members of a choice, and a line that is no assignment is ignored.
class Kconfig {
  public:
    /// config_invalid (with line) when the text has an impossible length of line or number of settings.
    static Result<Kconfig> parse(std::string_view text, const std::string& file);

    /// A later fragment on top of this one.
    void merge(const Kconfig& later);

    const Setting* find(std::string_view name) const;
    bool on(std::string_view name) const;
    /// The number, or `fallback` when it is not set or no number.
    std::uint64_t number(std::string_view name, std::uint64_t fallback) const;
    std::string text(std::string_view name) const;

    const std::map<std::string, Setting, std::less<>>& all() const noexcept { return settings_; }
    bool empty() const noexcept { return settings_.empty(); }

  private:
    void set(std::string_view name, Setting setting);

    std::map<std::string, Setting, std::less<>> settings_;
};

}  // namespace fota::layout
