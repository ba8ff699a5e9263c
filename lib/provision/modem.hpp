// One modem from blank to provisioned: identity read, credentials written into a sec tag and compared with what the
// modem lists, functional mode restored. Never deletes what it was not asked to, and says of every credential where it
// stands.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "modem/commands.hpp"
#include "modem/dialogue.hpp"
#include "ports/clock.hpp"
#include "ports/serial_line.hpp"

namespace fota::provision {

/// What the modem says of itself. Foreign: escape before printing.
struct ModemIdentity {
    modem::Dialect dialect;
    std::string imei;      ///< 15 digits
    std::string model;     ///< "" when the firmware does not tell; so below
    std::string firmware;  ///< "mfw_nrf9160_1.3.6"
    std::string hardware;
    std::string iccid;        ///< asked for only when the plan wants it
    std::string attestation;  ///< likewise
};

struct ModemCredential {
    modem::CredentialType type;
    Secret<std::string> content;  ///< as the modem stores it; certificates with LF line ends
};

struct ModemPlan {
    std::uint32_t sec_tag = modem::server_sec_tag;
    /// Called once the identity is known, before anything is changed. Its error ends the run.
    std::function<Result<std::vector<ModemCredential>>(const ModemIdentity&)> credentials;
    bool replace = false;       ///< delete the credentials of the same types in this tag that differ
    bool generate_key = false;  ///< make a key pair in the modem; its request is in the report
    std::string subject;        ///< of the request: "CN=..."; {imei} is filled in
    bool want_iccid = false;
    bool want_attestation = false;
};

enum class ModemOutcome : std::uint8_t {
    provisioned,  ///< written and compared
    already,      ///< everything was there; nothing was changed
    refused,      ///< nothing was changed
    failed,       ///< see `credentials` for what is in the modem now
};
std::string_view outcome_name(ModemOutcome outcome) noexcept;

enum class CredentialState : std::uint8_t {
    untouched,  ///< not written by this run
    already,    ///< found there, the same
    written,    ///< written; the modem's list shows the same SHA-256
    unproven,   ///< written; the modem lists no SHA-256 to compare
    different,  ///< written; the modem's list shows another SHA-256
    unknown,    ///< the write was not answered and the list could not be read afterwards
    missing,    ///< deleted, or written, and not in the modem's list
};
std::string_view state_name(CredentialState state) noexcept;

struct ModemReport {
    ModemOutcome outcome = ModemOutcome::failed;
    std::optional<ModemIdentity> modem;
    struct Line {
        modem::CredentialType type;
        CredentialState state = CredentialState::untouched;
    };
    std::vector<Line> credentials;
    std::optional<int> functionality;  ///< +CFUN before
    bool left_offline = false;         ///< +CFUN could not be restored
    std::string signing_request;       ///< PKCS#10 in PEM, of generate_key
    std::optional<Error> error;        ///< set unless provisioned or already
    /// "PSK identity written, pre-shared key missing": where each credential stands, for a person.
    std::string standing() const;
};

/// `step`: "identity", "offline", "writing the PSK identity", "comparing", "online": what is being done, for a person
/// who waits. Cancelling ends the work after the command in flight; the functional mode is restored all the same.
boost::asio::awaitable<ModemReport> provision_modem(ports::SerialLine& line, ports::Clock& clock, ModemPlan plan,
                                                    std::function<void(const std::string& step)> step);

}  // namespace fota::provision
