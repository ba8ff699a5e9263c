// What `serial update` installs: an image, a release beside its image, or a bundle that holds all of it.
#pragma once

#include <optional>
#include <string>

#include "cli/release_input.hpp"

namespace fota::cli {

struct SerialInputOptions {
    std::string path;
    std::string key;          ///< of the image; "" when none was given
    std::string release_key;  ///< "": `key`, and in a bundle the bundle's
    std::string bundle_key;   ///< "": `key`
    std::string endpoint;     ///< the device at hand, by the name on its label; a bundle must be for it
    std::string board;        ///< what the caller knows the device's board to be; goes before the baseline's
};

struct SerialInput : InstallInput {
    update::ReleaseContext context;     ///< of the bundle's baseline, and the given board
    std::optional<std::string> bundle;  ///< SHA-256 of the bundle's file in hex
    std::string note;                   ///< the bundle's, for the technician; foreign
};

/// Everything is checked: signatures, expiry, the device list, that the image is the release's. A bundle needs
/// `endpoint` (usage), since the cable does not tell the device's name. Errors: those of read_install_input,
/// check_input and release::open_bundle; policy_refused for a device that is not in the list; config_invalid for a
/// bundle without an image.
Result<SerialInput> read_serial_input(const SerialInputOptions& options);

}  // namespace fota::cli
