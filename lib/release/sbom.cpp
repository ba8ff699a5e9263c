#include "release/sbom.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace fota::release {

nlohmann::json spdx_document(const Manifest& manifest, const std::string& tool, Timestamp created) {
    using nlohmann::json;
    const auto digest = to_hex(manifest.sha256);
    constexpr auto package = "SPDXRef-Package-image";
    json image{{"SPDXID", package},
               {"name", manifest.file},
               {"versionInfo", manifest.version.full()},
               {"packageFileName", manifest.file},
               {"downloadLocation", "NOASSERTION"},
               {"filesAnalyzed", false},
               {"checksums", json::array({{{"algorithm", "SHA256"}, {"checksumValue", digest}}})},
               {"licenseConcluded", "NOASSERTION"},
               {"licenseDeclared", "NOASSERTION"},
               {"copyrightText", "NOASSERTION"},
               {"supplier", "NOASSERTION"},
               {"primaryPackagePurpose", "FIRMWARE"}};
    if (!manifest.board.empty()) image["comment"] = "for the board " + manifest.board;
    return {{"spdxVersion", "SPDX-2.3"},
            {"dataLicense", "CC0-1.0"},
            {"SPDXID", "SPDXRef-DOCUMENT"},
            {"name", fmt::format("{}-{}", manifest.file, manifest.version.full())},
            // A name that no other document has; nothing needs to be found there.
            {"documentNamespace", fmt::format("https://fotactl.invalid/spdx/{}/{}", digest, timestamp_text(created))},
            {"creationInfo", {{"created", timestamp_text(created)}, {"creators", json::array({"Tool: " + tool})}}},
            {"packages", json::array({std::move(image)})},
            {"relationships", json::array({{{"spdxElementId", "SPDXRef-DOCUMENT"},
                                            {"relationshipType", "DESCRIBES"},
                                            {"relatedSpdxElement", package}}})}};
}

}  // namespace fota::release
