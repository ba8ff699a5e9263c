// Documents that are handed in or carried about: JSON Web Signatures (RFC 7515, flattened JSON form) with Ed25519 (RFC
// 8037), which any JOSE library can check. Keys and their algorithm stay outside: signing and checking are functions.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fota::provision {

/// Ed25519 over these bytes.
using SignFunction = std::function<Result<Bytes>(BytesView message)>;
using CheckFunction = std::function<bool(BytesView message, BytesView signature)>;

/// `type` is the header's "typ": a report never passes for a bundle. `key_id` names the key ("kid"): its SHA-256 in
/// hex.
Result<std::string> sign_document(const nlohmann::json& payload, std::string_view type, std::string_view key_id,
                                  const SignFunction& sign);

/// The payload, once the signature is good. Errors: config_invalid when it is no such document or of another type;
/// signature_invalid.
Result<nlohmann::json> open_document(std::string_view text, std::string_view type, const CheckFunction& check);

/// RFC 4648 section 5, without padding.
std::string to_base64url(BytesView bytes);
/// nullopt on foreign characters and impossible lengths; padding is accepted.
std::optional<Bytes> from_base64url(std::string_view text);

}  // namespace fota::provision
