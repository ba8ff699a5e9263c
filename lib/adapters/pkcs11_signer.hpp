// Signing with a key that never leaves its token.
#pragma once

#include <memory>

#include "adapters/pkcs11_uri.hpp"
#include "image/signer.hpp"

namespace fota::adapters {

/// A signer for the one private key the URI names. `pin`: nullptr when there is none. Errors: as Pkcs11Token::open().
Result<std::unique_ptr<image::Signer>> open_pkcs11_signer(const Pkcs11Uri& uri, const image::Passphrase* pin);

/// Whether the private half of the key is there to sign with, as far as the token shows it. Errors: as for the next.
Result<bool> shows_pkcs11_private_key(const Pkcs11Uri& uri, const image::Passphrase* pin);

/// The public half alone. Tokens show public keys without a PIN, as a rule.
Result<image::PublicKey> read_pkcs11_public_key(const Pkcs11Uri& uri, const image::Passphrase* pin);

}  // namespace fota::adapters
