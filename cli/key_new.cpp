// fotactl key new: a private key in a file which only its owner can read.
#include <fmt/format.h>

#include "cli/files.hpp"
#include "cli/key.hpp"
#include "cli/key_files.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string type;
    std::string out;
    PassphraseOptions passphrase;
};

void bind(CLI::App& app, Options& options) {
    app.add_option("--type", options.type,
                   "ecdsa-p256, ecdsa-p384, rsa-2048, rsa-3072, ed25519 or x25519 (encryption only)")
        ->required()
        ->check(CLI::IsMember({"ecdsa-p256", "ecdsa-p384", "rsa-2048", "rsa-3072", "ed25519", "x25519"}));
    app.add_option("--out", options.out, "new file for the private key (PKCS#8 PEM, mode 0600)")
        ->type_name("KEY.pem")
        ->required();
    bind_passphrase(app, options.passphrase);
}

Result<image::PublicKey> make(const Options& options) {
    TRY(const auto passphrase, read_passphrase(options.passphrase));
    TRY(const auto key, image::PrivateKey::generate(*image::key_type_from_word(options.type)));
    TRY(const auto pem, key.pem(passphrase ? &*passphrase : nullptr));
    TRY_VOID(write_file_atomic(options.out, as_bytes(pem.reveal()), 0600, Existing::refuse));
    return key.public_key();
}

int run(Program& program, const Options& options) {
    if (options.out == "-" && program.out.json())
        return program.out.fail(Error(Errc::usage, "expected a file for the key with --json, found stdout"));
    const auto key = make(options);
    if (!key) return program.out.fail(key.error());
    // For a person the hash that images carry and image show prints: of P-384 that is no SHA-256.
    const auto key_hash = key->hash(image::default_hash(key->type()));
    const auto text =
        fmt::format("key      {} {} · {} · {}", key_type_name(key->type()), short_hex(key_hash),
                    shown_path(options.out), options.passphrase.given() ? "encrypted" : "not encrypted, mode 0600");
    options.out == "-" ? program.out.note(text) : program.out.line(text);
    return program.out.result("done", {{"type", options.type},
                                       {"file", options.out},
                                       {"sha256", to_hex(key->fingerprint())},
                                       {"key_hash", to_hex(key_hash)}});
}

}  // namespace

void add_key_new(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "new", "make a private key", bind, run);
}

}  // namespace fota::cli
