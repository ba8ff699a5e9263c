// Keys for devices that have none.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace fota::provision {

/// AES-128's strength, and what every client's buffers hold.
inline constexpr std::size_t minted_key_bytes = 16;
/// NCS's LwM2M client reads the key as hexadecimal text into 65 bytes (lwm2m_security.c).
inline constexpr std::size_t longest_modem_key = 32;

/// Random bytes from libcrypto's private generator. internal when the system gives no randomness.
Result<Secret<Bytes>> mint_key();

}  // namespace fota::provision
