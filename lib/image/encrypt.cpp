#include "image/encrypt.hpp"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <memory>

#include "image/openssl_free.hpp"

namespace fota::image {
namespace {

using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, Free<EVP_CIPHER_CTX_free>>;
using Kdf = std::unique_ptr<EVP_KDF, Free<EVP_KDF_free>>;
using KdfContext = std::unique_ptr<EVP_KDF_CTX, Free<EVP_KDF_CTX_free>>;

constexpr std::string_view ecies_info = "MCUBoot_ECIES_v1";
constexpr std::size_t rsa_bytes = 256;

Failure libcrypto_failed(const char* doing) {
    ERR_clear_error();
    return fail(Errc::internal, fmt::format("expected libcrypto to {}, it failed", doing));
}

bool is_ecies(KeyType type) {
    return type == KeyType::ecdsa_p256 || type == KeyType::x25519;
}

/// Length of an encoded ephemeral key: an uncompressed point, or X25519's 32 bytes.
std::size_t point_bytes(KeyType type) {
    return type == KeyType::x25519 ? 32 : 65;
}

/// The TLV types a bootloader with this kind of key looks for.
std::vector<std::uint16_t> types_for(KeyType type) {
    switch (type) {
        case KeyType::rsa2048:
            return {tlv::enc_rsa2048};
        case KeyType::ecdsa_p256:
            return {tlv::enc_ec256};
        case KeyType::x25519:
            return {tlv::enc_x25519, tlv::enc_x25519_sha512};
        default:
            return {};
    }
}

Failure unfit(KeyType type) {
    return fail(Errc::key_unusable,
                fmt::format("expected an ECDSA-P256, X25519 or RSA-2048 key for encryption, the only ones a bootloader "
                            "can decrypt with, found an {} key",
                            key_type_name(type)));
}

Result<Secret<Bytes>> ecdh(EVP_PKEY* own, EVP_PKEY* peer) {
    const KeyContext context(EVP_PKEY_CTX_new(own, nullptr));
    std::size_t length = 0;
    if (!context || EVP_PKEY_derive_init(context.get()) != 1 || EVP_PKEY_derive_set_peer(context.get(), peer) != 1 ||
        EVP_PKEY_derive(context.get(), nullptr, &length) != 1)
        return libcrypto_failed("prepare a key agreement");
    Bytes shared(length);
    if (EVP_PKEY_derive(context.get(), shared.data(), &length) != 1) {
        OPENSSL_cleanse(shared.data(), shared.size());
        return libcrypto_failed("agree on a key");
    }
    shared.resize(length);
    return Secret<Bytes>(std::move(shared));
}

/// HKDF (RFC 5869) without salt.
Result<Secret<Bytes>> hkdf(HashType hash, BytesView shared, std::size_t length) {
    const Kdf kdf(EVP_KDF_fetch(nullptr, "HKDF", nullptr));
    const KdfContext context(kdf ? EVP_KDF_CTX_new(kdf.get()) : nullptr);
    std::string name(hash_name(hash));
    const OSSL_PARAM params[]{
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name.data(), 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, const_cast<std::uint8_t*>(shared.data()), shared.size()),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, const_cast<char*>(ecies_info.data()), ecies_info.size()),
        OSSL_PARAM_construct_end(),
    };
    Bytes out(length);
    if (!context || EVP_KDF_derive(context.get(), out.data(), out.size(), params) != 1)
        return libcrypto_failed("derive a key");
    return Secret<Bytes>(std::move(out));
}

Bytes hmac(HashType hash, BytesView key, BytesView message) {
    Bytes out(hash_size(hash));
    unsigned length = 0;
    HMAC(evp_hash(hash), key.data(), static_cast<int>(key.size()), message.data(), message.size(), out.data(), &length);
    return out;
}

/// An OAEP context with SHA-256 for both hashes.
KeyContext oaep(EVP_PKEY* key, int (*init)(EVP_PKEY_CTX*)) {
    KeyContext context(EVP_PKEY_CTX_new(key, nullptr));
    if (!context || init(context.get()) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) != 1 ||
        EVP_PKEY_CTX_set_rsa_oaep_md(context.get(), EVP_sha256()) != 1 ||
        EVP_PKEY_CTX_set_rsa_mgf1_md(context.get(), EVP_sha256()) != 1)
        return nullptr;
    return context;
}

Result<WrappedKey> wrap_rsa(const PublicKey& recipient, BytesView image_key) {
    const auto context = oaep(recipient.evp(), EVP_PKEY_encrypt_init);
    WrappedKey out{tlv::enc_rsa2048, Bytes(rsa_bytes)};
    std::size_t length = out.value.size();
    if (!context ||
        EVP_PKEY_encrypt(context.get(), out.value.data(), &length, image_key.data(), image_key.size()) != 1 ||
        length != rsa_bytes)
        return libcrypto_failed("encrypt the image key");
    return out;
}

