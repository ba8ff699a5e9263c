#include "cli/key_files.hpp"

#include <fmt/format.h>

#include <cstdlib>

#include "adapters/external_signer.hpp"
#include "adapters/pkcs11_signer.hpp"
#include "base/text.hpp"
#include "cli/files.hpp"

namespace fota::cli {
namespace {

Failure about(const std::string& path, Error error) {
    // credentials_unusable with a file is a matter of permissions; a wrong passphrase is not.
    if (error.code() == Errc::credentials_unusable) return fail(std::move(error).in(shown_path(path)));
    return fail(std::move(error).with("file", path).in(shown_path(path)));
}

Failure passphrase_missing(const std::string& path) {
    return fail(
        Error(
            Errc::usage,
            fmt::format("{} is encrypted: expected --passphrase-file, --passphrase-env or --passphrase-fd, found none",
                        shown_path(path)))
            .with("hint", "put the passphrase into a file of mode 0600 and name it with --passphrase-file"));
}

Result<image::PrivateKey> decrypt(const std::string& path, BytesView bytes, const PassphraseOptions& options) {
    TRY(const auto passphrase, read_passphrase(options));
    if (image::is_encrypted_key(bytes) && !passphrase) return passphrase_missing(path);
    auto key = image::PrivateKey::parse(bytes, passphrase ? &*passphrase : nullptr);
    if (!key) return about(path, std::move(key).error());
    return key;
}

struct TokenKey {
    adapters::Pkcs11Uri uri;
    std::optional<image::Passphrase> pin;
};

/// The PIN comes from the options or from the URI's pin-source.
Result<TokenKey> read_token_key(const std::string& uri, const PassphraseOptions& options) {
    TokenKey out;
    TRY(out.uri, adapters::Pkcs11Uri::parse(uri));
    auto from = options;
    if (!out.uri.pin_source.empty()) {
        if (from.given())
            return fail(Errc::usage, "expected the PIN from one place, found pin-source in the URI and an option");
        from.file = out.uri.pin_source;
    }
    TRY(out.pin, read_passphrase(from));
    return out;
}

Result<image::PublicKey> load_token_public_key(const std::string& uri, const PassphraseOptions& options) {
    TRY(const auto key, read_token_key(uri, options));
    return adapters::read_pkcs11_public_key(key.uri, key.pin ? &*key.pin : nullptr);
}

Result<std::unique_ptr<image::Signer>> load_token_signer(const SigningOptions& options) {
    TRY(const auto key, read_token_key(options.key, options.passphrase));
    TRY(auto signer, adapters::open_pkcs11_signer(key.uri, key.pin ? &*key.pin : nullptr));
    if (options.deterministic && signer->public_key().type() != image::KeyType::ed25519)
        return fail(Errc::usage,
                    "expected --deterministic with a key in a file or with Ed25519, found a token that makes its own "
                    "random numbers");
    return signer;
}

Result<std::unique_ptr<image::Signer>> external_signer(const SigningOptions& options) {
    if (options.deterministic)
        return fail(Errc::usage, "expected --deterministic or --sign-with, found both: the command decides on that");
    TRY(auto command, adapters::split_command(options.sign_with));
    TRY(const auto timeout, parse_duration(options.sign_timeout));
    TRY(auto key, load_public_half(options.key, options.passphrase));
    return std::unique_ptr<image::Signer>(
        std::make_unique<adapters::ExternalSigner>(std::move(key), std::move(command), timeout));
}

}  // namespace

void bind_passphrase(CLI::App& app, PassphraseOptions& options) {
    auto* file = app.add_option("--passphrase-file", options.file,
                                "file with the passphrase of the private key, or the PIN of its token (mode 0600)")
                     ->type_name("FILE");
    auto* env = app.add_option("--passphrase-env", options.env, "environment variable with it")
                    ->type_name("NAME")
                    ->excludes(file);
    app.add_option("--passphrase-fd", options.fd, "open file descriptor to read it from")
        ->type_name("N")
        ->check(CLI::Range(0, 65535))
        ->excludes(file)
        ->excludes(env);
}

Result<std::optional<image::Passphrase>> read_passphrase(const PassphraseOptions& options) {
    if (!options.given()) return std::nullopt;
    if (options.typed != nullptr) return options.typed->clone();
    std::string text;
    if (options.env.empty()) {
        // A descriptor of a file is a secret file by its own name.
        TRY(const auto bytes,
            read_secret_file(options.fd >= 0 ? fmt::format("/dev/fd/{}", options.fd) : options.file, 4096));
        text = as_text(bytes.reveal());
        while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    } else if (const char* value = std::getenv(options.env.c_str()); value != nullptr) {
        text = value;
    } else {
        return fail(Errc::usage, fmt::format("expected the environment variable {} to be set, found it is not",
                                             printable(options.env)));
    }
    if (text.empty()) return fail(Errc::usage, "expected a passphrase, found an empty one");
    return image::Passphrase(std::move(text));
}

Result<image::PublicKey> load_public_key(const std::string& path) {
    if (adapters::is_pkcs11_uri(path)) return load_token_public_key(path, {});
    TRY(const auto bytes, read_file(path, small_file_limit));
    auto key = image::PublicKey::parse(bytes);
    if (!key) return about(path, std::move(key).error());
    return key;
}

Result<image::PublicKey> load_public_half(const std::string& path, const PassphraseOptions& options) {
    if (adapters::is_pkcs11_uri(path)) return load_token_public_key(path, options);
    TRY(auto bytes, read_file(path, small_file_limit));
    const Secret<Bytes> wiped(std::move(bytes));
    // Where the public half stands beside an encrypted private one, nobody needs the passphrase.
    auto key = image::PublicKey::parse(wiped.reveal());
    if (key) return key;
    if (!image::is_encrypted_key(wiped.reveal())) return about(path, std::move(key).error());
    TRY(const auto pair, decrypt(path, wiped.reveal(), options));
    return pair.public_key();
}

Result<bool> token_signs(const std::string& uri) {
    TRY(const auto key, read_token_key(uri, {}));
    return adapters::shows_pkcs11_private_key(key.uri, key.pin ? &*key.pin : nullptr);
}

Result<image::PrivateKey> load_signing_key(const std::string& path, const PassphraseOptions& options) {
    if (adapters::is_pkcs11_uri(path))
        return fail(Errc::key_unusable,
                    "expected a key in a file here, found a pkcs11: URI: its key cannot leave its token");
    TRY(const auto bytes, read_secret_file(path));
    return decrypt(path, bytes.reveal(), options);
}

void bind_signing(CLI::App& app, SigningOptions& options) {
    app.add_option("--key", options.key, "private key: a PEM file of mode 0600, or a pkcs11: URI")
        ->type_name("KEY")
        ->required();
    bind_passphrase(app, options.passphrase);
    app.add_flag("--deterministic", options.deterministic,
                 "the same input gives the same bytes (RFC 6979; derived PSS salt)");
    auto* command =
        app.add_option(
               "--sign-with", options.sign_with,
               "command that gets the digest on stdin (for Ed25519 the message) and answers with the signature on "
               "stdout; run without a shell; --key is then its public key")
            ->type_name("CMD")
            // A variable that is not set in a build must not have the key in the file sign instead.
            ->check([](const std::string& text) {
                return text.find_first_not_of(" \t") == std::string::npos
                           ? std::string(
                                 "expected a command, found an empty one; leave --sign-with out to sign with --key")
                           : std::string();
            });
    app.add_option("--sign-timeout", options.sign_timeout, "how long that command may take")
        ->type_name("DURATION")
        ->capture_default_str()
        ->needs(command);
}

Result<std::unique_ptr<image::Signer>> load_signer(const SigningOptions& options) {
    if (!options.sign_with.empty()) return external_signer(options);
    if (adapters::is_pkcs11_uri(options.key)) return load_token_signer(options);
    TRY(auto key, load_signing_key(options.key, options.passphrase));
    return std::unique_ptr<image::Signer>(std::make_unique<image::KeySigner>(std::move(key), options.deterministic));
}

}  // namespace fota::cli
