#include "provision/signed_document.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <optional>

#include "base/text.hpp"

namespace fota::provision {

namespace {

Failure invalid(std::string found) {
    return fail(Errc::config_invalid,
                "expected a signed document (RFC 7515, flattened JSON), found " + std::move(found));
}

}  // namespace

std::string to_base64url(BytesView bytes) {
    std::string out(4 * ((bytes.size() + 2) / 3) + 1, '\0');
    const auto size =
        EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()), bytes.data(), static_cast<int>(bytes.size()));
    out.resize(static_cast<std::size_t>(size));
    while (out.ends_with('=')) out.pop_back();
    for (auto& each : out) each = each == '+' ? '-' : each == '/' ? '_' : each;
    return out;
}

std::optional<Bytes> from_base64url(std::string_view text) {
    while (text.ends_with('=')) text.remove_suffix(1);
    const auto padding = (4 - text.size() % 4) % 4;
    if (padding == 3 || text.size() > 1u << 30) return std::nullopt;
    std::string padded;
    padded.reserve(text.size() + padding);
    for (const char each : text) {
        if (each == '+' || each == '/' || each == '=') return std::nullopt;
        padded += each == '-' ? '+' : each == '_' ? '/' : each;
    }
    padded.append(padding, '=');
    Bytes out(padded.size() / 4 * 3 + 1);
    const auto size = EVP_DecodeBlock(out.data(), reinterpret_cast<const unsigned char*>(padded.data()),
                                      static_cast<int>(padded.size()));
    // EVP_DecodeBlock skips white space at both ends; a whole number of groups is what was asked for.
    if (size < 0 || static_cast<std::size_t>(size) != padded.size() / 4 * 3) return std::nullopt;
    out.resize(static_cast<std::size_t>(size) - padding);
    return out;
}

Result<std::string> sign_document(const nlohmann::json& payload, std::string_view type, std::string_view key_id,
                                  const SignFunction& sign) {
    const nlohmann::json header{{"alg", "EdDSA"}, {"typ", type}, {"kid", key_id}};
    const auto text = [](const nlohmann::json& json) {
        return to_base64url(as_bytes(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
    };
    auto protected_part = text(header);
    auto payload_part = text(payload);
    TRY(const auto signature, sign(as_bytes(protected_part + "." + payload_part)));
    const nlohmann::json document{{"protected", std::move(protected_part)},
                                  {"payload", std::move(payload_part)},
                                  {"signature", to_base64url(signature)}};
    return document.dump() + "\n";
}

Result<nlohmann::json> open_document(std::string_view text, std::string_view type, const CheckFunction& check) {
    const auto document = nlohmann::json::parse(text, nullptr, false);
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
    const auto signature_bytes = from_base64url(*signature);
    if (!header_bytes || !payload_bytes || !signature_bytes) return invalid("parts that are no base64url");
    const auto parsed = nlohmann::json::parse(as_text(*header_bytes), nullptr, false);
    if (!parsed.is_object() || parsed.value("alg", nlohmann::json()) != "EdDSA")
        return invalid("another algorithm than EdDSA");
    if (parsed.contains("crit")) return invalid("a critical extension");
    if (parsed.value("typ", nlohmann::json()) != std::string(type))
        return fail(Errc::config_invalid, fmt::format("expected a document of type {}, found {}", type,
                                                      printable(parsed.value("typ", nlohmann::json()).dump(), 80)));
    if (!check(as_bytes(*header + "." + *payload), *signature_bytes))
        return fail(Errc::signature_invalid,
                    "expected a document signed by this key, found another key or changed content");
    auto content = nlohmann::json::parse(as_text(*payload_bytes), nullptr, false);
    if (!content.is_object()) return invalid("a payload that is no JSON object");
    return content;
}

}  // namespace fota::provision