Result<WrappedKey> wrap_ecies(const Encryption& encryption, BytesView image_key) {
    const auto type = encryption.recipient.type();
    const Key ephemeral(type == KeyType::x25519 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519") : EVP_EC_gen("P-256"));
    if (!ephemeral) return libcrypto_failed("make an ephemeral key");
    unsigned char* encoded = nullptr;
    const auto length = EVP_PKEY_get1_encoded_public_key(ephemeral.get(), &encoded);
    Bytes point(encoded, encoded + length);
    OPENSSL_free(encoded);
    if (point.size() != point_bytes(type)) return libcrypto_failed("encode an ephemeral key");

    TRY(const auto shared, ecdh(ephemeral.get(), encryption.recipient.evp()));
    TRY(const auto derived, hkdf(encryption.hmac, shared.reveal(), image_key.size() + hash_size(encryption.hmac)));
    const BytesView keys = derived.reveal();
    auto sealed = to_bytes(image_key);
    TRY_VOID(aes_ctr(keys.first(image_key.size()), sealed));
    WrappedKey out{tlv::enc_ec256, std::move(point)};
    if (type == KeyType::x25519)
        out.type = encryption.hmac == HashType::sha512 ? tlv::enc_x25519_sha512 : tlv::enc_x25519;
    append(out.value, hmac(encryption.hmac, keys.subspan(image_key.size()), sealed));
    append(out.value, sealed);
    return out;
}

Failure not_opened(KeyType type) {
    ERR_clear_error();
    return fail(Errc::key_mismatch,
                fmt::format("expected an image encrypted for this {} key, found one encrypted for another",
                            key_type_name(type)));
}

Result<Secret<Bytes>> unwrap_rsa(const PrivateKey& key, BytesView value, std::size_t key_bytes) {
    const auto context = oaep(key.evp(), EVP_PKEY_decrypt_init);
    if (!context) return libcrypto_failed("prepare decryption");
    Bytes out(rsa_bytes);
    std::size_t length = out.size();
    if (EVP_PKEY_decrypt(context.get(), out.data(), &length, value.data(), value.size()) != 1)
        return not_opened(key.type());
    Secret<Bytes> whole(std::move(out));
    if (length != key_bytes)
        return fail(Errc::image_rejected,
                    fmt::format("expected an image key of {} bytes, found {}", key_bytes, length));
    return Secret<Bytes>(to_bytes(BytesView(whole.reveal()).first(length)));
}

/// The sender's ephemeral key; nullptr when the bytes are no point of the curve.
Key peer_of(const PrivateKey& key, BytesView point) {
    if (key.type() == KeyType::x25519)
        return Key(EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr, point.data(), point.size()));
    Key peer(EVP_PKEY_new());
    if (!peer || EVP_PKEY_copy_parameters(peer.get(), key.evp()) != 1 ||
        EVP_PKEY_set1_encoded_public_key(peer.get(), point.data(), point.size()) != 1)
        return nullptr;
    return peer;
}

Result<Secret<Bytes>> unwrap_ecies(const PrivateKey& key, HashType hash, BytesView value, std::size_t key_bytes) {
    const auto point = value.first(point_bytes(key.type()));
    const auto mac = value.subspan(point.size(), hash_size(hash));
    const auto sealed = value.subspan(point.size() + mac.size());
    const auto peer = peer_of(key, point);
    if (!peer) {
        ERR_clear_error();
        return fail(Errc::image_rejected, "expected a point of the curve in the encrypted key, found another value");
    }
    const auto shared = ecdh(key.evp(), peer.get());
    // X25519 refuses points of low order.
    if (!shared) return fail(Errc::image_rejected, "expected a usable ephemeral key in the encrypted key, found none");
    TRY(const auto derived, hkdf(hash, shared->reveal(), key_bytes + hash_size(hash)));
    const BytesView keys = derived.reveal();
    if (!equal_constant_time(hmac(hash, keys.subspan(key_bytes), sealed), mac)) return not_opened(key.type());
    auto out = to_bytes(sealed);
    TRY_VOID(aes_ctr(keys.first(key_bytes), out));
    return Secret<Bytes>(std::move(out));
}

}  // namespace

Result<> check_encryption(const Encryption& encryption) {
    const auto type = encryption.recipient.type();
    if (types_for(type).empty()) return unfit(type);
    if (encryption.bits != 128 && encryption.bits != 256)
        return fail(Errc::usage,
                    fmt::format("expected an encryption key of 128 or 256 bits, found {}", encryption.bits));
    const bool wide = encryption.hmac == HashType::sha512;
    if (encryption.hmac != HashType::sha256 && !(wide && type == KeyType::x25519))
        return fail(Errc::usage, fmt::format("expected SHA256{} for the encrypted key's HMAC with an {} key, found {}",
                                             type == KeyType::x25519 ? " or SHA512" : "", key_type_name(type),
                                             hash_name(encryption.hmac)));
    return {};
}

