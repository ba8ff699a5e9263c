#include "cli/update_options.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include "base/text.hpp"
#include "lwm2m/firmware.hpp"

namespace fota::cli {
namespace {

Failure misuse(std::string message, std::string hint) {
    return fail(Error(Errc::usage, std::move(message)).with("hint", std::move(hint)));
}

bool has_only_uri_characters(std::string_view text) {
    return text.find_first_not_of(
               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;=%") ==
           std::string_view::npos;
}

}  // namespace

void bind_update_options(CLI::App& app, UpdateOptions& o) {
    app.add_option("--method", o.method,
                   "push sends blocks, pull lets the device fetch them (default: push, unless it only fetches)")
        ->type_name("push|pull");
    app.add_option("--package-uri", o.package_uri,
                   "the device fetches from this server of yours; nothing is served here")
        ->type_name("URI");
    app.add_option("--advertise", o.advertise, "the address a device fetches from, where it is not the one it reaches")
        ->type_name("HOST[:PORT]");
}

Result<> fill_policy(const UpdateOptions& options, update::Policy& policy) {
    if (options.method == "push") {
        policy.method = update::Method::push;
    } else if (options.method == "pull") {
        policy.method = update::Method::pull;
    } else if (!options.method.empty()) {
        return misuse(fmt::format("expected --method push or pull, found {}", printable(options.method)),
                      "without it the package is pushed, unless the device only fetches");
    }
    if (!options.package_uri.empty()) {
        if (policy.method == update::Method::push)
            return misuse("expected --method pull with --package-uri, found push", "leave one of them out");
        if (!options.advertise.empty())
            return misuse("expected --package-uri or --advertise, found both",
                          "--advertise is the address of the server that this command starts");
        if (options.package_uri.size() > lwm2m::longest_package_uri)
            return misuse(fmt::format("expected a package URI of at most {} characters, found {}",
                                      lwm2m::longest_package_uri, options.package_uri.size()),
                          "longer ones overrun a buffer in some devices (CVE-2026-10672)");
        if (!lwm2m::protocol_of(options.package_uri) || !has_only_uri_characters(options.package_uri))
            return misuse(fmt::format("expected a package URI of coap, coaps, http or https, found {}",
                                      printable(options.package_uri)),
                          "--package-uri https://firmware.example.com/app-2.0.0.bin");
        policy.package_uri = options.package_uri;
    }
    if (!options.advertise.empty() && (!has_only_uri_characters(options.advertise) || options.advertise.contains('/') ||
                                       options.advertise.starts_with(':')))
        return misuse(fmt::format("expected --advertise HOST[:PORT], found {}", printable(options.advertise)),
                      "--advertise fota.example.com:5684, or [2001:db8::1]:5684");
    policy.advertise = options.advertise;
    return {};
}

}  // namespace fota::cli
