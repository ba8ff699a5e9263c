// Signatures that depend on key and digest alone. libcrypto 3.0 has no parameter for them.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "image/hash.hpp"

struct evp_pkey_st;

namespace fota::image {

/// ECDSA with the nonce of RFC 6979, as DER. P-256 with SHA-256 or P-384 with SHA-384: the digest is as long as the
/// order.
Result<Bytes> sign_ecdsa_deterministic(evp_pkey_st* key, HashType hash, BytesView digest);

/// RSASSA-PSS (RFC 8017, section 9.1.1) with MGF1 and a salt of 32 bytes derived from the private key and the digest.
Result<Bytes> sign_pss_deterministic(evp_pkey_st* key, HashType hash, BytesView digest);

}  // namespace fota::image
