// What an update goes through: the object, the way of the package, the candidate; and whether the device is fit for it.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.hpp"
#include "update/decide.hpp"

namespace fota::update {
namespace {

namespace advanced = lwm2m::advanced_firmware;

std::string_view object_name(std::uint16_t object) {
    return object == advanced::object ? "Advanced Firmware Update" : "Firmware Update";
}

std::string listed(const lwm2m::RegistrationParameters& registered) {
    std::string out;
    for (const auto& each : registered.objects) {
        out += fmt::format("{}{}", out.empty() ? "" : ", ", each.object);
        if (each.instance) out += fmt::format("/{}", *each.instance);
    }
    return printable(out);
}

std::string listed(const std::vector<std::int64_t>& numbers) {
    return numbers.empty() ? std::string("none") : fmt::format("{}", fmt::join(numbers, ", "));
}

constexpr std::int64_t pull_only = 0;
constexpr std::int64_t push_only = 1;

}  // namespace

Result<lwm2m::FirmwareObject> choose_object(const lwm2m::RegistrationParameters& registered, Component component,
                                            const Policy& policy) {
    lwm2m::FirmwareObject out;
    // An object that is listed without an instance may have none (Anjay), or its client names no instances at all.
    const auto has_instance = [&](std::uint16_t object) {
        return std::ranges::any_of(registered.objects,
                                   [&](const auto& link) { return link.object == object && link.instance; });
    };
    const bool has_advanced = has_instance(advanced::object) ||
                              (registered.has_object(advanced::object) && !has_instance(lwm2m::firmware::object));
    out.object = policy.object.value_or(has_advanced ? advanced::object : lwm2m::firmware::object);
    const auto usual = out.advanced() && component == Component::modem ? advanced::modem : advanced::application;
    out.instance = policy.instance.value_or(out.advanced() ? usual : std::uint16_t{0});
    // An empty list says nothing: some clients leave it out of a Register they consider a repetition.
    if (registered.objects.empty()) return out;
    if (!registered.has_object(out.object))
        return fail(Errc::device_refused, fmt::format("expected object {} ({}) in the registration, found {}",
                                                      out.object, object_name(out.object), listed(registered)));
    const auto fits = [&](const lwm2m::ObjectLink& link) {
        return link.object == out.object && link.instance.value_or(out.instance) == out.instance;
    };
    if (!std::ranges::any_of(registered.objects, fits))
        return fail(Errc::device_refused, fmt::format("expected instance {} of object {} in the registration, found {}",
                                                      out.instance, out.object, listed(registered)));
    return out;
}

Result<Method> choose_method(const DeliveryFacts& device, const Policy& policy, bool secure) {
    const bool external = !policy.package_uri.empty();
    if (policy.method == Method::push && !external) {
        if (device.delivery != pull_only) return Method::push;
        return fail(Errc::device_refused,
                    "expected a device that takes pushed packages (5/x/9 is 1 or 2), found 0: it only fetches them "
                    "(--method pull)");
    }
    const bool asked = policy.method == Method::pull || external;
    if (!asked && device.delivery != pull_only) return Method::push;
    if (device.delivery == push_only)
        return fail(Errc::device_refused,
                    "expected a device that fetches packages (5/x/9 is 0 or 2), found 1: it takes pushed ones only "
                    "(--method push)");
    const auto protocol =
        external ? lwm2m::protocol_of(policy.package_uri) : std::optional<std::int64_t>(secure ? 1 : 0);
    const bool offered = !device.protocols || device.protocols->empty() ||
                         (protocol && std::ranges::find(*device.protocols, *protocol) != device.protocols->end());
    if (offered) return Method::pull;
    static constexpr std::string_view names[] = {"coap", "coaps", "http", "https"};
    return fail(Errc::device_refused,
                fmt::format("expected a device that fetches over {} ({} in 5/x/8), found protocols {}",
                            protocol ? names[*protocol] : std::string_view("this scheme"), protocol.value_or(-1),
                            listed(*device.protocols)));
}

std::string fetch_advice(std::int64_t update_result, const std::string& uri) {
    const auto begin = std::min(uri.size(), uri.find("://") == std::string::npos ? 0 : uri.find("://") + 3);
    const auto host = printable(std::string_view(uri).substr(begin, uri.find('/', begin) - begin));
    const bool is_address = host.starts_with('[') || host.find_first_not_of("0123456789.:") == std::string::npos;
    switch (static_cast<lwm2m::UpdateResult>(update_result)) {
        case lwm2m::UpdateResult::invalid_uri:
            return fmt::format("; the device does not take {} for a URI it can fetch from", printable(uri));
        case lwm2m::UpdateResult::update_failed:
            if (is_address) return {};
            return fmt::format(
                "; so do clients that cannot resolve the host: check {}, and that the device has a DNS "
                "server, or give an address",
                host);
        case lwm2m::UpdateResult::unsupported_protocol:
            return fmt::format("; the device has no client for the scheme of {}", printable(uri));
        default:
            return {};
    }
}

std::optional<Error> condition_fault(const ConditionFacts& device, const Policy& policy) {
    if (policy.min_battery && device.battery && *device.battery < *policy.min_battery)
        return Error(Errc::device_refused, fmt::format("expected a battery of at least {} % (3/0/9), found {} %",
                                                       *policy.min_battery, *device.battery));
    if (policy.min_free_memory && device.free_memory && *device.free_memory < *policy.min_free_memory)
        return Error(Errc::device_refused, fmt::format("expected at least {} kB of free memory (3/0/10), found {} kB",
                                                       *policy.min_free_memory, *device.free_memory));
    if (policy.refuse_device_errors && device.errors) {
        auto codes = *device.errors;
        std::erase(codes, 0);
        if (!codes.empty())
            return Error(Errc::device_refused,
                         fmt::format("expected no error code in 3/0/11, found {}{}", listed(codes),
                                     std::ranges::find(codes, 1) != codes.end() ? " (1 is a low battery)" : ""));
    }
    return std::nullopt;
}

Result<bool> sends_second_candidate(const DeviceFacts& facts) {
    if (!facts.bootloader_slot || *facts.bootloader_slot > 1)
        return fail(
            Errc::device_refused,
            "expected the device to tell from which slot its bootloader runs (26245/0/12, 0 or 1), found nothing");
    return *facts.bootloader_slot == 0;
}

}  // namespace fota::update
