// Private keys as a bootloader that decrypts images embeds them.
// Source: MCUboot scripts/imgtool/keys (getpriv); RFC 8017 A.1.2, RFC 5915, RFC 5958.
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "image/key.hpp"

namespace fota::image {

enum class PrivateForm : std::uint8_t { traditional, pkcs8 };

/// DER. `minimal` leaves out what decrypting can do without: the public half of an EC key; of an RSA key the CRT
/// numbers, which makes an RSAPrivateKey that only MCUboot reads. Other keys have nothing to leave out.
Result<Secret<Bytes>> private_der(const PrivateKey& key, PrivateForm form, bool minimal);

}  // namespace fota::image
