#include "cli/update_options.hpp"

#include <fmt/format.h>

#include <algorithm>

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
    app.add_option(
           "--component", o.component,
           "what is updated: mcuboot takes a package with candidates for s0 and s1, modem needs --expect-version")
        ->type_name("app|mcuboot|modem");
    app.add_option("--object", o.object, "the object it goes through (default: 33629 where the device has it)")
        ->type_name("5|33629[/INSTANCE]");
    app.add_option("--min-battery", o.min_battery, "refuse a device whose battery (3/0/9) is lower")
        ->type_name("PERCENT");
    app.add_option("--min-free-memory", o.min_free_memory, "refuse a device with less free memory (3/0/10)")
        ->type_name("KB");
    app.add_flag("--refuse-device-errors", o.refuse_device_errors, "refuse a device that reports error codes (3/0/11)");
    app.add_option("--severity", o.severity, "what the device is told of the update, where it may defer one")
        ->type_name("critical|mandatory|optional");
    app.add_option("--max-defer", o.max_defer, "how long the device may defer it")->type_name("D");
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
    if (options.component != "app" && !options.bootloader() && !options.modem())
        return misuse(fmt::format("expected --component app, mcuboot or modem, found {}", printable(options.component)),
                      "app is an MCUboot image, mcuboot a second-stage bootloader, modem a package of Nordic's modem "
                      "firmware");
    if (options.modem() && !policy.expect_version)
        return misuse("expected --expect-version with --component modem, found none",
                      "a modem package names no version: say what the modem reports afterwards, such as "
                      "mfw_nrf9160_1.3.7");
    // The modem installs its package with its radio off, for minutes.
    if (options.modem()) policy.return_deadline = std::max(policy.return_deadline, Milliseconds(30 * 60'000));
    if (!options.object.empty()) {
        const auto path = lwm2m::Path::parse("/" + options.object);
        if (!path || path->resource || (path->object != 5 && path->object != lwm2m::advanced_firmware::object))
            return misuse(fmt::format("expected --object 5 or 33629, with or without /INSTANCE, found {}",
                                      printable(options.object)),
                          "--object 33629/1 is the modem of nRF Connect SDK clients");
        policy.object = path->object;
        policy.instance = path->instance;
    }
    policy.min_battery = options.min_battery;
    policy.min_free_memory = options.min_free_memory;
    policy.refuse_device_errors = options.refuse_device_errors;
    static constexpr std::string_view severities[] = {"critical", "mandatory", "optional"};
    if (!options.severity.empty()) {
        const auto* found = std::ranges::find(severities, options.severity);
        if (found == std::end(severities))
            return misuse(fmt::format("expected --severity critical, mandatory or optional, found {}",
                                      printable(options.severity)),
                          "devices take mandatory where nothing is said");
        policy.severity = found - std::begin(severities);
    }
    if (!options.max_defer.empty()) {
        TRY(const auto span, parse_duration(options.max_defer));
        policy.max_defer = std::chrono::duration_cast<std::chrono::seconds>(span);
    }
    return {};
}

}  // namespace fota::cli
