// Base64 with the alphabet of URLs (RFC 4648 section 5), as JSON Web Signatures and the modem's requests have it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace fota {

/// Without padding.
std::string to_base64url(BytesView bytes);
/// nullopt on foreign characters and impossible lengths; padding is accepted.
std::optional<Bytes> from_base64url(std::string_view text);

}  // namespace fota
