// One token and one key on it, through the module's own interface: which key a URI means, and signatures which
// OpenSSL's engine cannot make. Source: PKCS #11 2.40 and 3.0 (C_Login, C_FindObjects, C_Sign, CKM_EDDSA).
#pragma once

#include <memory>
#include <string>

#include "adapters/pkcs11_uri.hpp"
#include "image/signer.hpp"

namespace fota::adapters {

/// A session, logged in where a PIN was given, and the key that the URI names. Closes both when it goes.
class Pkcs11Token {
  public:
    /// Which half of the pair has to be there.
    enum class Need { private_half, public_half };

    /// `pin`: nullptr when there is none. file_unreadable: no such module, or no PKCS#11 module. key_unusable: no token
    /// or no key fits, or more than one does, or the key cannot sign images. usage (detail "pin"): the private half was
    /// asked for, and the token wants a PIN. credentials_unusable: the PIN is wrong or locked.
    static Result<Pkcs11Token> open(const Pkcs11Uri& uri, const image::Passphrase* pin, Need need);

    Pkcs11Token(Pkcs11Token&&) noexcept;
    Pkcs11Token& operator=(Pkcs11Token&&) noexcept;
    ~Pkcs11Token();

    const image::PublicKey& public_key() const;
    /// Whether the private half was seen: most tokens hide it without a PIN.
    bool has_private_half() const;

    /// C_Sign: ECDSA as DER; RSA-PSS with a salt of 32 bytes, and Ed25519, raw. key_unusable when the token refuses.
    Result<Bytes> sign(const image::SignRequest& request);

  private:
    class Session;
    explicit Pkcs11Token(std::unique_ptr<Session> session);
    std::unique_ptr<Session> session_;
};

}  // namespace fota::adapters
