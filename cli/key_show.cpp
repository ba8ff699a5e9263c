// fotactl key show: what a key is, and how images and bootloaders refer to it.
#include <fmt/format.h>

#include "cli/key.hpp"
#include "cli/key_files.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string key;
    PassphraseOptions passphrase;
};

void bind(CLI::App& app, Options& options) {
    app.add_option("--key", options.key, "key file, private or public, or a pkcs11: URI")->type_name("KEY")->required();
    bind_passphrase(app, options.passphrase);
}

int run(Program& program, const Options& options) {
    const auto key = load_public_half(options.key, options.passphrase);
    if (!key) return program.out.fail(key.error());
    auto& out = program.out;
    const auto type = key->type();
    const auto fingerprint = key->fingerprint();
    const auto published = image::development_key_name(fingerprint);
    const auto hash = image::default_hash(type);
    const bool signs = image::signature_tlv(type) != 0;

    out.line(fmt::format("type     {}{}", key_type_name(type), signs ? "" : " (encryption only)"));
    out.line(fmt::format("sha256   {}", to_hex(fingerprint)));
    if (signs) {
        out.line(fmt::format("keyhash  {}{}", to_hex(key->hash(hash)),
                             type == image::KeyType::ecdsa_p384 ? " (SHA-384: what images of this key carry)" : ""));
    }
    if (!published.empty())
        out.warn(fmt::format("{}  this is MCUboot's published development key {}: everyone has its private half",
                             out.styled(Style::yellow, "warning", false), published));
    return out.result("done", {{"type", key_type_word(type)},
                               {"sha256", to_hex(fingerprint)},
                               {"key_hash", signs ? nlohmann::json(to_hex(key->hash(hash))) : nlohmann::json()},
                               {"development_key", published.empty() ? nlohmann::json() : nlohmann::json(published)}});
}

}  // namespace

void add_key_show(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "show", "type, hash, and the KEYHASH an image would carry", bind, run);
}

}  // namespace fota::cli
