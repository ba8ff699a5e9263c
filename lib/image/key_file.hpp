// What a file of keys holds, before any of it is read as a key.
#pragma once

#include <cstddef>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fota::image {

/// A key of 3072 bits takes 2.5 KB in PEM; what is far longer is something else.
inline constexpr std::size_t longest_key_file = 64 * 1024;

/// The parts of a file, each of which may be a key: the blocks of PEM, whatever stands before, between and after them,
/// or all of it where it is DER; they lie in `file`. What has no key of its own is left out: certificates, and the
/// parameters that OpenSSL writes before a new key on a curve. None of a file that is longer than longest_key_file.
std::vector<BytesView> key_candidates(BytesView file);

/// Whether a candidate is a private key that its owner encrypted.
bool is_sealed(BytesView candidate);

/// An encrypted key decides for itself how long it takes to decrypt: up to hours. key_unusable where that is too long.
Result<> check_derivation_cost(BytesView candidate);

}  // namespace fota::image
