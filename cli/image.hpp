// The subcommands of fotactl image, one file each, and what they say in common.
#pragma once

#include <string>

#include "cli/program.hpp"
#include "image/image.hpp"

namespace fota::cli {

void add_image_sign(CLI::App& group, Program& program);
void add_image_verify(CLI::App& group, Program& program);
void add_image_show(CLI::App& group, Program& program);

/// An image file in memory, with what parse() found in it.
struct LoadedImage {
    Bytes bytes;
    image::Parsed parsed;
};
/// The image in the content of a file: as it is, out of Intel HEX (gaps as 0xff), or the application of a DFU package,
/// which may hold it as Intel HEX. image_malformed where the one or the other is broken.
Result<Bytes> unwrap_image(Bytes bytes);
/// The same of a file that was read: its errors have detail "file" and name it.
Result<Bytes> unwrap_image(Bytes bytes, const std::string& path);
/// An image file as the device will get it, whatever it is wrapped in. Told apart by content. file_unreadable or
/// image_malformed, both with detail "file".
Result<Bytes> read_image(const std::string& path);
/// read_image() and image::parse(); the same errors.
Result<LoadedImage> load_image(const std::string& path);

/// Whether a file is Intel HEX by its name.
bool is_hex_name(const std::string& path);

/// "2.0.0+17 · 364,747 bytes · ECDSA-P256 key 5b1f…9c", or "… · not signed"; then "encrypted" and "compressed".
std::string image_summary(BytesView file, const image::Parsed& parsed);

/// Name of the published development key that signed it, or "".
std::string_view development_key_of(BytesView file, const image::Parsed& parsed);

/// The warning that goes with it.
std::string development_key_warning(const Output& out, std::string_view name);

/// {"version","hash","key_hash","size"}: key_hash is null where the image has none.
nlohmann::json image_facts(BytesView file, const image::Parsed& parsed);

}  // namespace fota::cli
