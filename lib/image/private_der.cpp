#include "image/private_der.hpp"

#include <openssl/core_names.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#include <memory>
#include <utility>

#include "image/openssl_free.hpp"

namespace fota::image {
namespace {

using Encoder = std::unique_ptr<OSSL_ENCODER_CTX, Free<OSSL_ENCODER_CTX_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;

struct OpensslBuffer {
    unsigned char* data = nullptr;
    std::size_t size = 0;
    ~OpensslBuffer() { OPENSSL_clear_free(data, size); }
};

Failure failed() {
    ERR_clear_error();
    return fail(Errc::key_unusable, "expected libcrypto to encode the private key, it failed");
}

/// version, modulus, two exponents and two primes: the numbers a minimal RSAPrivateKey keeps.
constexpr int kept_rsa_numbers = 6;

/// Offset after the header of the element at `at`, and its contents' length; nullopt when it does not lie in `der`.
struct Element {
    std::size_t contents = 0;
    std::size_t length = 0;
};
std::optional<Element> element(BytesView der, std::size_t at) {
    if (der.size() < 2 || at > der.size() - 2) return std::nullopt;
    std::size_t length = der[at + 1];
    std::size_t contents = at + 2;
    if (length >= 0x80) {
        const std::size_t count = length & 0x7f;
        if (count == 0 || count > 4 || count > der.size() - contents) return std::nullopt;
        length = 0;
        for (std::size_t i = 0; i < count; ++i) length = length << 8 | der[contents++];
    }
    if (length > der.size() - contents) return std::nullopt;
    return Element{contents, length};
}

/// The SEQUENCE cut after its sixth number. 2048 bits and more keep its length in two bytes.
Result<Secret<Bytes>> without_crt(const Bytes& der) {
    const auto sequence = element(der, 0);
    if (!sequence || der[1] != 0x82) return failed();
    std::size_t at = sequence->contents;
    for (int i = 0; i < kept_rsa_numbers; ++i) {
        const auto number = element(der, at);
        if (!number) return failed();
        at = number->contents + number->length;
    }
    Bytes out(der.begin(), der.begin() + static_cast<std::ptrdiff_t>(at));
    const auto length = at - sequence->contents;
    out[2] = static_cast<std::uint8_t>(length >> 8);
    out[3] = static_cast<std::uint8_t>(length);
    return Secret<Bytes>(std::move(out));
}

}  // namespace

Result<Secret<Bytes>> private_der(const PrivateKey& key, PrivateForm form, bool minimal) {
    const bool ec = EVP_PKEY_is_a(key.evp(), "EC") == 1;
    const bool rsa = EVP_PKEY_is_a(key.evp(), "RSA") == 1;
    // A copy, since what is left out is a property of the key.
    const Key copy(EVP_PKEY_dup(key.evp()));
    if (!copy) return failed();
    if (ec && EVP_PKEY_set_int_param(copy.get(), OSSL_PKEY_PARAM_EC_INCLUDE_PUBLIC, minimal ? 0 : 1) != 1)
        return failed();
    const char* structure = form == PrivateForm::pkcs8 ? "PrivateKeyInfo" : "type-specific";
    const Encoder encoder(OSSL_ENCODER_CTX_new_for_pkey(copy.get(), EVP_PKEY_KEYPAIR, "DER", structure, nullptr));
    OpensslBuffer buffer;
    if (!encoder || OSSL_ENCODER_to_data(encoder.get(), &buffer.data, &buffer.size) != 1) return failed();
    Secret<Bytes> der(Bytes(buffer.data, buffer.data + buffer.size));
    if (rsa && minimal && form == PrivateForm::traditional) return without_crt(der.reveal());
    return der;
}

}  // namespace fota::image
