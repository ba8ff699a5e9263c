// Keys from files, tokens and external signers, and passphrases from files, descriptors or the environment, as every
// command takes them. KEY is a file (PEM or DER) or a pkcs11: URI.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cli/cli11.hpp"
#include "image/key.hpp"
#include "image/signer.hpp"

namespace fota::cli {

/// --passphrase-file, --passphrase-env and --passphrase-fd; at most one of them. For a key on a token: its PIN.
struct PassphraseOptions {
    std::string file;
    std::string env;
    int fd = -1;
    const image::Passphrase* typed = nullptr;  ///< what somebody typed on a terminal; not an option

    bool given() const noexcept { return !file.empty() || !env.empty() || fd >= 0 || typed != nullptr; }
};
void bind_passphrase(CLI::App& app, PassphraseOptions& options);

/// nullopt when no option was given. usage: the variable is not set or the passphrase is empty.
Result<std::optional<image::Passphrase>> read_passphrase(const PassphraseOptions& options);

/// A public key file, the public half of a private one that is not encrypted, or of a key on a token.
Result<image::PublicKey> load_public_key(const std::string& path);

/// The public half of any key; an encrypted file needs its passphrase (usage when it is missing).
Result<image::PublicKey> load_public_half(const std::string& path, const PassphraseOptions& options);

/// Whether a pkcs11: URI names a key that signs; a token whose PIN the URI does not name hides that, as a rule.
Result<bool> token_signs(const std::string& uri);

/// A private key from a file: credentials_unusable when group or others may read the file, or the passphrase is wrong.
Result<image::PrivateKey> load_signing_key(const std::string& path, const PassphraseOptions& options);

/// --key and what goes with it where something is signed.
struct SigningOptions {
    std::string key;
    PassphraseOptions passphrase;
    bool deterministic = false;
    std::string sign_with;  ///< command of an external signer; `key` is then its public key
    std::string sign_timeout = "60s";
};
void bind_signing(CLI::App& app, SigningOptions& options);

/// usage: options that exclude each other, as --deterministic does with a signer that makes its own random numbers.
/// Else as load_signing_key(), and as adapters::open_pkcs11_signer() for a key on a token.
Result<std::unique_ptr<image::Signer>> load_signer(const SigningOptions& options);

}  // namespace fota::cli
