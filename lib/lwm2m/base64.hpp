// Base64 (RFC 4648), for opaque values in the textual formats.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace fota::lwm2m {

enum class Alphabet { standard, url };

/// With padding in the standard alphabet, without in the other (RFC 8428 section 4.3).
std::string to_base64(BytesView bytes, Alphabet alphabet);
/// Either alphabet, with or without padding; nullopt on anything else, and on bits that belong to no byte.
std::optional<Bytes> from_base64(std::string_view text);

}  // namespace fota::lwm2m
