// fotactl imgtool sign, also called create: from the linker's output to an image as imgtool builds it.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "adapters/pkcs11_uri.hpp"
#include "base/text.hpp"
#include "cli/files.hpp"
#include "cli/hex_files.hpp"
#include "cli/imgtool.hpp"
#include "cli/imgtool_files.hpp"
#include "cli/imgtool_sign_options.hpp"
#include "image/builder.hpp"

namespace fota::cli::imgtool {
namespace {

using image::KeyType;

Failure usage(std::string message) {
    return fail(Errc::usage, std::move(message));
}

struct Input {
    Bytes payload;
    std::optional<std::int64_t> address;  ///< of the image, header included; below 0 where there is no room for that
};

/// The payload as the builder takes it: with --pad-value header space in the file gives way to a padded one.
Result<Input> read_input(const Arguments& arguments, const image::SignOptions& options) {
    TRY(auto file, read_image(arguments.text("INFILE"), "Input file not found"));
    Input input{std::move(file.bytes), {}};
    if (file.address) input.address = *file.address;
    auto& payload = input.payload;
    if (arguments.has("--pad-header")) {
        if (input.address.value_or(0) != 0) *input.address -= options.header_size;
        return input;
    }
    const auto space = std::min<std::size_t>(options.header_size, payload.size());
    const auto header_end = payload.begin() + static_cast<std::ptrdiff_t>(space);
    if (options.pad_header) {
        payload.erase(payload.begin(), header_end);
    } else if (std::any_of(payload.begin(), header_end, [](auto each) { return each != 0; })) {
        return usage("Header padding was not requested and image does not start with zeros");
    }
    return input;
}

struct Keys {
    std::optional<LoadedKey> signing;
    std::unique_ptr<image::Signer> token;  ///< of a key that does not leave its hardware; `signing` has its public half
    std::optional<image::PublicKey> fixed;  ///< of the signature in --fix-sig
    Bytes fixed_signature;
};

Result<Keys> read_keys(const Arguments& arguments) {
    Keys keys;
    if (const auto path = arguments.text("--key"); !path.empty()) {
        if (adapters::is_pkcs11_uri(path)) {
            TRY(keys.token, load_token_key(path));
            keys.signing = LoadedKey{keys.token->public_key(), std::nullopt};
            return keys;
        }
        TRY(keys.signing, load_key(path));
        if (!keys.signing->private_key)
            return usage("Cannot sign with a public-only PEM; signing requires the private key.");
    }
    return keys;
}

Result<> read_fixed_signature(const Arguments& arguments, Keys& keys) {
    const auto path = arguments.text("--fix-sig");
    if (path.empty()) return {};
    TRY(const auto text, read_plain(path, small_file_limit));
    auto signature = from_base64(as_text(text));
    if (!signature) return fail(std::move(signature.error()).in(printable(path)));
    keys.fixed_signature = std::move(*signature);
    if (!arguments.has("--fix-sig-pubkey")) return usage("public key of the fixed signature is not specified");
    TRY(auto key, load_key(arguments.text("--fix-sig-pubkey")));
    keys.fixed = std::move(key.public_key);
    return {};
}

bool is_rsa(KeyType type) {
    return type == KeyType::rsa2048 || type == KeyType::rsa3072;
}

Result<> read_encryption(const Arguments& arguments, const Keys& keys, image::SignOptions& options) {
    const auto path = arguments.text("--encrypt");
    if (path.empty()) return {};
    TRY(auto key, load_key(path));
    const auto recipient = key.public_key.type();
    if (keys.signing) {
        const auto signing = keys.signing->public_key.type();
        const bool same = is_rsa(signing)                                                    ? is_rsa(recipient)
                          : signing == KeyType::ecdsa_p256 || signing == KeyType::ecdsa_p384 ? recipient == signing
                                                                                             : true;
        if (!same) return usage("Signing and encryption must use the same type of key");
    }
    image::Encryption encryption{.recipient = std::move(key.public_key)};
    encryption.bits = arguments.text("--encrypt-keylen") == "256" ? 256 : 128;
    encryption.clear = arguments.has("--clear");
    if (arguments.text("--hmac-sha") == "512" && !is_rsa(recipient)) {
        if (recipient != KeyType::x25519) return usage("Currently only ECIES-X25519 supports HMAC-SHA512");
        encryption.hmac = image::HashType::sha512;
    }
    if (const auto checked = image::check_encryption(encryption); !checked) return usage(checked.error().message());
    options.encryption = std::move(encryption);
    return {};
}

/// The hash and the form of signature that imgtool has this type of key make.
Result<> check_hash(const image::SignOptions& options, KeyType type) {
    if (options.pure && type != KeyType::ed25519)
        return usage(fmt::format("expected an Ed25519 key for a pure signature, found {}", image::key_type_name(type)));
    if (options.hash && !options.pure && type != KeyType::x25519 && !image::allows_hash(type, *options.hash))
        return usage(fmt::format("expected {} with a key of type {}, found {}",
                                 image::hash_name(image::default_hash(type)), image::key_type_name(type),
                                 image::hash_name(*options.hash)));
    return {};
}

/// What imgtool says about how it signs; the same words whether the signature comes from a key or from a file.
std::string signing_note(const Keys& keys) {
    if (!keys.signing) return {};
    const auto type = keys.signing->public_key.type();
    const bool digest = type == KeyType::ed25519 || type == KeyType::x25519;
    return fmt::format("image.py: sign the {}\n", digest ? "digest" : "payload");
}

std::string compression_note(const image::Built& built) {
    return fmt::format("compressed image size: {} bytes\noriginal image size: {} bytes\n", built.stream_bytes,
                       built.payload_bytes);
}

Result<> write_image(const std::string& path, const image::Built& built, const image::SignOptions& options,
                     std::optional<std::uint32_t> address) {
    if (is_hex_name(path))
        return write_plain(path, [&](const Sink& sink) { return write_hex_image(built, options, *address, sink); });
    // Without padding the image is the file, and needs no second copy.
    if (!options.pad) return write_plain(path, built.image);
    return write_plain(path, image::to_binary(built, options));
}

/// Only Intel HEX has one: what a binary file would be given is not looked at.
Result<std::optional<std::uint32_t>> output_address(const Arguments& arguments, const Input& input,
                                                    const image::SignOptions& options) {
    if (!is_hex_name(arguments.text("OUTFILE"))) return std::nullopt;
    if (const auto given = arguments.number("--hex-addr")) {
        if (*given < 0 || *given > 0xffff'ffff)
            return fail(Errc::image_malformed, fmt::format("expected a HEX address of 0 to 0xffffffff, found {}",
                                                           printable(arguments.text("--hex-addr"), 40)));
        return static_cast<std::uint32_t>(*given);
    }
    if (!input.address) return usage("No address exists in input file neither was it provided by user");
    if (*input.address < 0)
        return fail(Errc::image_malformed, fmt::format("expected a payload at 0x{0:x} or above, found 0x{1:x}",
                                                       options.header_size, *input.address + options.header_size));
    return static_cast<std::uint32_t>(*input.address);
}

/// --vector-to-sign: what an external signer takes, instead of an image.
Result<int> write_vector(const Arguments& arguments, const Input& input, const image::SignOptions& options,
                         const Keys& keys, Streams& streams) {
    const bool digest = arguments.text("--vector-to-sign") == "digest";
    const auto* key = keys.signing ? &keys.signing->public_key : keys.fixed ? &*keys.fixed : nullptr;
    TRY(auto vector, image::vector_to_sign(input.payload, options, key));
    streams.out += fmt::format("image.py: export {}\n", digest ? "digest" : "payload");
    TRY(const auto address, output_address(arguments, input, options));
    image::Built built;
    built.image = std::move(digest ? vector.digest : vector.region);
    auto plain = options;
    plain.pad = plain.test = plain.confirm = false;
    TRY_VOID(write_image(arguments.text("OUTFILE"), built, plain, address));
    return 0;
}

Result<std::unique_ptr<image::Signer>> make_signer(Keys& keys) {
    if (keys.signing && keys.fixed) return usage("Can not sign using key and provide fixed-signature at the same time");
    if (keys.token) return std::move(keys.token);
    if (keys.signing) return std::make_unique<image::KeySigner>(std::move(*keys.signing->private_key));
    if (keys.fixed)
        return std::make_unique<image::FixedSigner>(std::move(*keys.fixed), std::vector<Bytes>{keys.fixed_signature});
    return nullptr;
}

/// The exit codes of imgtool: an image that is too large is a matter of the command line.
Failure build_failure(Error error) {
    if (error.code() == Errc::image_too_large) return fail(std::move(error).as(Errc::usage));
    return fail(std::move(error));
}

Result<int> run(const Arguments& arguments, Streams& streams) {
    TRY(auto options, sign_options(arguments));
    TRY(auto input, read_input(arguments, options));
    TRY(auto keys, read_keys(arguments));
    TRY_VOID(read_encryption(arguments, keys, options));
    TRY(options.custom_tlvs, custom_tlvs(arguments));
    TRY_VOID(read_fixed_signature(arguments, keys));
    if (const auto* key = keys.signing ? &keys.signing->public_key : keys.fixed ? &*keys.fixed : nullptr)
        TRY_VOID(check_hash(options, key->type()));
    if (arguments.has("--vector-to-sign")) return write_vector(arguments, input, options, keys, streams);

    // Padding belongs to the key that signs: a signature from elsewhere is taken as it is.
    if (!keys.signing) options.pad_signature = false;
    const auto note = signing_note(keys);
    TRY(const auto signer, make_signer(keys));
    streams.out += note;
    auto built = image::build(std::move(input.payload), options, signer.get());
    if (!built) return build_failure(std::move(built.error()));
    if (options.compression) {
        streams.out += compression_note(*built);
        if (built->compressed) streams.out += note;
        // imgtool forgets --test over the compressed image: its HEX says nothing of an image that is not confirmed.
        if (built->compressed) options.test = false;
    }
    TRY(const auto address, output_address(arguments, input, options));
    TRY_VOID(write_image(arguments.text("OUTFILE"), *built, options, address));
    if (const auto path = arguments.text("--sig-out"); !path.empty()) {
        if (signer == nullptr)
            return fail(Errc::key_unusable, "expected a signature for --sig-out, found an unsigned image");
        TRY_VOID(write_plain(path, as_bytes(to_base64(built->signature))));
    }
    return 0;
}

}  // namespace

Command sign_command() {
    return {"sign", "Make a signed or unsigned image; files named .hex are Intel HEX, all others binary",
            sign_parameters(), run};
}

}  // namespace fota::cli::imgtool
