// Configuration: flag > FOTACTL_* environment > fotactl.toml of the project, then of the user > default.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace fota::cli {

/// Settings that may stand in fotactl.toml as `name = "value"` and in the environment as FOTACTL_NAME. Flags are
/// handled by each command, which asks here only when its flag was not given.
class Config {
  public:
    struct Value {
        std::string text;
        std::string origin;  ///< "environment FOTACTL_KEY", "./fotactl.toml:3", "default"
    };

    /// Reads the environment and the files. `explicit_file` (--config) replaces both searched places and must exist.
    /// config_invalid with file and line when TOML cannot be parsed or a name is unknown.
    Result<> load(const std::string& explicit_file);

    /// A known setting, from environment or file.
    std::optional<Value> get(const std::string& name) const;
    /// The flag when given, else the configured value, else "".
    std::string value_or(const std::string& flag, const std::string& name) const;

    /// The state directory D of CLI.md: flag, FOTACTL_STATE_DIR, configuration, else $XDG_STATE_HOME/fotactl.
    Value state_dir(const std::string& flag) const;

    /// Names of all settings, with the default in words.
    static const std::vector<std::pair<std::string, std::string>>& known();

  private:
    std::map<std::string, Value> values_;
};

}  // namespace fota::cli
