// The tree or baseline that an image is checked against before anything is sent.
#pragma once

#include <optional>
#include <string>

#include "cli/program.hpp"
#include "image/key.hpp"
#include "layout/slots.hpp"
#include "update/release_check.hpp"

namespace fota::cli {

/// What was checked and has no errors.
struct CheckedLayout {
    update::ReleaseContext context;
    std::optional<image::PublicKey> key;  ///< compiled into the tree's MCUboot
    unsigned rules = 0;                   ///< 0 of a baseline, which is a result of such checks
};

/// `path`: a build or source directory, whose rules are checked with `image`, or a baseline file. `image_name` is for
/// the findings. layout_failed names the first error.
Result<CheckedLayout> check_layout(const Program& program, const std::string& path, BytesView image,
                                   const std::string& image_name);

/// A baseline's text: slots and board. message_malformed.
Result<update::ReleaseContext> baseline_context(BytesView text, const std::string& name);

}  // namespace fota::cli
