// Documents that are handed in or carried about: JSON Web Signatures (RFC 7515, flattened JSON form) with Ed25519
// (RFC 8037, "EdDSA") or P-256 (RFC 7518 section 3.4, "ES256"), which any JOSE library can check.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "image/signer.hpp"

namespace fota::release {

/// key_unusable unless the key is Ed25519 or P-256: so that a bad key is known before any work is done.
Result<> check_document_key(const image::PublicKey& key);

/// `type` is the header's "typ": a report never passes for a bundle. The payload is written in its canonical form: keys
/// sorted, no white space. "kid" is the SHA-256 of the public key in hex. The signature is verified before it is used:
/// signature_invalid when the signer made another than its key's; key_unusable as above; else the signer's errors.
Result<std::string> sign_document(const nlohmann::json& payload, std::string_view type, image::Signer& signer);

/// The payload's bytes, once the signature is good. Errors: config_invalid when it is no such document or of another
/// type; key_mismatch when it names another key; signature_invalid; key_unusable as above.
Result<std::string> open_payload(std::string_view text, std::string_view type, const image::PublicKey& key);

/// open_payload, and the JSON object that it is; config_invalid for any other value.
Result<nlohmann::json> open_document(std::string_view text, std::string_view type, const image::PublicKey& key);

/// What a document says without anybody having checked it: to be shown, never to be acted upon.
struct Unchecked {
    std::string payload;
    std::string key_id;     ///< "kid"; "" when it names none. Foreign: escape before printing
    std::string algorithm;  ///< "EdDSA" or "ES256"
};
/// config_invalid when it is no such document or of another type.
Result<Unchecked> read_unchecked(std::string_view text, std::string_view type);

/// Whether the text has the outer form of a signed document of this type; says nothing about its signature.
bool looks_like_document(std::string_view text, std::string_view type);

}  // namespace fota::release
