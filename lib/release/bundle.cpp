#include "release/bundle.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "base/base64url.hpp"
#include "base/sha256.hpp"
#include "base/text.hpp"
#include "release/signed_document.hpp"

namespace fota::release {

namespace {

using nlohmann::json;
using Seconds = std::chrono::sys_seconds;

constexpr std::array roles{BundleRole::image, BundleRole::release, BundleRole::layout};
constexpr std::int64_t format = 1;
constexpr std::size_t most_devices = 100'000;

Failure invalid(std::string message) {
    return fail(Errc::config_invalid, "bundle: " + std::move(message));
}

bool plain_name(std::string_view name) {
    return !name.empty() && name.size() <= 128 && name != "." && name != ".." && std::ranges::all_of(name, [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
               c == '_' || c == '+';
    });
}

Result<> check(const Bundle& bundle) {
    std::set<std::string> names;
    std::set<BundleRole> seen;
    if (bundle.members.empty()) return invalid("expected at least one file, found none");
    for (const auto& member : bundle.members) {
        if (!plain_name(member.name))
            return invalid(
                fmt::format("expected a file name of letters, digits and .-_+, found \"{}\"", printable(member.name)));
        if (!names.insert(member.name).second)
            return invalid(fmt::format("expected each file name once, found {} twice", member.name));
        if (!seen.insert(member.role).second)
            return invalid(fmt::format("expected one {} at most, found two", role_name(member.role)));
    }
    if (bundle.devices.size() > most_devices)
        return invalid(fmt::format("expected at most {} devices, found {}", most_devices, bundle.devices.size()));
    return {};
}

std::string time_text(std::chrono::system_clock::time_point time) {
    return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::chrono::floor<std::chrono::seconds>(time)));
}

Result<std::string> text_of(const json& object, const char* name) {
    const auto found = object.find(name);
    if (found == object.end() || !found->is_string())
        return invalid(fmt::format("expected the text \"{}\", found none", name));
    return found->get<std::string>();
}

Result<std::chrono::system_clock::time_point> time_of(const json& object, const char* name) {
    const auto found = object.find(name);
    // Until the year 9999.
    if (found == object.end() || !found->is_number_integer() || *found < 0 || *found > 253'402'300'799)
        return invalid(fmt::format("expected \"{}\" as seconds since 1970, found none", name));
    return std::chrono::system_clock::time_point(Seconds(std::chrono::seconds(found->get<std::int64_t>())));
}

Result<BundleMember> member_of(const json& entry) {
    if (!entry.is_object()) return invalid("expected a member as an object, found another value");
    BundleMember out;
    TRY(const auto role, text_of(entry, "role"));
    const auto known = std::ranges::find(roles, role, role_name);
    if (known == roles.end())
        return invalid(fmt::format("expected image, release or layout, found \"{}\"", printable(role, 40)));
    out.role = *known;
    TRY(out.name, text_of(entry, "name"));
    TRY(const auto content, text_of(entry, "content"));
    TRY(const auto digest, text_of(entry, "sha256"));
    auto bytes = from_base64url(content);
    if (!bytes || to_hex(sha256(*bytes)) != digest)
        return invalid(
            fmt::format("expected {} to have the SHA-256 it names, found another", printable(out.name, 128)));
    out.content = std::move(*bytes);
    return out;
}

}  // namespace

std::string_view role_name(BundleRole role) noexcept {
    switch (role) {
        case BundleRole::image:
            return "image";
        case BundleRole::release:
            return "release";
        case BundleRole::layout:
            return "layout";
    }
    return "image";
}

const BundleMember* Bundle::find(BundleRole role) const {
    const auto found = std::ranges::find(members, role, &BundleMember::role);
    return found == members.end() ? nullptr : &*found;
}

bool Bundle::is_for(std::string_view endpoint) const {
    return devices.empty() || std::ranges::find(devices, endpoint) != devices.end();
}

Result<std::string> make_bundle(const Bundle& bundle, image::Signer& signer) {
    TRY_VOID(check(bundle));
    const auto seconds = [](std::chrono::system_clock::time_point time) {
        return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
    };
    auto members = json::array();
    for (const auto& member : bundle.members)
        members.push_back({{"role", role_name(member.role)},
                           {"name", member.name},
                           {"sha256", to_hex(sha256(member.content))},
                           {"content", to_base64url(member.content)}});
    return sign_document({{"format", format},
                          {"made", seconds(bundle.made)},
                          {"expires", seconds(bundle.expires)},
                          {"members", std::move(members)},
                          {"devices", bundle.devices},
                          {"note", bundle.note}},
                         bundle_type, signer);
}

Result<Bundle> open_bundle(std::string_view text, const image::PublicKey& key,
                           std::chrono::system_clock::time_point now) {
    TRY(const auto document, open_document(text, bundle_type, key));
    if (document.value("format", json()) != format)
        return invalid(fmt::format("expected format {}, found {}", format,
                                   printable(document.value("format", json()).dump(), 20)));
    Bundle out;
    TRY(out.made, time_of(document, "made"));
    TRY(out.expires, time_of(document, "expires"));
    TRY(out.note, text_of(document, "note"));
    const auto members = document.find("members");
    if (members == document.end() || !members->is_array()) return invalid("expected an array of members, found none");
    for (const auto& entry : *members) {
        TRY(auto member, member_of(entry));
        out.members.push_back(std::move(member));
    }
    const auto devices = document.find("devices");
    if (devices == document.end() || !devices->is_array()) return invalid("expected an array of devices, found none");
    for (const auto& device : *devices) {
        if (!device.is_string()) return invalid("expected endpoint names, found another value");
        out.devices.push_back(device.get<std::string>());
    }
    TRY_VOID(check(out));
    if (now >= out.expires)
        return fail(
            Errc::policy_refused,
            fmt::format("expected a bundle that is still good, found one that expired at {}", time_text(out.expires)));
    return out;
}

}  // namespace fota::release
