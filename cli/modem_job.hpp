// One modem on one port, as `provision modem` does it once or a batch many times.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/output.hpp"
#include "provision/modem.hpp"

namespace fota::cli {

struct ModemJob {
    std::string port;
    std::uint32_t baud = 115'200;
    bool rts_cts = false;
    std::uint32_t sec_tag = modem::server_sec_tag;
    std::string credentials;  ///< file of endpoints and keys; "" writes no pre-shared key
    std::string endpoint;     ///< "" takes the template
    std::string endpoint_template;
    std::string identity_template;
    std::string expected_imei;  ///< "" takes any device
    std::string label;          ///< goes into the report as it is
    bool known_only = false;    ///< refuse a device the credentials file does not have, instead of minting
    bool replace = false;
    bool attestation = false;
    bool generate_key = false;
    std::string subject;
    std::string csr_out;  ///< may hold {imei}
    std::string root_ca;  ///< files in PEM; "" writes none
    std::string certificate;
    std::string private_key;
};

struct ModemResult {
    provision::ModemReport report;
    std::string endpoint;
    std::string identity;
    bool minted = false;
    std::string csr_file;
    int signal = 0;              ///< that stopped it
    std::optional<Error> error;  ///< as a person sees it, with where each credential stands
    nlohmann::json fields;       ///< of the result line and the report; no secret
};

/// Opens the port, provisions, and tells steps as they begin. SIGINT and SIGTERM end it in order.
ModemResult run_modem_job(Output& out, const ModemJob& job);

/// The lines for a person; errors are left to the caller.
void tell_modem(Output& out, const ModemJob& job, const ModemResult& result);

}  // namespace fota::cli
