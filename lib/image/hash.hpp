// The three hashes an image may be protected with.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"

struct evp_md_st;

namespace fota::image {

enum class HashType : std::uint8_t { sha256, sha384, sha512 };

/// 32, 48 or 64 bytes.
std::size_t hash_size(HashType type) noexcept;
/// "SHA256", "SHA384", "SHA512": the TLV names.
const char* hash_name(HashType type) noexcept;
Bytes digest(HashType type, BytesView data);
/// libcrypto's description of the hash; never null.
const evp_md_st* evp_hash(HashType type) noexcept;

}  // namespace fota::image
