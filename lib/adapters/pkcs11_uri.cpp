#include "adapters/pkcs11_uri.hpp"

#include <fmt/format.h>

#include <charconv>
#include <set>

#include "base/text.hpp"

namespace fota::adapters {
namespace {

constexpr std::string_view scheme = "pkcs11:";
constexpr std::size_t longest = 4096;

Failure malformed(std::string message) {
    return fail(Errc::usage, std::move(message));
}

/// The characters of a value: those RFC 7512 lists, and %XX for any other.
Result<std::string> decode(std::string_view name, std::string_view text) {
    static constexpr std::string_view plain = "-._~:[]@!$'()*+,=/?|&";
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool letter = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (letter || plain.find(c) != std::string_view::npos) {
            out.push_back(c);
            continue;
        }
        const auto octet = c == '%' && text.size() - i > 2 ? from_hex(text.substr(i + 1, 2)) : std::nullopt;
        if (!octet || octet->size() != 1)
            return malformed(
                fmt::format("expected the value of {} in a pkcs11: URI to write every character but letters, "
                            "digits and a few signs as %XX, found another",
                            name));
        out.push_back(static_cast<char>(octet->front()));
        i += 2;
    }
    return out;
}

using Set = Result<> (*)(Pkcs11Uri&, std::string);

template <auto member>
Result<> keep(Pkcs11Uri& uri, std::string value) {
    uri.*member = std::move(value);
    return {};
}

Result<> keep_id(Pkcs11Uri& uri, std::string value) {
    uri.id = to_bytes(as_bytes(value));
    return {};
}

Result<> keep_slot(Pkcs11Uri& uri, std::string value) {
    std::uint64_t slot = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), slot);
    if (error != std::errc{} || end != value.data() + value.size())
        return malformed("expected a number as slot-id in a pkcs11: URI, found another text");
    uri.slot_id = slot;
    return {};
}

Result<> check_type(Pkcs11Uri&, std::string value) {
    if (value == "private" || value == "public") return {};
    return malformed("expected a pkcs11: URI of type=private or type=public, found another type");
}

Result<> keep_pin_source(Pkcs11Uri& uri, std::string value) {
    if (value.starts_with("file://")) value.erase(0, 7);
    if (value.starts_with("file:")) value.erase(0, 5);
    if (value.empty() || value.front() == '|')
        return malformed("expected a file as pin-source in a pkcs11: URI, found none");
    uri.pin_source = std::move(value);
    return {};
}

Result<> refuse_pin(Pkcs11Uri&, std::string) {
    return fail(Error(Errc::usage,
                      "expected the PIN in a file or in the environment, found pin-value in the pkcs11: URI, which "
                      "whoever lists the processes can read")
                    .with("hint", "pin-source=FILE in the URI, --passphrase-file or --passphrase-env"));
}

struct Attribute {
    std::string_view name;
    bool in_query;
    Set set;
};
constexpr Attribute attributes[] = {
    {"token", false, keep<&Pkcs11Uri::token>},
    {"manufacturer", false, keep<&Pkcs11Uri::manufacturer>},
    {"model", false, keep<&Pkcs11Uri::model>},
    {"serial", false, keep<&Pkcs11Uri::serial>},
    {"slot-id", false, keep_slot},
    {"slot-description", false, keep<&Pkcs11Uri::slot_description>},
    {"slot-manufacturer", false, keep<&Pkcs11Uri::slot_manufacturer>},
    {"object", false, keep<&Pkcs11Uri::object>},
    {"id", false, keep_id},
    {"type", false, check_type},
    {"module-path", true, keep<&Pkcs11Uri::module_path>},
    {"pin-source", true, keep_pin_source},
    {"pin-value", true, refuse_pin},
};

const Attribute* find(std::string_view name, bool in_query) {
    for (const auto& each : attributes)
        if (each.name == name && each.in_query == in_query) return &each;
    return nullptr;
}

/// The attributes of the path (separated by ';') or of the query (by '&').
Result<> read_part(Pkcs11Uri& out, std::string_view part, bool in_query) {
    std::set<std::string_view> seen;
    while (!part.empty()) {
        const auto end = part.find(in_query ? '&' : ';');
        const auto each = part.substr(0, end);
        part = end == std::string_view::npos ? std::string_view{} : part.substr(end + 1);
        const auto equals = each.find('=');
        if (equals == std::string_view::npos)
            return malformed("expected name=value between the separators of a pkcs11: URI, found no equals sign");
        const auto name = each.substr(0, equals);
        if (!seen.insert(name).second)
            return malformed(
                fmt::format("expected each attribute of a pkcs11: URI once, found {} twice", printable(name, 40)));
        const auto* attribute = find(name, in_query);
        // A query says how to reach the token, and may be meant for another program; the path says which key is meant,
        // and what is not understood there would be another key.
        if (attribute == nullptr && in_query && name != "module-name") continue;
        if (attribute == nullptr)
            return malformed(
                fmt::format("expected attributes of a token and a key in the pkcs11: URI, found {}, which "
                            "cannot be honoured",
                            printable(name, 40)));
        TRY(auto value, decode(name, each.substr(equals + 1)));
        TRY_VOID(attribute->set(out, std::move(value)));
    }
    return {};
}

}  // namespace

bool is_pkcs11_uri(std::string_view key) noexcept {
    return key.starts_with(scheme);
}

Result<Pkcs11Uri> Pkcs11Uri::parse(std::string_view uri) {
    if (!is_pkcs11_uri(uri) || uri.size() > longest)
        return malformed(fmt::format(
            "expected a URI that begins with pkcs11: and has at most {} characters, found another", longest));
    const auto rest = uri.substr(scheme.size());
    const auto question = rest.find('?');
    Pkcs11Uri out;
    TRY_VOID(read_part(out, rest.substr(0, question), false));
    if (question != std::string_view::npos) TRY_VOID(read_part(out, rest.substr(question + 1), true));
    return out;
}

}  // namespace fota::adapters
