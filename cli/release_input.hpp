// IMAGE|RELEASE, as the commands that install take it: an image file, or a release manifest with its image beside it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/checked_layout.hpp"
#include "release/manifest.hpp"
#include "update/release_check.hpp"

namespace fota::cli {

struct InstallInput {
    std::string path;  ///< of the image; the bundle's name for what came out of one
    Bytes image;
    std::optional<release::Manifest> manifest;  ///< its signature is good
};

/// Whether a file's beginning is that of JSON: then it is a release or a bundle and no image.
bool looks_like_json(BytesView text);

/// The manifest, opened with the first of the keys (files) that is good for it. usage when all are ""; else the first
/// key's error. `name` is for messages.
Result<release::Manifest> open_release(BytesView text, const std::string& name, const std::vector<std::string>& keys);

/// A file that is no JSON is an image, read as read_image() does; usage when --release-key was given for it. A release is
/// opened with `release_key`, else with `key`; its image lies beside it. See check_input for what it demands.
Result<InstallInput> read_install_input(const std::string& path, const std::string& release_key,
                                        const std::string& key);

/// update::check_release() of `image`, which is or was the input's, at this moment; nothing for an image without a
/// release.
Result<> check_input(const InstallInput& input, BytesView image, const update::ReleaseContext& context);

/// "release  2.0.0 · board nrf9160dk · replaces 1.0.0 to 1.9.9 · good until 2027-01-31T12:00:00Z".
std::string release_note(const release::Manifest& manifest);

}  // namespace fota::cli
