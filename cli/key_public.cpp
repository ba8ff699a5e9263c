// fotactl key public: the public half, for a bootloader's build, for --key, or as source code.
#include <fmt/format.h>

#include <cctype>

#include "cli/files.hpp"
#include "cli/key.hpp"
#include "cli/key_files.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::string key;
    std::string format = "pem";
    std::string out = "-";
    PassphraseOptions passphrase;
};

void bind(CLI::App& app, Options& options) {
    app.add_option("--key", options.key, "key file, private or public, or a pkcs11: URI")->type_name("KEY")->required();
    app.add_option("--format", options.format, "pem, der (as the bootloader embeds it), c, rust, or sha256 (of der)")
        ->check(CLI::IsMember({"pem", "der", "c", "rust", "sha256"}))
        ->capture_default_str();
    app.add_option("--out", options.out, "file to write; - is stdout")->type_name("FILE")->capture_default_str();
    bind_passphrase(app, options.passphrase);
}

/// The name MCUboot's key files use for the array: keys.c of a bootloader build refers to it.
std::string_view array_name(image::KeyType type) {
    switch (type) {
        case image::KeyType::rsa2048:
        case image::KeyType::rsa3072:
            return "rsa";
        case image::KeyType::ecdsa_p256:
            return "ecdsa";
        case image::KeyType::ecdsa_p384:
            return "ecdsap384";
        case image::KeyType::ed25519:
            return "ed25519";
        case image::KeyType::x25519:
            return "x25519";
    }
    return "";
}

std::string octets(BytesView bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); ++i)
        out += fmt::format("{}0x{:02x},", i % 8 == 0 ? "\n    " : " ", bytes[i]);
    return out;
}

Bytes encode(const image::PublicKey& key, const std::string& format) {
    const auto text = [](const std::string& each) { return to_bytes(as_bytes(each)); };
    const auto name = array_name(key.type());
    const auto& der = key.encoded();
    if (format == "der") return der;
    if (format == "sha256") return text(to_hex(key.fingerprint()) + "\n");
    if (format == "c")
        return text(
            fmt::format("/* {0} public key, SHA-256 {1} */\nconst unsigned char {2}_pub_key[] = {{{3}\n}};\n"
                        "const unsigned int {2}_pub_key_len = {4};\n",
                        key_type_name(key.type()), to_hex(key.fingerprint()), name, octets(der), der.size()));
    if (format == "rust") {
        std::string upper(name);
        for (auto& each : upper) each = static_cast<char>(std::toupper(static_cast<unsigned char>(each)));
        return text(fmt::format("/* {} public key, SHA-256 {} */\nstatic {}_PUB_KEY: &[u8] = &[{}\n];\n",
                                key_type_name(key.type()), to_hex(key.fingerprint()), upper, octets(der)));
    }
    return text(key.pem());
}

int run(Program& program, const Options& options) {
    const auto key = load_public_half(options.key, options.passphrase);
    if (!key) return program.out.fail(key.error());
    const auto bytes = encode(*key, options.format);
    // For a person the hash that images carry and image show prints: of P-384 that is no SHA-256.
    const auto key_hash = key->hash(image::default_hash(key->type()));
    nlohmann::json fields{{"type", key_type_word(key->type())},
                          {"format", options.format},
                          {"sha256", to_hex(key->fingerprint())},
                          {"key_hash", to_hex(key_hash)}};
    if (program.out.json() && options.out == "-") {
        fields["public_key"] = options.format == "der" ? to_hex(bytes) : std::string(as_text(bytes));
        return program.out.result("done", fields);
    }
    if (const auto written = write_product(options.out, bytes); !written) return program.out.fail(written.error());
    if (options.out != "-")
        program.out.line(fmt::format("key      {} {} · public half in {}", key_type_name(key->type()),
                                     short_hex(key_hash), shown_path(options.out)));
    return program.out.result("done", fields);
}

}  // namespace

void add_key_public(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "public", "write the public half of a key", bind, run);
}

}  // namespace fota::cli
