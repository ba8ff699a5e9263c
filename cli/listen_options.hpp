// How devices reach this process: the options that push and the device commands share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/credentials.hpp"
#include "adapters/dtls_certificate.hpp"
#include "cli/program.hpp"
#include "server/link_profile.hpp"

namespace fota::cli {

/// As given on the command line.
struct ListenOptions {
    std::string listen;
    std::string credentials;
    std::vector<std::string> psk;
    std::string certificate;
    std::string certificate_key;
    std::string client_ca;
    bool insecure_plain = false;
    std::string profile;
    std::string wait;
    std::string state_dir;
};
void bind_listen_options(CLI::App& app, ListenOptions& options);

/// Checked, with the configuration's values where no option was given.
struct ListenJob {
    server::LinkProfile profile;
    std::string profile_name;
    adapters::Credentials credentials;  ///< unused with `plain`
    std::shared_ptr<const adapters::ServerCertificate>
        certificate;  ///< devices may come with certificates of their own
    bool plain = false;
    std::string listen;
    std::string state_dir;
};

/// All but the credentials. Errc::usage with a hint.
Result<> fill_listen_job(Program& program, const ListenOptions& options, ListenJob& job);
/// The credentials, which must hold each of the endpoints unless devices may come with certificates; nothing with
/// `plain`. Reads files.
Result<> fill_credentials(Program& program, const ListenOptions& options, const std::vector<std::string>& endpoints,
                          ListenJob& job);
/// Errc::usage with a hint.
Failure misuse(std::string message, std::string hint);

}  // namespace fota::cli
