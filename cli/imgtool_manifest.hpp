// Update manifests of Nordic's fork (sign --manifest): a YAML file that lists the other images by path or by hash.
#pragma once

#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "image/builder.hpp"

namespace fota::cli::imgtool {

/// The contents of the MANIFEST TLV. usage: no such file, another format, indexes with gaps, an entry without an image,
/// or an image that does not verify.
Result<Bytes> load_manifest(const std::string& path, image::ByteOrder order);

}  // namespace fota::cli::imgtool
