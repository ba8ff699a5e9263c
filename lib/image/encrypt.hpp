// Encrypted images: the payload under AES-CTR, its key wrapped for the device in one TLV.
// Source: MCUboot docs/encrypted_images.md, boot/bootutil/src/encrypted.c.
#pragma once

#include <cstdint>
#include <span>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "image/image.hpp"
#include "image/key.hpp"

namespace fota::image {

/// For whom an image is encrypted, and how.
struct Encryption {
    PublicKey recipient;               ///< ECDSA-P256 or X25519 (ECIES), or RSA-2048 (OAEP)
    std::uint32_t bits = 128;          ///< AES key: 128 or 256
    HashType hmac = HashType::sha256;  ///< of HKDF and MAC in ECIES; SHA-512 with X25519 alone
    bool clear =
        false;  ///< key TLV and flag, payload not encrypted: goes into the primary slot, is encrypted in a swap
};

/// key_unusable for a key no bootloader decrypts with (P-384, RSA-3072, Ed25519); usage for other bits or another hash.
Result<> check_encryption(const Encryption& encryption);

struct WrappedKey {
    std::uint16_t type = 0;  ///< TLV
    Bytes value;
};

/// A fresh image key, `encryption.bits` long.
Result<Secret<Bytes>> new_image_key(const Encryption& encryption);
/// The image key for the recipient: an ephemeral ECDH key, HKDF with "MCUBoot_ECIES_v1", AES-CTR and HMAC, as public
/// key | MAC | encrypted key; or RSA-OAEP with SHA-256. The key that encrypts is as long as the image key.
Result<WrappedKey> wrap_key(const Encryption& encryption, BytesView image_key);
/// The inverse, for a TLV of an image. key_mismatch: the TLV is for another kind of key, or this key does not open it;
/// image_rejected: its length is wrong for `bits`.
Result<Secret<Bytes>> unwrap_key(const PrivateKey& key, std::uint16_t type, BytesView value, std::uint32_t bits);

/// AES-CTR from counter 0, in place; encrypts and decrypts. `key`: 16 or 32 bytes.
Result<> aes_ctr(BytesView key, std::span<std::uint8_t> data);

/// The same file with its payload in clear; header (flags included) and TLVs are as they were, so that `parsed` holds
/// for it too. image_rejected: not encrypted, or without the TLV for this kind of key; else as unwrap_key().
Result<Bytes> decrypt(BytesView file, const Parsed& parsed, const PrivateKey& key);

}  // namespace fota::image
