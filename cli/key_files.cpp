#include "cli/key_files.hpp"

#include <fmt/format.h>

#include <cstdlib>

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
        Error(Errc::usage, fmt::format("{} is encrypted: expected --passphrase-file or --passphrase-env, found neither",
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

}  // namespace

void bind_passphrase(CLI::App& app, PassphraseOptions& options) {
    auto* file =
        app.add_option("--passphrase-file", options.file, "file with the passphrase of the private key (mode 0600)")
            ->type_name("FILE");
    app.add_option("--passphrase-env", options.env, "environment variable with the passphrase")
        ->type_name("NAME")
        ->excludes(file);
}

Result<std::optional<image::Passphrase>> read_passphrase(const PassphraseOptions& options) {
    if (options.file.empty() && options.env.empty()) return std::nullopt;
    std::string text;
    if (!options.file.empty()) {
        TRY(const auto bytes, read_secret_file(options.file, 4096));
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
    TRY(const auto bytes, read_file(path, small_file_limit));
    auto key = image::PublicKey::parse(bytes);
    if (!key) return about(path, std::move(key).error());
    return key;
}

Result<image::PublicKey> load_public_half(const std::string& path, const PassphraseOptions& options) {
    TRY(auto bytes, read_file(path, small_file_limit));
    const Secret<Bytes> wiped(std::move(bytes));
    if (image::is_encrypted_key(wiped.reveal())) {
        TRY(const auto key, decrypt(path, wiped.reveal(), options));
        return key.public_key();
    }
    auto key = image::PublicKey::parse(wiped.reveal());
    if (!key) return about(path, std::move(key).error());
    return key;
}

Result<image::PrivateKey> load_signing_key(const std::string& path, const PassphraseOptions& options) {
    TRY(const auto bytes, read_secret_file(path));
    return decrypt(path, bytes.reveal(), options);
}

}  // namespace fota::cli
