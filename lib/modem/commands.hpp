// The commands that provisioning needs, and the parsers of their answers. Source: Nordic's nRF9160 AT commands
// reference
// (%CMNG, %KEYGEN, %ATTESTTOKEN, %HWVERSION, %XICCID) and 3GPP TS 27.007 (+CMEE, +CGSN, +CGMM, +CGMR, +CFUN).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/sha256.hpp"
#include "modem/dialogue.hpp"

namespace fota::modem {

/// %CMNG's <type>.
enum class CredentialType : std::uint8_t {
    root_ca = 0,
    client_certificate = 1,
    client_key = 2,
    psk = 3,  ///< as hexadecimal text
    psk_identity = 4,
};
/// "root CA certificate", "pre-shared key"; "credential of type 10" for the modem's own.
std::string type_text(int type);

/// Security tags of the application: larger numbers are the modem's own (Nordic: 2147483648 to 4294967295).
inline constexpr std::uint32_t largest_sec_tag = 2'147'483'647;
/// The LwM2M client's default in NCS (CONFIG_LWM2M_CLIENT_UTILS_SERVER_TLS_TAG).
inline constexpr std::uint32_t server_sec_tag = 35'724'861;
/// CONFIG_LWM2M_CLIENT_UTILS_BOOTSTRAP_TLS_TAG.
inline constexpr std::uint32_t bootstrap_sec_tag = 35'724'862;

/// A command without secrets.
inline Command plain(std::string text) {
    return Command(std::move(text));
}
inline Command attention() {
    return plain("AT");
}
inline Command numeric_errors() {
    return plain("AT+CMEE=1");
}
inline Command ask_imei() {
    return plain("AT+CGSN");
}
inline Command ask_model() {
    return plain("AT+CGMM");
}
inline Command ask_firmware() {
    return plain("AT+CGMR");
}
inline Command ask_hardware() {
    return plain("AT%HWVERSION");
}
inline Command ask_iccid() {
    return plain("AT%XICCID");
}
inline Command ask_functionality() {
    return plain("AT+CFUN?");
}
Command set_functionality(int mode);
inline Command list_credentials() {
    return plain("AT%CMNG=1");
}
Command delete_credential(std::uint32_t tag, CredentialType type);
/// credentials_unusable: a text the modem's string syntax cannot carry (a double quote, control characters but line
/// ends).
Result<Command> write_credential(std::uint32_t tag, CredentialType type, const Secret<std::string>& content);
/// A key pair made in the modem; `attributes` are the subject's ("CN=..."), empty for the modem's default (its UUID).
Result<Command> generate_key(std::uint32_t tag, std::string_view attributes);
inline Command ask_attestation() {
    return plain("AT%ATTESTTOKEN");
}

/// +CFUN modes in which %CMNG may write: 0 (power off) and 4 (flight mode).
constexpr bool offline(int functionality) noexcept {
    return functionality == 0 || functionality == 4;
}

/// All parsers: message_malformed with expected and found when the answer is OK and yet not what it should be.
/// The 15 digits; other lines around them are passed over.
Result<std::string> parse_imei(const Answer& answer);
/// 18 to 22 digits (ITU-T E.118).
Result<std::string> parse_iccid(const Answer& answer);
/// The first line, without its "%NAME: " where it has one: +CGMM, +CGMR, %HWVERSION, %ATTESTTOKEN.
Result<std::string> parse_text(const Answer& answer, std::string_view name);
Result<int> parse_functionality(const Answer& answer);

struct StoredCredential {
    std::uint32_t tag = 0;
    int type = 0;
    std::optional<Digest256> digest;  ///< of the stored text; modem firmware before 1.3.0 gives none or another
};
Result<std::vector<StoredCredential>> parse_credentials(const Answer& answer);

/// %KEYGEN's "csr.cose", both base64url.
struct GeneratedKey {
    std::string csr;          ///< base64url of a PKCS#10 request in DER
    std::string attestation;  ///< base64url of a COSE message over it
};
Result<GeneratedKey> parse_generated_key(const Answer& answer);

/// Of "mfw_nrf9160_1.3.6": {1, 3, 6}; nullopt for other names.
std::optional<std::array<int, 3>> firmware_version(std::string_view firmware);

}  // namespace fota::modem
