// The bootloader's configuration in a devicetree, from which Nordic's imgtool takes the identifiers of an image.
#pragma once

#include <optional>
#include <string>

#include "base/result.hpp"
#include "image/uuid.hpp"

namespace fota::cli::imgtool {

struct ImageIds {
    std::optional<image::Uuid> vendor;
    std::optional<image::Uuid> kind;
};

/// --edt-config: the identifiers of the partition this image is linked for; none where the bootloader's configuration
/// does not name it. `path` is zephyr.dts, or the edt.pickle beside it: that one is the same devicetree as objects of
/// Python, which Python alone can read. file_unreadable; config_invalid: no devicetree, or one that imgtool refuses.
/// Source: scripts/imgtool/bootlib.py in Nordic's tree.
Result<ImageIds> read_edt_config(const std::string& path);

}  // namespace fota::cli::imgtool
