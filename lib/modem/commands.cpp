#include "modem/commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/text.hpp"

namespace fota::modem {
namespace {

bool is_digits(std::string_view text) {
    return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Failure malformed(std::string_view expected, const Answer& answer) {
    return fail(Errc::message_malformed,
                fmt::format("expected {}, found {}", expected,
                            answer.lines.empty() ? std::string("an answer without text")
                                                 : fmt::format("\"{}\"", printable(answer.lines.front(), 80))));
}

/// What follows "%NAME:" where the line begins so, without blanks and quotes around it.
std::string_view value_of(std::string_view line) {
    if (line.starts_with('+') || line.starts_with('%'))
        if (const auto colon = line.find(':'); colon != std::string_view::npos) line.remove_prefix(colon + 1);
    while (!line.empty() && line.front() == ' ') line.remove_prefix(1);
    if (line.size() >= 2 && line.front() == '"' && line.back() == '"') line = line.substr(1, line.size() - 2);
    return line;
}

/// Takes the field before the next comma off `rest`.
std::string_view take_field(std::string_view& rest) {
    const auto comma = rest.find(',');
    const auto field = rest.substr(0, comma);
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
    return field;
}

template <class Number>
std::optional<Number> number(std::string_view text) {
    while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

/// A digit string of the given length on a line of its own, or behind its "%NAME: ".
std::optional<std::string> digits_of(const Answer& answer, std::size_t shortest, std::size_t longest) {
    for (const auto& line : answer.lines) {
        const auto value = value_of(line);
        if (is_digits(value) && value.size() >= shortest && value.size() <= longest) return std::string(value);
    }
    return std::nullopt;
}

Error unwritable(std::string message) {
    return Error(Errc::credentials_unusable, std::move(message));
}

/// nullptr when the modem's string syntax can carry it, else what is wrong with it.
const char* string_fault(std::string_view text) {
    if (text.find('"') != std::string_view::npos) return "a double quote";
    for (const char each : text)
        if (static_cast<unsigned char>(each) < 0x20 && each != '\r' && each != '\n') return "a control character";
    for (const char each : text)
        if (static_cast<unsigned char>(each) >= 0x7f) return "a character outside ASCII";
    return nullptr;
}

}  // namespace

std::string type_text(int type) {
    switch (type) {
        case 0:
            return "root CA certificate";
        case 1:
            return "client certificate";
        case 2:
            return "client private key";
        case 3:
            return "pre-shared key";
        case 4:
            return "PSK identity";
        default:
            return fmt::format("credential of type {}", type);
    }
}

Command set_functionality(int mode) {
    return plain(fmt::format("AT+CFUN={}", mode));
}

Command delete_credential(std::uint32_t tag, CredentialType type) {
    return plain(fmt::format("AT%CMNG=3,{},{}", tag, static_cast<int>(type)));
}

Result<Command> write_credential(std::uint32_t tag, CredentialType type, const Secret<std::string>& content) {
    const auto& text = content.reveal();
    if (text.empty())
        return fail(unwritable(fmt::format("expected a {}, found an empty one", type_text(static_cast<int>(type)))));
    if (const auto* fault = string_fault(text); fault != nullptr)
        return fail(unwritable(fmt::format("expected a {} that an AT command can carry, found {} in it",
                                           type_text(static_cast<int>(type)), fault)));
    return Command(fmt::format("AT%CMNG=0,{},{},\"{}\"", tag, static_cast<int>(type), text));
}

Result<Command> generate_key(std::uint32_t tag, std::string_view attributes) {
    if (attributes.empty()) return plain(fmt::format("AT%KEYGEN={},2,0", tag));
    if (const auto* fault = string_fault(attributes);
        fault != nullptr || attributes.find('\n') != std::string_view::npos)
        return fail(Errc::usage, fmt::format("expected a subject that an AT command can carry, found {} in it",
                                             fault != nullptr ? fault : "a line end"));
    return plain(fmt::format("AT%KEYGEN={},2,0,\"{}\"", tag, attributes));
}

Result<std::string> parse_imei(const Answer& answer) {
    if (auto digits = digits_of(answer, 15, 15)) return std::move(*digits);
    return malformed("an IMEI of 15 digits", answer);
}

Result<std::string> parse_iccid(const Answer& answer) {
    if (auto digits = digits_of(answer, 18, 22)) return std::move(*digits);
    return malformed("the SIM's ICCID of 18 to 22 digits", answer);
}

Result<std::string> parse_text(const Answer& answer, std::string_view name) {
    for (const auto& line : answer.lines)
        if (const auto value = value_of(line); !value.empty()) return std::string(value);
    return malformed(name, answer);
}

Result<int> parse_functionality(const Answer& answer) {
    for (const auto& line : answer.lines)
        if (const auto mode = number<int>(value_of(line)); mode && *mode >= 0 && *mode <= 99) return *mode;
    return malformed("the modem's functional mode (+CFUN: n)", answer);
}

Result<std::vector<StoredCredential>> parse_credentials(const Answer& answer) {
    std::vector<StoredCredential> out;
    for (const auto& line : answer.lines) {
        constexpr std::string_view prefix = "%CMNG:";
        if (!line.starts_with(prefix)) continue;
        auto rest = std::string_view(line).substr(prefix.size());
        StoredCredential entry;
        const auto tag = number<std::uint32_t>(take_field(rest));
        const auto type = number<int>(take_field(rest));
        if (!tag || !type)
            return fail(Errc::message_malformed,
                        fmt::format("expected %CMNG: TAG,TYPE,\"SHA-256\" in the modem's list, found"
                                    " \"{}\"",
                                    printable(line, 80)));
        entry.tag = *tag;
        entry.type = *type;
        const auto digest = from_hex(value_of(take_field(rest)));
        if (digest && digest->size() == entry.digest.emplace().size())
            std::ranges::copy(*digest, entry.digest->begin());
        else
            entry.digest.reset();
        out.push_back(entry);
    }
    return out;
}

Result<GeneratedKey> parse_generated_key(const Answer& answer) {
    for (const auto& line : answer.lines) {
        if (!line.starts_with("%KEYGEN:")) continue;
        const auto value = value_of(line);
        const auto dot = value.find('.');
        constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=";
        const auto csr = value.substr(0, dot);
        const auto attestation = dot == std::string_view::npos ? std::string_view{} : value.substr(dot + 1);
        if (csr.empty() || csr.find_first_not_of(alphabet) != std::string_view::npos ||
            attestation.find_first_not_of(alphabet) != std::string_view::npos)
            break;
        return GeneratedKey{std::string(csr), std::string(attestation)};
    }
    return malformed("%KEYGEN: with a certificate signing request in base64url", answer);
}

std::optional<std::array<int, 3>> firmware_version(std::string_view firmware) {
    const auto mark = firmware.rfind('_');
    if (mark == std::string_view::npos || !firmware.starts_with("mfw_")) return std::nullopt;
    auto rest = firmware.substr(mark + 1);
    std::array<int, 3> out{};
    for (std::size_t i = 0; i < out.size(); ++i) {
        const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), out[i]);
        if (error != std::errc{}) return std::nullopt;
        rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
        if (i == 2) break;
        if (!rest.starts_with('.')) return std::nullopt;
        rest.remove_prefix(1);
    }
    return out;
}

}  // namespace fota::modem
