// Who signs: a key in memory here; keys in hardware and external commands behind the same class.
#pragma once

#include <vector>

#include "image/key.hpp"

namespace fota::image {

struct SignRequest {
    BytesView region;  ///< header, payload and protected TLVs
    BytesView digest;  ///< hash of the region
    HashType hash = HashType::sha256;
    bool pure = false;  ///< Ed25519 over the region instead of over the digest
};

/// Makes one signature, in the form of the image's signature TLV: ECDSA as DER, RSA-PSS (MGF1 and hash of the request,
/// salt of 32 bytes) and Ed25519 raw. The builder verifies every signature before it is used.
class Signer {
  public:
    virtual ~Signer() = default;
    virtual const PublicKey& public_key() const = 0;
    virtual Result<Bytes> sign(const SignRequest& request) = 0;
};

class KeySigner final : public Signer {
  public:
    /// `deterministic`: the same request gives the same bytes: RFC 6979 for ECDSA, a salt derived from key and digest
    /// for RSA-PSS; Ed25519 is so by itself.
    explicit KeySigner(PrivateKey key, bool deterministic = false)
        : key_(std::move(key)), deterministic_(deterministic) {}

    const PublicKey& public_key() const override { return key_.public_key(); }
    /// key_unusable for X25519, which has no signatures.
    Result<Bytes> sign(const SignRequest& request) override;

  private:
    PrivateKey key_;
    bool deterministic_;
};

/// Signatures made elsewhere, handed out in turn; the last one again when there are no more. A compressed image takes
/// two: of the payload as it is, then of the compressed image.
class FixedSigner final : public Signer {
  public:
    FixedSigner(PublicKey key, std::vector<Bytes> signatures)
        : key_(std::move(key)), signatures_(std::move(signatures)) {}

    const PublicKey& public_key() const override { return key_; }
    Result<Bytes> sign(const SignRequest& request) override;

  private:
    PublicKey key_;
    std::vector<Bytes> signatures_;
    std::size_t next_ = 0;
};

/// Whether `signature` is one of `key` for this request, with MCUboot's tolerance for padding after an ECDSA signature.
bool verify_signature(const PublicKey& key, const SignRequest& request, BytesView signature);

}  // namespace fota::image