Result<Secret<Bytes>> new_image_key(const Encryption& encryption) {
    TRY_VOID(check_encryption(encryption));
    Bytes out(encryption.bits / 8);
    if (RAND_priv_bytes(out.data(), static_cast<int>(out.size())) != 1) return libcrypto_failed("make a random key");
    return Secret<Bytes>(std::move(out));
}

Result<WrappedKey> wrap_key(const Encryption& encryption, BytesView image_key) {
    TRY_VOID(check_encryption(encryption));
    if (image_key.size() != encryption.bits / 8)
        return fail(Errc::usage,
                    fmt::format("expected an image key of {} bytes, found {}", encryption.bits / 8, image_key.size()));
    return is_ecies(encryption.recipient.type()) ? wrap_ecies(encryption, image_key)
                                                 : wrap_rsa(encryption.recipient, image_key);
}

Result<Secret<Bytes>> unwrap_key(const PrivateKey& key, std::uint16_t type, BytesView value, std::uint32_t bits) {
    const auto types = types_for(key.type());
    if (types.empty()) return unfit(key.type());
    if (std::ranges::find(types, type) == types.end())
        return fail(Errc::key_mismatch, fmt::format("expected an image encrypted for an {} key, found {}",
                                                    key_type_name(key.type()), tlv_name(type)));
    if (bits != 128 && bits != 256)
        return fail(Errc::usage, fmt::format("expected an encryption key of 128 or 256 bits, found {}", bits));
    const std::size_t key_bytes = bits / 8;
    const auto hash = type == tlv::enc_x25519_sha512 ? HashType::sha512 : HashType::sha256;
    const auto expected = is_ecies(key.type()) ? point_bytes(key.type()) + hash_size(hash) + key_bytes : rsa_bytes;
    if (value.size() != expected)
        return fail(Errc::image_rejected, fmt::format("expected a {} of {} bytes for AES-{}, found {}", tlv_name(type),
                                                      expected, bits, value.size()));
    return is_ecies(key.type()) ? unwrap_ecies(key, hash, value, key_bytes) : unwrap_rsa(key, value, key_bytes);
}

Result<> aes_ctr(BytesView key, std::span<std::uint8_t> data) {
    static constexpr std::array<std::uint8_t, 16> zero{};
    const auto* cipher = key.size() == 32 ? EVP_aes_256_ctr() : EVP_aes_128_ctr();
    const CipherContext context(EVP_CIPHER_CTX_new());
    if ((key.size() != 16 && key.size() != 32) || !context ||
        EVP_EncryptInit_ex2(context.get(), cipher, key.data(), zero.data(), nullptr) != 1)
        return libcrypto_failed("prepare AES-CTR");
    constexpr std::size_t most = 1U << 30;  // libcrypto counts in int
    while (!data.empty()) {
        const auto part = data.first(std::min(data.size(), most));
        int written = 0;
        if (EVP_EncryptUpdate(context.get(), part.data(), &written, part.data(), static_cast<int>(part.size())) != 1)
            return libcrypto_failed("run AES-CTR");
        data = data.subspan(part.size());
    }
    return {};
}

Result<Bytes> decrypt(BytesView file, const Parsed& parsed, const PrivateKey& key) {
    const auto rejected = [](std::string message) { return fail(Errc::image_rejected, std::move(message)); };
    const auto& header = parsed.header;
    const bool wide = (header.flags & flag::encrypted_aes256) != 0;
    if (wide && (header.flags & flag::encrypted_aes128) != 0)
        return rejected("expected one encryption flag at most, found AES-128 and AES-256");
    if (!header.encrypted()) return rejected("expected an encrypted image, found one in clear");
    const auto types = types_for(key.type());
    if (types.empty()) return unfit(key.type());
    const auto found = std::ranges::find_if(
        parsed.tlvs, [&](const Tlv& each) { return std::ranges::find(types, each.type) != types.end(); });
    if (found == parsed.tlvs.end()) {
        const auto other = std::ranges::find_if(parsed.tlvs, [](const Tlv& each) {
            return each.type >= tlv::enc_rsa2048 && each.type <= tlv::enc_x25519_sha512;
        });
        if (other != parsed.tlvs.end())
            return fail(Errc::key_mismatch, fmt::format("expected an image encrypted for an {} key, found {}",
                                                        key_type_name(key.type()), tlv_name(other->type)));
        return rejected(
            fmt::format("expected the image's key encrypted for an {} key, found none", key_type_name(key.type())));
    }
    TRY(const auto image_key, unwrap_key(key, found->type, value(file, *found), wide ? 256 : 128));
    auto out = to_bytes(file);
    if (!slice(file, header.header_size, header.image_size))
        return fail(Errc::internal, "expected the file that was parsed, found a shorter one");
    TRY_VOID(aes_ctr(image_key.reveal(), std::span(out).subspan(header.header_size, header.image_size)));
    return out;
}

}  // namespace fota::image
