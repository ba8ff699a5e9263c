#include "image/deterministic.hpp"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>

// ECDSA_do_sign_ex() is the one way into libcrypto 3.0's blinded signing with a nonce of our own; the EVP interface has
// none.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#include "base/secret.hpp"
#include "image/openssl_free.hpp"

namespace fota::image {
namespace {

using Number = std::unique_ptr<BIGNUM, Free<BN_clear_free>>;
using Context = std::unique_ptr<BN_CTX, Free<BN_CTX_free>>;
using Point = std::unique_ptr<EC_POINT, Free<EC_POINT_clear_free>>;
using EcKey = std::unique_ptr<EC_KEY, Free<EC_KEY_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;

Failure libcrypto_failed(const char* doing) {
    ERR_clear_error();
    return fail(Errc::internal, std::string("expected libcrypto to ") + doing + ", it failed");
}

Bytes hmac(HashType hash, BytesView key, BytesView message) {
    Bytes out(hash_size(hash));
    unsigned length = 0;
    HMAC(evp_hash(hash), key.data(), static_cast<int>(key.size()), message.data(), message.size(), out.data(), &length);
    return out;
}

/// The generator of RFC 6979, section 3.2, for an order as long as the hash.
class Nonces {
  public:
    Nonces(HashType hash, BytesView private_key, BytesView reduced_digest)
        : hash_(hash), v_(hash_size(hash), 0x01), k_(hash_size(hash), 0x00) {
        for (const std::uint8_t step : {std::uint8_t{0}, std::uint8_t{1}}) {
            Bytes message = v_;
            message.push_back(step);
            append(message, private_key);
            append(message, reduced_digest);
            k_ = hmac(hash_, k_, message);
            v_ = hmac(hash_, k_, v_);
            OPENSSL_cleanse(message.data(), message.size());
        }
    }
    Nonces(const Nonces&) = delete;
    Nonces& operator=(const Nonces&) = delete;
    ~Nonces() {
        OPENSSL_cleanse(v_.data(), v_.size());
        OPENSSL_cleanse(k_.data(), k_.size());
    }

    BytesView next() {
        v_ = hmac(hash_, k_, v_);
        return v_;
    }
    void reject() {
        Bytes message = v_;
        message.push_back(0x00);
        k_ = hmac(hash_, k_, message);
        v_ = hmac(hash_, k_, v_);
    }

