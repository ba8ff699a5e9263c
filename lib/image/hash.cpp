#include "image/hash.hpp"

#include <openssl/evp.h>

#include <new>

namespace fota::image {

std::size_t hash_size(HashType type) noexcept {
    switch (type) {
        case HashType::sha256:
            return 32;
        case HashType::sha384:
            return 48;
        case HashType::sha512:
            return 64;
    }
    return 0;
}

const char* hash_name(HashType type) noexcept {
    switch (type) {
        case HashType::sha256:
            return "SHA256";
        case HashType::sha384:
            return "SHA384";
        case HashType::sha512:
            return "SHA512";
    }
    return "";
}

const evp_md_st* evp_hash(HashType type) noexcept {
    switch (type) {
        case HashType::sha256:
            return EVP_sha256();
        case HashType::sha384:
            return EVP_sha384();
        case HashType::sha512:
            return EVP_sha512();
    }
    return EVP_sha256();
}

Bytes digest(HashType type, BytesView data) {
    Bytes out(hash_size(type));
    unsigned length = 0;
    // Fails only when memory is exhausted.
    if (EVP_Digest(data.data(), data.size(), out.data(), &length, evp_hash(type), nullptr) != 1) throw std::bad_alloc();
    return out;
}

}  // namespace fota::image
