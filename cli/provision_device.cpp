// fotactl provision device: an identity and a key for a device, into the credentials file.
#include <fmt/format.h>

#include "base/text.hpp"
#include "cli/credentials_file.hpp"
#include "cli/files.hpp"
#include "cli/provision.hpp"
#include "provision/naming.hpp"

namespace fota::cli {
namespace {

struct Options {
    std::vector<std::string> endpoints;
    std::string credentials;
    std::string identity_template = "{endpoint}";
};

void bind(CLI::App& app, Options& o) {
    app.add_option("--endpoint", o.endpoints, "the device's endpoint name; may be given several times")
        ->type_name("EP")
        ->required();
    app.add_option("--credentials", o.credentials,
                   "JSON file of endpoints, identities and keys; made, mode 0600, if absent")
        ->type_name("F")
        ->required();
    app.add_option("--identity-template", o.identity_template, "the DTLS identity made from {endpoint}")
        ->type_name("TEXT")
        ->capture_default_str();
}

struct Minted {
    std::string endpoint;
    std::string identity;
    bool already = false;
};

/// All or none: the file is written once.
Result<std::vector<Minted>> mint(const Options& options) {
    TRY(auto file, CredentialsFile::open(options.credentials));
    std::vector<Minted> out;
    bool changed = false;
    for (const auto& endpoint : options.endpoints) {
        TRY_VOID(check_endpoint_name(endpoint));
        TRY(const auto identity, provision::expand(options.identity_template, {{"endpoint", endpoint}}));
        if (const auto* known = file.find_endpoint(endpoint); known != nullptr) {
            if (known->identity != identity)
                return fail(
                    Error(Errc::credentials_unusable,
                          fmt::format("expected {} with the identity \"{}\" in {}, found \"{}\"", printable(endpoint),
                                      printable(identity), shown_path(options.credentials), printable(known->identity)))
                        .with("endpoint", printable(endpoint)));
            out.push_back({endpoint, identity, true});
            continue;
        }
        TRY_VOID(file.mint(endpoint, identity));
        out.push_back({endpoint, identity, false});
        changed = true;
    }
    if (changed) {
        TRY_VOID(file.save());
    }
    return out;
}

int run(Program& program, const Options& options) {
    const auto minted = mint(options);
    auto& out = program.out;
    if (!minted) return out.fail(minted.error());
    auto devices = nlohmann::json::array();
    bool all_there = true;
    for (const auto& device : *minted) {
        all_there = all_there && device.already;
        devices.push_back({{"endpoint", device.endpoint},
                           {"identity", device.identity},
                           {"outcome", device.already ? "already-there" : "minted"}});
        out.event("device", devices.back());
        out.line(fmt::format("{}  {} · identity {} · {}", device.already ? "there  " : "minted ", device.endpoint,
                             device.identity,
                             device.already ? "its key was kept" : "key in " + shown_path(options.credentials)));
    }
    nlohmann::json fields{{"credentials", options.credentials}, {"devices", devices}};
    if (minted->size() == 1) fields.update(devices.front());
    fields.erase("outcome");
    return out.result(all_there ? "already-there" : "minted", std::move(fields));
}

}  // namespace

void add_provision_device(CLI::App& group, Program& program) {
    add_command<Options>(group, program, "device", "mint an identity and a key for a device into the credentials file",
                         bind, run);
}

}  // namespace fota::cli
