// Keys: reading and writing PEM and DER, the encodings the bootloader embeds, and the hashes that images carry.
// Source: MCUboot scripts/imgtool/keys, boot/bootutil/src/bootutil_find_key.c.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "image/hash.hpp"

struct evp_pkey_st;

namespace fota::image {

enum class KeyType : std::uint8_t { rsa2048, rsa3072, ecdsa_p256, ecdsa_p384, ed25519, x25519 };

/// "RSA-2048", "ECDSA-P256", "Ed25519": for people.
std::string_view key_type_name(KeyType type) noexcept;
/// "rsa-2048", "ecdsa-p256", "ed25519": the command line's and imgtool's spelling.
std::string_view key_type_word(KeyType type) noexcept;
std::optional<KeyType> key_type_from_word(std::string_view word) noexcept;

/// Signature TLV this key type produces; 0 for X25519, which cannot sign.
std::uint16_t signature_tlv(KeyType type) noexcept;
/// The hash imgtool and a default bootloader use with this key type: SHA-384 for P-384, else SHA-256.
HashType default_hash(KeyType type) noexcept;
/// SHA-512 besides the default for Ed25519; else the default alone.
bool allows_hash(KeyType type, HashType hash) noexcept;

class PublicKey {
  public:
    /// PEM (the first block that is one) or DER; SubjectPublicKeyInfo, PKCS#1, or an open private key's public half;
    /// id-RSASSA-PSS is taken for RSA. key_unusable: no key, or a type or size MCUboot has no signature for.
    static Result<PublicKey> parse(BytesView pem_or_der);

    KeyType type() const noexcept { return type_; }
    /// What the bootloader embeds and hashes: PKCS#1 DER for RSA, SubjectPublicKeyInfo DER for all others.
    const Bytes& encoded() const noexcept { return encoded_; }
    /// SubjectPublicKeyInfo in PEM.
    std::string pem() const;
    /// Hash of encoded(): with the image's hash this is the KEYHASH TLV.
    Bytes hash(HashType type) const { return digest(type, encoded_); }
    /// SHA-256 of encoded(), the fingerprint shown to people.
    Bytes fingerprint() const { return hash(HashType::sha256); }

    /// libcrypto's key, owned by this object.
    evp_pkey_st* evp() const noexcept { return key_.get(); }

    friend bool operator==(const PublicKey& a, const PublicKey& b) { return a.encoded_ == b.encoded_; }

  private:
    friend class PrivateKey;
    PublicKey() = default;
    static Result<PublicKey> from_evp(evp_pkey_st* key);

    KeyType type_ = KeyType::ecdsa_p256;
    Bytes encoded_;
    std::shared_ptr<evp_pkey_st> key_;
};

using Passphrase = Secret<std::string>;

class PrivateKey {
  public:
    static Result<PrivateKey> generate(KeyType type);
    /// PEM (the first block that is one, encrypted or not) or DER; PKCS#8, encrypted PKCS#8 or the traditional forms.
    /// key_unusable when it is no private key, and when hashing the passphrase as often as it asks would take more than
    /// some seconds; credentials_unusable when
    /// the passphrase is missing (nullptr) or wrong.
    static Result<PrivateKey> parse(BytesView pem_or_der, const Passphrase* passphrase = nullptr);

    KeyType type() const noexcept { return public_.type(); }
    const PublicKey& public_key() const noexcept { return public_; }
    /// PKCS#8 PEM; with a passphrase encrypted by AES-256-CBC under PBKDF2-HMAC-SHA256.
    Result<Secret<std::string>> pem(const Passphrase* passphrase = nullptr) const;

    evp_pkey_st* evp() const noexcept { return key_.get(); }

  private:
    PrivateKey() = default;
    PublicKey public_;
    std::shared_ptr<evp_pkey_st> key_;
};

/// Whether the key that PrivateKey::parse() would take is encrypted, so that the caller can ask for a passphrase first.
bool is_encrypted_key(BytesView pem_or_der);

/// Name of the published MCUboot development key ("root-ec-p256") whose encoded() has this SHA-256, SHA-384 or SHA-512;
/// empty when it is none of them. Everyone has these private keys: an image signed by one is signed by nobody.
std::string_view development_key_name(BytesView key_hash) noexcept;

}  // namespace fota::image
