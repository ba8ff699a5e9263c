// What imgtool sign takes on its command line, and the same as options of the image builder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cli/imgtool.hpp"
#include "image/builder.hpp"

namespace fota::cli::imgtool {

/// In the order in which imgtool complains about missing ones.
std::vector<Parameter> sign_parameters();

/// All but keys, encryption and custom TLVs, which are read from files.
Result<image::SignOptions> sign_options(const Arguments& arguments);

/// "(0, 1.2.3+4), (1, primary, 2.0.0)". Errc::usage with the sentence for "Invalid value for ...".
Result<std::vector<image::Dependency>> parse_dependencies(const std::string& text);

/// --custom-tlv and --custom-tlv-file.
Result<std::vector<std::pair<std::uint16_t, Bytes>>> custom_tlvs(const Arguments& arguments);

}  // namespace fota::cli::imgtool
