#include "cli/listen_options.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "adapters/net_address.hpp"
#include "base/text.hpp"
#include "cli/files.hpp"

namespace fota::cli {

Failure misuse(std::string message, std::string hint) {
    return fail(Error(Errc::usage, std::move(message)).with("hint", std::move(hint)));
}

void bind_listen_options(CLI::App& app, ListenOptions& o) {
    app.add_option("--listen", o.listen, "ADDRESS:PORT to serve on; port 0 takes a free one (5684, all interfaces)");
    app.add_option("--credentials", o.credentials, "JSON file of endpoints, identities and keys, mode 0600")
        ->type_name("F");
    app.add_option("--psk", o.psk, "one device's key: EP=IDENTITY:@KEYFILE (hex text, mode 0600)");
    auto* certificate = app.add_option("--certificate", o.certificate,
                                       "PEM: this server's certificate (P-256 or P-384) and its issuers; devices may "
                                       "then come with certificates that name their endpoint");
    auto* key = app.add_option("--certificate-key", o.certificate_key, "PEM: its private key, mode 0600");
    auto* ca = app.add_option("--client-ca", o.client_ca, "PEM: who issues the devices' certificates");
    for (auto* each : {certificate, key, ca}) each->type_name("F");
    app.add_flag("--insecure-plain", o.insecure_plain,
                 "serve CoAP in clear, on 127.0.0.1:5683 unless --listen is given");
    app.add_option("--profile", o.profile, "what to expect of the link: lte-m, nb-iot or lan");
    app.add_option("--wait", o.wait, "how long to wait for the device to register")->type_name("D");
    app.add_option("--state-dir", o.state_dir, "where the journal is kept")->type_name("D");
}

Result<> fill_listen_job(Program& program, const ListenOptions& options, ListenJob& job) {
    job.profile_name = program.config.value_or(options.profile, "profile");
    if (job.profile_name.empty()) job.profile_name = "lte-m";
    const auto profile = server::link_profile(job.profile_name);
    if (!profile)
        return misuse(fmt::format("expected a profile lte-m, nb-iot or lan, found {}", printable(job.profile_name)),
                      "--profile lte-m");
    job.profile = *profile;
    job.plain = options.insecure_plain;
    const auto given = {!options.certificate.empty(), !options.certificate_key.empty(), !options.client_ca.empty()};
    if (std::ranges::count(given, true) % given.size() != 0)
        return misuse("expected --certificate, --certificate-key and --client-ca, found not all of them",
                      "the three go together; --psk and --credentials need none of them");
    if (options.insecure_plain &&
        (!options.credentials.empty() || !options.psk.empty() || !options.certificate.empty()))
        return misuse("expected credentials or --insecure-plain, found both",
                      "a device that has credentials is never accepted in clear");
    job.listen = program.config.value_or(options.listen, "listen");
    if (job.listen.empty()) job.listen = job.plain ? "127.0.0.1:5683" : "[::]:5684";
    if (auto address = adapters::parse_listen_address(job.listen); !address)
        return misuse(fmt::format("expected ADDRESS:PORT to listen on, found {}", printable(job.listen)),
                      "--listen 0.0.0.0:5684, or --listen 127.0.0.1:0 for a free port");
    job.state_dir = program.config.state_dir(options.state_dir).text;
    return {};
}

namespace {

Result<> fill_certificate(const ListenOptions& options, ListenJob& job) {
    auto out = std::make_shared<adapters::ServerCertificate>();
    TRY(out->chain, read_file(options.certificate, small_file_limit));
    TRY(out->key, read_secret_file(options.certificate_key));
    TRY(out->client_ca, read_file(options.client_ca, small_file_limit));
    job.certificate = std::move(out);
    return {};
}

}  // namespace

Result<> fill_credentials(Program& program, const ListenOptions& options, const std::vector<std::string>& endpoints,
                          ListenJob& job) {
    if (job.plain) return {};
    const auto file = program.config.value_or(options.credentials, "credentials");
    if (!options.certificate.empty()) {
        TRY_VOID(fill_certificate(options, job));
    } else if (file.empty() && options.psk.empty()) {
        return misuse("expected the device's credentials, found none",
                      "--credentials FILE, or --psk EP=IDENTITY:@KEYFILE; on a bench --insecure-plain");
    }
    if (!file.empty()) {
        TRY_VOID(job.credentials.load(file));
    }
    for (const auto& argument : options.psk) {
        TRY_VOID(job.credentials.add_argument(argument));
    }
    if (job.certificate) return {};
    for (const auto& endpoint : endpoints) {
        const bool known =
            std::ranges::any_of(job.credentials.devices(), [&](const auto& each) { return each.endpoint == endpoint; });
        if (!known)
            return fail(Error(Errc::credentials_unusable,
                              fmt::format("expected credentials of {}, found none", printable(endpoint))));
    }
    return {};
}

}  // namespace fota::cli
