#include "release/signed_document.hpp"

#include <fmt/format.h>
#include <openssl/ec.h>

#include <memory>
#include <optional>

#include "base/base64url.hpp"
#include "base/text.hpp"

namespace fota::release {

namespace {

using image::KeyType;
using nlohmann::json;

struct FreeSignature {
    void operator()(ECDSA_SIG* signature) const noexcept { ECDSA_SIG_free(signature); }
};
using EcSignature = std::unique_ptr<ECDSA_SIG, FreeSignature>;

/// Of a P-256 signature as RFC 7518 has it: R and S, 32 bytes each.
constexpr std::size_t half = 32;

Failure invalid(std::string found) {
    return fail(Errc::config_invalid,
                "expected a signed document (RFC 7515, flattened JSON), found " + std::move(found));
}

std::string canonical(const json& value) {
    return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string_view algorithm_of(KeyType type) {
    return type == KeyType::ed25519 ? "EdDSA" : "ES256";
}

/// Ed25519 signs the message itself, ECDSA its SHA-256; `digest` keeps that alive.
image::SignRequest request(KeyType type, BytesView message, const Bytes& digest) {
    if (type == KeyType::ed25519)
        return {.region = message, .digest = {}, .hash = image::HashType::sha512, .pure = true};
    return {.region = message, .digest = digest, .hash = image::HashType::sha256, .pure = false};
}

/// From the DER of an image's signature TLV to the form of a document; empty when it is none.
Bytes to_document_form(KeyType type, const Bytes& signature) {
    if (type == KeyType::ed25519) return signature;
    const auto* cursor = signature.data();
    const EcSignature parsed(d2i_ECDSA_SIG(nullptr, &cursor, static_cast<long>(signature.size())));
    Bytes out(2 * half);
    if (!parsed || BN_bn2binpad(ECDSA_SIG_get0_r(parsed.get()), out.data(), half) != static_cast<int>(half) ||
        BN_bn2binpad(ECDSA_SIG_get0_s(parsed.get()), out.data() + half, half) != static_cast<int>(half))
        return {};
    return out;
}

/// The other way; empty unless it has the one length there is.
Bytes from_document_form(KeyType type, const Bytes& signature) {
    if (signature.size() != 2 * half) return {};
    if (type == KeyType::ed25519) return signature;
    EcSignature parsed(ECDSA_SIG_new());
    auto* r = BN_bin2bn(signature.data(), half, nullptr);
    auto* s = BN_bin2bn(signature.data() + half, half, nullptr);
    if (!parsed || r == nullptr || s == nullptr || ECDSA_SIG_set0(parsed.get(), r, s) != 1) {
        BN_free(r);
        BN_free(s);
        return {};
    }
    const int length = i2d_ECDSA_SIG(parsed.get(), nullptr);
    if (length <= 0) return {};
    Bytes out(static_cast<std::size_t>(length));
    auto* cursor = out.data();
    i2d_ECDSA_SIG(parsed.get(), &cursor);
    return out;
}

struct Parts {
    std::string signed_text;  ///< what the signature is over
    Bytes signature;
    Unchecked content;
};

/// Of the whole text: the parser takes a zero byte for its end, and anything might follow that.
json parse_json(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) return json::value_t::discarded;
    return json::parse(text, nullptr, false);
}

Result<Parts> take_apart(std::string_view text, std::string_view type) {
    const auto document = parse_json(text);
    if (!document.is_object()) return invalid("other text");
    const auto part = [&](const char* name) -> const std::string* {
        const auto found = document.find(name);
        return found == document.end() ? nullptr : found->get_ptr<const std::string*>();
    };
    const auto* header = part("protected");
    const auto* payload = part("payload");
    const auto* signature = part("signature");
    if (header == nullptr || payload == nullptr || signature == nullptr)
        return invalid("JSON without \"protected\", \"payload\" and \"signature\"");
    const auto header_bytes = from_base64url(*header);
    const auto payload_bytes = from_base64url(*payload);
    auto signature_bytes = from_base64url(*signature);
    if (!header_bytes || !payload_bytes || !signature_bytes) return invalid("parts that are no base64url");
    const auto parsed = parse_json(as_text(*header_bytes));
    if (!parsed.is_object()) return invalid("a header that is no JSON object");
    const auto word = [&](const char* name) {
        const auto found = parsed.find(name);
        return found == parsed.end() || !found->is_string() ? std::string() : found->get<std::string>();
    };
    Parts out;
    out.content.algorithm = word("alg");
    if (out.content.algorithm != "EdDSA" && out.content.algorithm != "ES256")
        return invalid("another algorithm than EdDSA and ES256");
    if (parsed.contains("crit")) return invalid("a critical extension");
    if (word("typ") != type)
        return fail(Errc::config_invalid,
                    fmt::format("expected a document of type {}, found \"{}\"", type, printable(word("typ"), 80)));
    out.content.key_id = word("kid");
    out.content.payload = std::string(as_text(*payload_bytes));
    out.signed_text = *header + "." + *payload;
    out.signature = std::move(*signature_bytes);
    return out;
}

bool is_good(const image::PublicKey& key, std::string_view text, const Bytes& signature) {
    const auto message = as_bytes(text);
    const auto digest = image::digest(image::HashType::sha256, message);
    const auto plain = from_document_form(key.type(), signature);
    return !plain.empty() && image::verify_signature(key, request(key.type(), message, digest), plain);
}

}  // namespace

Result<> check_document_key(const image::PublicKey& key) {
    if (key.type() == KeyType::ed25519 || key.type() == KeyType::ecdsa_p256) return {};
    return fail(Errc::key_unusable, fmt::format("expected an Ed25519 or ECDSA-P256 key for a signed document, found {}",
                                                image::key_type_name(key.type())));
}

Result<std::string> sign_document(const json& payload, std::string_view type, image::Signer& signer) {
    const auto& key = signer.public_key();
    TRY_VOID(check_document_key(key));
    const json header{{"alg", algorithm_of(key.type())}, {"typ", type}, {"kid", to_hex(key.fingerprint())}};
    auto protected_part = to_base64url(as_bytes(canonical(header)));
    auto payload_part = to_base64url(as_bytes(canonical(payload)));
    const auto text = protected_part + "." + payload_part;
    const auto digest = image::digest(image::HashType::sha256, as_bytes(text));
    TRY(const auto made, signer.sign(request(key.type(), as_bytes(text), digest)));
    const auto signature = to_document_form(key.type(), made);
    if (!is_good(key, text, signature))
        return fail(Errc::signature_invalid, "expected the signer to sign with its key, found another signature");
    const json document{{"protected", std::move(protected_part)},
                        {"payload", std::move(payload_part)},
                        {"signature", to_base64url(signature)}};
    return document.dump() + "\n";
}

Result<std::string> open_payload(std::string_view text, std::string_view type, const image::PublicKey& key) {
    TRY_VOID(check_document_key(key));
    TRY(auto parts, take_apart(text, type));
    const auto id = to_hex(key.fingerprint());
    if (!parts.content.key_id.empty() && parts.content.key_id != id)
        return fail(Errc::key_mismatch, fmt::format("expected a document signed with the key {}, found one of key {}",
                                                    id.substr(0, 16), printable(parts.content.key_id, 16)));
    if (parts.content.algorithm != algorithm_of(key.type()) || !is_good(key, parts.signed_text, parts.signature))
        return fail(Errc::signature_invalid,
                    "expected a document signed by this key, found another key or changed content");
    return std::move(parts.content.payload);
}

Result<json> open_document(std::string_view text, std::string_view type, const image::PublicKey& key) {
    TRY(const auto payload, open_payload(text, type, key));
    auto content = parse_json(payload);
    if (!content.is_object()) return invalid("a payload that is no JSON object");
    return content;
}

Result<Unchecked> read_unchecked(std::string_view text, std::string_view type) {
    TRY(auto parts, take_apart(text, type));
    return std::move(parts.content);
}

bool looks_like_document(std::string_view text, std::string_view type) {
    return take_apart(text, type).has_value();
}

}  // namespace fota::release
