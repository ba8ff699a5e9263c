// Keys from files and passphrases from files or the environment, as every command takes them.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "image/key.hpp"

namespace fota::cli {

/// --passphrase-file and --passphrase-env; at most one of them.
struct PassphraseOptions {
    std::string file;
    std::string env;
};
void bind_passphrase(CLI::App& app, PassphraseOptions& options);

/// nullopt when neither option was given. usage: the variable is not set or the passphrase is empty.
Result<std::optional<image::Passphrase>> read_passphrase(const PassphraseOptions& options);

/// A public key file, or the public half of a private one that is not encrypted.
Result<image::PublicKey> load_public_key(const std::string& path);

/// The public half of any key file; an encrypted one needs its passphrase (usage when it is missing).
Result<image::PublicKey> load_public_half(const std::string& path, const PassphraseOptions& options);

/// A private key to sign with: credentials_unusable when group or others may read the file, or the passphrase is wrong.
Result<image::PrivateKey> load_signing_key(const std::string& path, const PassphraseOptions& options);

}  // namespace fota::cli
