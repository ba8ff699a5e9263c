// The options of push that say how an update is done: what is updated, through which object, which way the package
// goes, and what the device must be fit for.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "cli/cli11.hpp"
#include "update/types.hpp"

namespace fota::cli {

struct UpdateOptions {
    std::string method;
    std::string package_uri;
    std::string advertise;
    std::string component = "app";
    std::string object;
    std::optional<std::int64_t> min_battery;
    std::optional<std::int64_t> min_free_memory;
    bool refuse_device_errors = false;
    std::string severity;
    std::string max_defer;

    bool modem() const { return component == "modem"; }
    bool bootloader() const { return component == "mcuboot"; }
};

void bind_update_options(CLI::App& app, UpdateOptions& options);

/// Fills those fields of the policy. Errors: usage.
Result<> fill_policy(const UpdateOptions& options, update::Policy& policy);

}  // namespace fota::cli
