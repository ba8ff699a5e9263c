// Intel HEX files: read and written in pieces, so that their text, nearly three times the data, is never in memory
// whole.
#pragma once

#include <cstdint>
#include <string>

#include "cli/files.hpp"
#include "image/builder.hpp"

namespace fota::cli {

struct HexData {
    Bytes bytes;                ///< from the first address to the last, gaps as erased flash
    std::uint32_t address = 0;  ///< of the first one
};

/// file_unreadable as read_file() has it, up to image_file_limit; else what image::HexReader and HexFile::flat() say,
/// with the file named. `may_be_empty`: a file without data is no error.
Result<HexData> read_hex_file(const std::string& path, bool may_be_empty = false);

/// Into a file that is being written: see image::write_hex().
Result<> write_hex_image(const image::Built& built, const image::SignOptions& options, std::uint32_t address,
                         const Sink& sink);

}  // namespace fota::cli
