#include "base/sha256.hpp"

#include <openssl/evp.h>

#include <new>

namespace fota {

void Sha256::Free::operator()(evp_md_ctx_st* ctx) const noexcept {
    EVP_MD_CTX_free(ctx);
}

Sha256::Sha256() : ctx_(EVP_MD_CTX_new()) {
    // Fails only when memory is exhausted or libcrypto was built without SHA-256.
    if (!ctx_ || EVP_DigestInit_ex(ctx_.get(), EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

void Sha256::update(BytesView data) {
    EVP_DigestUpdate(ctx_.get(), data.data(), data.size());
}

Digest256 Sha256::digest() const {
    Digest256 out{};
    std::unique_ptr<EVP_MD_CTX, Free> copy(EVP_MD_CTX_new());
    if (!copy || EVP_MD_CTX_copy_ex(copy.get(), ctx_.get()) != 1) throw std::bad_alloc();
    EVP_DigestFinal_ex(copy.get(), out.data(), nullptr);
    return out;
}

Digest256 sha256(BytesView data) {
    Sha256 hash;
    hash.update(data);
    return hash.digest();
}

}  // namespace fota
