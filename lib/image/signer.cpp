#include "image/signer.hpp"

#include <fmt/format.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <algorithm>

#include "image/deterministic.hpp"
#include "image/openssl_free.hpp"

namespace fota::image {
namespace {

using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Free<EVP_PKEY_CTX_free>>;
using MdContext = std::unique_ptr<EVP_MD_CTX, Free<EVP_MD_CTX_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, Free<ECDSA_SIG_free>>;

/// MCUboot accepts no other salt (boot/bootutil/src/image_rsa.c, PSS_SLEN).
constexpr int pss_salt_length = 32;

bool is_rsa(KeyType type) {
    return type == KeyType::rsa2048 || type == KeyType::rsa3072;
}

bool set_pss(EVP_PKEY_CTX* context, HashType hash) {
    return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_pss_saltlen(context, pss_salt_length) == 1 &&
           EVP_PKEY_CTX_set_signature_md(context, evp_hash(hash)) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md(context, evp_hash(hash)) == 1;
}

Result<Bytes> sign_digest(EVP_PKEY* key, const SignRequest& request, bool rsa) {
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
    std::size_t length = 0;
    if (context && EVP_PKEY_sign_init(context.get()) == 1 && (!rsa || set_pss(context.get(), request.hash)) &&
        EVP_PKEY_sign(context.get(), nullptr, &length, request.digest.data(), request.digest.size()) == 1) {
        Bytes out(length);
        if (EVP_PKEY_sign(context.get(), out.data(), &length, request.digest.data(), request.digest.size()) == 1) {
            out.resize(length);
            return out;
        }
    }
    ERR_clear_error();
    return fail(Errc::internal, "expected libcrypto to sign, it failed");
}

Result<Bytes> sign_ed25519(EVP_PKEY* key, BytesView message) {
    const MdContext context(EVP_MD_CTX_new());
    Bytes out(64);
    std::size_t length = out.size();
    if (context && EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key) == 1 &&
        EVP_DigestSign(context.get(), out.data(), &length, message.data(), message.size()) == 1 && length == out.size())
        return out;
    ERR_clear_error();
    return fail(Errc::internal, "expected libcrypto to sign, it failed");
}

/// The signature alone, without the zeros which imgtool's --pad-sig appends; empty when it is no ECDSA signature.
/// Bootloaders read the SEQUENCE, and most ignore whatever follows. Zeros alone are let pass here: no tool writes
/// anything else there, and what is refused here never makes a device refuse an image that was taken here.
Bytes canonical_ecdsa(BytesView signature) {
    const auto* cursor = signature.data();
    const EcSignature parsed(d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(signature.size())));
    if (!parsed || !std::all_of(cursor, signature.data() + signature.size(), [](auto each) { return each == 0; }))
        return {};
    const int length = i2d_ECDSA_SIG(parsed.get(), nullptr);
    if (length <= 0) return {};
    Bytes out(static_cast<std::size_t>(length));
    auto* out_cursor = out.data();
    i2d_ECDSA_SIG(parsed.get(), &out_cursor);
    return out;
}

bool verify_digest(EVP_PKEY* key, const SignRequest& request, BytesView signature, bool rsa) {
    const KeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
    return context && EVP_PKEY_verify_init(context.get()) == 1 && (!rsa || set_pss(context.get(), request.hash)) &&
           EVP_PKEY_verify(context.get(), signature.data(), signature.size(), request.digest.data(),
                           request.digest.size()) == 1;
}

bool verify_ed25519(EVP_PKEY* key, BytesView message, BytesView signature) {
    const MdContext context(EVP_MD_CTX_new());
    return signature.size() == 64 && context &&
           EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key) == 1 &&
           EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(), message.size()) == 1;
}

}  // namespace

Result<Bytes> KeySigner::sign(const SignRequest& request) {
    const bool rsa = is_rsa(key_.type());
    switch (key_.type()) {
        case KeyType::rsa2048:
        case KeyType::rsa3072:
            if (deterministic_) return sign_pss_deterministic(key_.evp(), request.hash, request.digest);
            return sign_digest(key_.evp(), request, rsa);
        case KeyType::ecdsa_p256:
        case KeyType::ecdsa_p384:
            if (deterministic_) return sign_ecdsa_deterministic(key_.evp(), request.hash, request.digest);
            return sign_digest(key_.evp(), request, rsa);
        case KeyType::ed25519:
            return sign_ed25519(key_.evp(), request.pure ? request.region : request.digest);
        case KeyType::x25519:
            break;
    }
    return fail(Errc::key_unusable, "expected a key that can sign, found an X25519 key, which only encrypts");
}

Result<Bytes> FixedSigner::sign(const SignRequest&) {
    if (signatures_.empty()) return fail(Errc::usage, "expected a fixed signature, found none");
    const auto index = std::min(next_++, signatures_.size() - 1);
    return signatures_[index];
}

bool verify_signature(const PublicKey& key, const SignRequest& request, BytesView signature) {
    bool valid = false;
    switch (key.type()) {
        case KeyType::rsa2048:
        case KeyType::rsa3072:
            valid = verify_digest(key.evp(), request, signature, true);
            break;
        case KeyType::ecdsa_p256:
        case KeyType::ecdsa_p384: {
            const auto canonical = canonical_ecdsa(signature);
            valid = !canonical.empty() && verify_digest(key.evp(), request, canonical, false);
            break;
        }
        case KeyType::ed25519:
            valid = verify_ed25519(key.evp(), request.pure ? request.region : request.digest, signature);
            break;
        case KeyType::x25519:
            break;
    }
    ERR_clear_error();
    return valid;
}

}  // namespace fota::image