  private:
    HashType hash_;
    Bytes v_;
    Bytes k_;
};

/// MGF1 of RFC 8017, appendix B.2.1, exclusive-ored into `target`.
void apply_mask(HashType hash, BytesView seed, std::span<std::uint8_t> target) {
    std::uint32_t counter = 0;
    for (std::size_t at = 0; at < target.size(); ++counter) {
        Bytes block = to_bytes(seed);
        for (int shift = 24; shift >= 0; shift -= 8) block.push_back(static_cast<std::uint8_t>(counter >> shift));
        for (const auto each : digest(hash, block))
            if (at < target.size()) target[at++] ^= each;
    }
}

}  // namespace

Result<Bytes> sign_ecdsa_deterministic(EVP_PKEY* key, HashType hash, BytesView digest) {
    const EcKey ec(EVP_PKEY_get1_EC_KEY(key));
    const Context context(BN_CTX_secure_new());
    if (!ec || !context) return libcrypto_failed("read the ECDSA key");
    const EC_GROUP* group = EC_KEY_get0_group(ec.get());
    const BIGNUM* order = EC_GROUP_get0_order(group);
    const BIGNUM* secret = EC_KEY_get0_private_key(ec.get());
    if (secret == nullptr || static_cast<std::size_t>(BN_num_bits(order)) != 8 * hash_size(hash) ||
        digest.size() != hash_size(hash))
        return fail(Errc::key_unusable,
                    "expected a private ECDSA key with an order as long as the hash, found another");

    const auto length = hash_size(hash);
    Bytes secret_octets(length);
    Bytes reduced(length);
    const Number z(BN_bin2bn(digest.data(), static_cast<int>(digest.size()), nullptr));
    if (!z || BN_nnmod(z.get(), z.get(), order, context.get()) != 1 ||
        BN_bn2binpad(z.get(), reduced.data(), static_cast<int>(length)) < 0 ||
        BN_bn2binpad(secret, secret_octets.data(), static_cast<int>(length)) < 0)
        return libcrypto_failed("prepare the nonce");
    Nonces nonces(hash, secret_octets, reduced);
    OPENSSL_cleanse(secret_octets.data(), secret_octets.size());

    const Number k(BN_secure_new());
    const Number inverse(BN_secure_new());
    const Number r(BN_new());
    const Point point(EC_POINT_new(group));
    if (!k || !inverse || !r || !point) return libcrypto_failed("prepare the nonce");
    BN_set_flags(k.get(), BN_FLG_CONSTTIME);
    while (true) {
        const auto candidate = nonces.next();
        if (BN_bin2bn(candidate.data(), static_cast<int>(candidate.size()), k.get()) == nullptr)
            return libcrypto_failed("prepare the nonce");
        if (!BN_is_zero(k.get()) && BN_cmp(k.get(), order) < 0) {
            if (EC_POINT_mul(group, point.get(), k.get(), nullptr, nullptr, context.get()) != 1 ||
                EC_POINT_get_affine_coordinates(group, point.get(), r.get(), nullptr, context.get()) != 1 ||
                BN_nnmod(r.get(), r.get(), order, context.get()) != 1 ||
                BN_mod_inverse(inverse.get(), k.get(), order, context.get()) == nullptr)
                return libcrypto_failed("multiply the nonce");
            if (!BN_is_zero(r.get())) break;
        }
        nonces.reject();
    }
    const EcSignature signature(
        ECDSA_do_sign_ex(digest.data(), static_cast<int>(digest.size()), inverse.get(), r.get(), ec.get()));
    if (!signature) return libcrypto_failed("sign");
    Bytes out(static_cast<std::size_t>(i2d_ECDSA_SIG(signature.get(), nullptr)));
    auto* cursor = out.data();
    i2d_ECDSA_SIG(signature.get(), &cursor);
    return out;
}

Result<Bytes> sign_pss_deterministic(EVP_PKEY* key, HashType hash, BytesView digest) {
    constexpr std::size_t salt_length = 32;
    const auto hash_length = hash_size(hash);
    const auto length = static_cast<std::size_t>(EVP_PKEY_get_size(key));
    if (digest.size() != hash_length || length < hash_length + salt_length + 2 || EVP_PKEY_get_bits(key) % 8 != 0)
        return fail(Errc::key_unusable, "expected an RSA key of whole bytes, long enough for the hash, found another");

    unsigned char* der = nullptr;
    const int der_length = i2d_PrivateKey(key, &der);
    if (der_length <= 0) return libcrypto_failed("read the RSA key");
    auto salt = hmac(HashType::sha256, {der, static_cast<std::size_t>(der_length)}, digest);
    OPENSSL_clear_free(der, static_cast<std::size_t>(der_length));

    // EMSA-PSS: masked(zeros || 1 || salt) || H || 0xbc, with H over eight zeros, the digest and the salt.
    Bytes prefixed(8, 0x00);
    append(prefixed, digest);
    append(prefixed, salt);
    const auto h = image::digest(hash, prefixed);
    Bytes encoded(length - hash_length - 1, 0x00);
    encoded[encoded.size() - salt_length - 1] = 0x01;
    std::ranges::copy(salt, encoded.end() - static_cast<std::ptrdiff_t>(salt_length));
    apply_mask(hash, h, encoded);
    encoded[0] &= 0x7f;  // one bit less than the modulus
    append(encoded, h);
    encoded.push_back(0xbc);

    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
    Bytes out(length);
    std::size_t out_length = out.size();
    if (!context || EVP_PKEY_sign_init(context.get()) != 1 ||
        EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_NO_PADDING) != 1 ||
        EVP_PKEY_sign(context.get(), out.data(), &out_length, encoded.data(), encoded.size()) != 1 ||
        out_length != length)
        return libcrypto_failed("sign");
    return out;
}

}  // namespace fota::image
