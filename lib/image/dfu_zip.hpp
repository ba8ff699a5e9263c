// DFU packages: the zip that the nRF Connect SDK's build writes (dfu_application.zip), whose manifest.json names the
// images. Source: nRF Connect SDK scripts/bootloader/generate_zip.py.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fota::image {

/// Bounds of one package: a device's flash is far smaller.
inline constexpr std::uint64_t zip_entry_limit = 64;                  ///< entries
inline constexpr std::uint64_t zip_size_limit = 64ULL * 1024 * 1024;  ///< bytes of all entries, unpacked
inline constexpr std::uint64_t zip_manifest_limit = 64ULL * 1024;     ///< bytes of manifest.json

struct DfuImage {
    std::string file;                   ///< name in the package
    std::string type;                   ///< "application", "mcuboot", ...; empty where the manifest does not say
    std::string board;                  ///< empty where the manifest does not say
    std::string version;                ///< version_MCUBOOT; empty where the manifest does not say
    std::uint64_t image_index = 0;      ///< MCUboot's image number
    std::optional<std::uint64_t> slot;  ///< slot_index_primary or slot: which of two variants this is
    Bytes bytes;
};

struct DfuPackage {
    std::string name;
    std::vector<DfuImage> images;  ///< in the manifest's order, at least one

    /// The application: the one image there is, or the only one with image index 0 and without a second slot's variant.
    /// image_malformed, with the names, when that leaves none or several.
    Result<const DfuImage*> application() const;
};

/// Whether the bytes begin like a zip archive.
bool looks_like_zip(BytesView bytes) noexcept;

/// Unpacks in memory. image_malformed: not a zip, no manifest.json or one that cannot be understood, a file it names is
/// missing or of another size, more entries or bytes than the limits above, a name that is absolute, leads upwards or
/// occurs twice, an encrypted entry, or a damaged one.
Result<DfuPackage> read_dfu_zip(BytesView bytes);

}  // namespace fota::image
