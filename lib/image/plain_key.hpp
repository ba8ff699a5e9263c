// Keys in the few encodings that imgtool, OpenSSL and this program write, read without libcrypto's general decoder:
// listing all the formats which that one knows takes longer than signing an image.
// Source: RFC 8410, RFC 5480, RFC 5915, RFC 5958, RFC 8017 A.1.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/secret.hpp"
#include "image/key.hpp"

namespace fota::image {

/// A key that is not encrypted, as one of SubjectPublicKeyInfo, PKCS#8, RFC 5915's ECPrivateKey with its public half,
/// or PKCS#1; in DER, or as one block of PEM and nothing else. Only what every encoder writes is recognised: what is
/// read here, the general decoder reads in the same way, and what is not, is left to it.
class PlainKey {
  public:
    static std::optional<PlainKey> find(BytesView pem_or_der);

    KeyType type() const noexcept { return type_; }
    bool has_private_half() const noexcept { return has_private_half_; }
    /// A new key that the caller frees; nullptr when libcrypto refuses the numbers.
    evp_pkey_st* make() const;

  private:
    PlainKey() = default;
    static std::optional<PlainKey> from_der(Secret<Bytes> der, std::string_view label);

    Secret<Bytes> der_;
    KeyType type_ = KeyType::ecdsa_p256;
    bool has_private_half_ = false;
    // In der_: of an RSA key its numbers, of the others the public half and the private one, where there is one.
    struct Range {
        std::size_t offset = 0;
        std::size_t length = 0;
    };
    std::vector<Range> numbers_;
    Range public_half_;
    Range private_half_;

    BytesView at(Range range) const { return BytesView(der_.reveal()).subspan(range.offset, range.length); }
    evp_pkey_st* make_rsa() const;
    evp_pkey_st* make_ec() const;
};

}  // namespace fota::image
