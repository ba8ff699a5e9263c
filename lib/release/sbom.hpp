// A bill of materials of a release: SPDX 2.3 in JSON (ISO/IEC 5962's successor, spdx.github.io/spdx-spec/v2.3).
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "release/manifest.hpp"

namespace fota::release {

/// One package, the image, with its version and the SHA-256 of its file. What is inside it only its build knows:
/// "filesAnalyzed" is false, licences are NOASSERTION. `tool`: "fotactl-0.1.0"; `created`: when.
nlohmann::json spdx_document(const Manifest& manifest, const std::string& tool, Timestamp created);

}  // namespace fota::release
