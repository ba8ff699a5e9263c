// A release: which image, for which boards, in place of which versions, until when; one small signed file beside it.
//
// A JSON Web Signature (signed_document.hpp) of type fotactl-release whose payload is a JSON object in canonical form:
// keys sorted, each once, no white space. Unknown keys are refused, since an older program that skipped a restriction
// it does not know would install what the release forbids; a later form has another "format".
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/sha256.hpp"
#include "image/image.hpp"
#include "image/signer.hpp"
#include "release/timestamp.hpp"
#include "release/version_range.hpp"

namespace fota::release {

/// "typ" of its header.
inline constexpr std::string_view manifest_type = "fotactl-release";

struct Manifest {
    std::string file;        ///< "file": the image's name beside the manifest, without folders, at most 128 bytes
    std::uint64_t size = 0;  ///< "size": bytes of the image in it, 1 to 64 MiB; of Intel HEX or a package what it holds
    Digest256 sha256{};      ///< "sha256" of these bytes
    Bytes image_hash;        ///< "image_hash": its hash TLV, 32, 48 or 64 bytes
    image::Version version;  ///< "version", of its header
    Bytes key_hash;          ///< "key_hash": its KEYHASH TLV; empty: it has none
    std::string board;       ///< "board": the device's board, with or without its qualifiers; "": any; at most 64 bytes
    std::string soc;         ///< "soc"; "": not said; at most 64 bytes
    std::optional<Digest256> layout;   ///< "layout": digest of the slot layout it was made for
    VersionRange replaces;             ///< "min_version" and "max_version" of what it may take the place of
    std::optional<Timestamp> expires;  ///< "expires" (RFC 3339): not to be installed from then on
    std::string notes;                 ///< "notes" for people, at most 4096 bytes
};

/// What an image file says of itself, under this name; the rest is the caller's to fill in. image_malformed when it is
/// none; config_invalid for a name with folders or an image without a hash.
Result<Manifest> describe_image(BytesView file, std::string name);

/// Lengths, names, an inverted range: config_invalid.
Result<> validate(const Manifest& manifest);

/// The payload. The same manifest always gives the same bytes.
std::string canonical_text(const Manifest& manifest);
/// The inverse: config_invalid for anything that canonical_text() does not write.
Result<Manifest> parse_manifest(std::string_view text);

/// Errors of validate() and sign_document().
Result<std::string> sign_manifest(const Manifest& manifest, image::Signer& signer);
/// Errors of open_payload() and parse_manifest(). Expiry is not looked at: see check_expiry().
Result<Manifest> open_manifest(std::string_view text, const image::PublicKey& key);

/// A release without its signature having been checked: to be shown, never to be acted upon.
struct UncheckedManifest {
    Manifest manifest;
    std::string key_id;     ///< SHA-256 of the public key that it names, in hex; foreign
    std::string algorithm;  ///< "EdDSA" or "ES256"
};
Result<UncheckedManifest> read_manifest(std::string_view text);

/// policy_refused when it has expired at `now`.
Result<> check_expiry(const Manifest& manifest, Timestamp now);
/// image_rejected, naming the first difference, when this file is not the image of the release.
Result<> check_file(const Manifest& manifest, BytesView file);

}  // namespace fota::release
