// Certificate signing requests (RFC 2986) that a modem made with a key of its own.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fota::provision {

/// From %KEYGEN's base64url DER to PEM. message_malformed when it is no request, or its signature is not by its own
/// key.
Result<std::string> signing_request_pem(std::string_view base64url);

}  // namespace fota::provision
