#include "adapters/pkcs11_signer.hpp"

#include "adapters/pkcs11_token.hpp"

namespace fota::adapters {
namespace {

class TokenSigner final : public image::Signer {
  public:
    explicit TokenSigner(Pkcs11Token token) : token_(std::move(token)) {}
    const image::PublicKey& public_key() const override { return token_.public_key(); }
    Result<Bytes> sign(const image::SignRequest& request) override { return token_.sign(request); }

  private:
    Pkcs11Token token_;
};

}  // namespace

Result<std::unique_ptr<image::Signer>> open_pkcs11_signer(const Pkcs11Uri& uri, const image::Passphrase* pin) {
    TRY(auto token, Pkcs11Token::open(uri, pin, Pkcs11Token::Need::private_half));
    return std::unique_ptr<image::Signer>(std::make_unique<TokenSigner>(std::move(token)));
}

Result<bool> shows_pkcs11_private_key(const Pkcs11Uri& uri, const image::Passphrase* pin) {
    TRY(const auto token, Pkcs11Token::open(uri, pin, Pkcs11Token::Need::public_half));
    return token.has_private_half();
}

Result<image::PublicKey> read_pkcs11_public_key(const Pkcs11Uri& uri, const image::Passphrase* pin) {
    TRY(const auto token, Pkcs11Token::open(uri, pin, Pkcs11Token::Need::public_half));
    return token.public_key();
}

}  // namespace fota::adapters
