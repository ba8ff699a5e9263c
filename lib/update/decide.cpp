#include "update/decide.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/sha256.hpp"
#include "base/text.hpp"
#include "core/slot_limit.h"
#include "image/limit.hpp"
#include "lwm2m/firmware.hpp"
#include "update/release_check.hpp"
#include "update/states.hpp"

namespace fota::update {
namespace {

/// How much of our image the device says it holds; 0 when it holds something else.
std::uint64_t stored_prefix(const DeviceFacts& facts, const Target& target) {
    if (target.component != Component::app || !facts.stored_bytes || !facts.stored_hash || *facts.stored_bytes == 0)
        return 0;
    if (*facts.stored_bytes > target.image.size()) return 0;
    const auto prefix = target.image.first(static_cast<std::size_t>(*facts.stored_bytes));
    const auto digest = sha256(prefix);
    return std::ranges::equal(digest, *facts.stored_hash) ? *facts.stored_bytes : 0;
}

std::optional<Error> slot_fault(const DeviceFacts& facts, const Target& target) {
    if (target.component != Component::app || !facts.secondary_size) return std::nullopt;
    if (target.image.size() > *facts.secondary_size)
        return Error(Errc::image_too_large,
                     fmt::format("expected an image of at most {} bytes (the device's secondary slot), found {}",
                                 with_thousands(*facts.secondary_size), with_thousands(target.image.size())));
    const auto mode = facts.boot_mode ? image::mode_from_word(*facts.boot_mode) : std::nullopt;
    if (!mode || !facts.primary_size || *facts.primary_size > UINT32_MAX || *facts.secondary_size > UINT32_MAX)
        return std::nullopt;
    const auto larger = std::max(*facts.primary_size, *facts.secondary_size);
    const fota_slot_geometry geometry{static_cast<std::uint32_t>(*facts.primary_size),
                                      static_cast<std::uint32_t>(*facts.secondary_size), 4096,
                                      static_cast<std::uint32_t>(image::default_max_sectors(larger, 4096)), 4};
    const auto limit = fota_image_limit(*mode, &geometry);
    if (target.end <= limit) return std::nullopt;
    return Error(Errc::image_too_large,
                 fmt::format("expected an image of at most {} bytes ({} with the device's slots), found {}",
                             with_thousands(limit), image::mode_name(*mode), with_thousands(target.end)));
}

std::optional<Error> version_fault(const DeviceFacts& facts, const Target& target, const Policy& policy) {
    if (policy.downgrade_reason) return std::nullopt;
    if (target.component == Component::mcuboot && facts.bootloader_version && target.info_version &&
        *facts.bootloader_version > *target.info_version)
        return Error(Errc::downgrade_refused,
                     fmt::format("expected a bootloader version above the running {}, found {}",
                                 *facts.bootloader_version, *target.info_version));
    if (target.component != Component::app) return std::nullopt;
    const auto running = reported_version(facts, target);
    const auto reported = parse_reported(running);
    if (!reported) return std::nullopt;
    auto compared = target.version;
    if (!reported->has_build) compared.build = reported->version.build;
    if (reported->version <= compared) return std::nullopt;
    return Error(Errc::downgrade_refused, fmt::format("expected a version above the running {}, found {}",
                                                      printable(running), target.version.text()));
}

/// Whether two texts name the same version, however the build is written.
bool same_version(const std::string& left, const std::string& right) {
    if (left == right) return true;
    const auto one = parse_reported(left);
    const auto other = parse_reported(right);
    return one && other && one->version == other->version && one->has_build == other->has_build;
}

std::optional<Error> board_fault(const DeviceFacts& facts, const Policy& policy) {
    if (policy.board.empty() || facts.model.empty() || is_board(facts.model, policy.board)) return std::nullopt;
    return Error(Errc::board_mismatch,
                 fmt::format("expected board {} (3/0/1), found {}", printable(policy.board), printable(facts.model)));
}

}  // namespace

bool is_board(std::string_view reported, std::string_view name) {
    if (!reported.starts_with(name)) return false;
    if (reported.size() == name.size()) return true;
    const char next = reported[name.size()];
    return !((next >= '0' && next <= '9') || (next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z'));
}

std::optional<ReportedVersion> parse_reported(const std::string& text) {
    std::string_view rest = text;
    while (!rest.empty() && (rest.back() == '\0' || rest.back() == ' ')) rest.remove_suffix(1);
    if (rest.starts_with('v') || rest.starts_with('V')) rest.remove_prefix(1);
    std::string normal(rest);
    // NCS's objects write the build behind a dash.
    if (const auto dash = normal.find('-'); dash != std::string::npos) normal[dash] = '+';
    const bool has_build = normal.contains('+');
    if (std::ranges::count(normal.substr(0, normal.find('+')), '.') != 2) return std::nullopt;
    const auto version = image::Version::parse(normal);
    if (!version) return std::nullopt;
    return ReportedVersion{*version, has_build};
}

std::string reported_version(const DeviceFacts& facts, const Target& target) {
    if (target.component == Component::mcuboot)
        return facts.bootloader_version ? std::to_string(*facts.bootloader_version) : std::string();
    auto out = facts.component_version && !facts.component_version->empty() ? *facts.component_version : facts.version;
    while (!out.empty() && (out.back() == '\0' || out.back() == ' ')) out.pop_back();
    return out;
}

std::string wanted_version(const DeviceFacts& facts, const Target& target) {
    if (target.component == Component::mcuboot) return "the bootloader's firmware-info version in 26245/0/11";
    const bool own = facts.component_version && !facts.component_version->empty();
    return fmt::format("a version such as {} in {}", target.text(),
                       own ? "the Current Version of its object 33629" : "3/0/3");
}

Running what_runs(const DeviceFacts& facts, const Target& target, const Policy& policy) {
    if (target.component == Component::mcuboot) {
        if (!facts.bootloader_version || !target.info_version) return Running::unknown;
        return *facts.bootloader_version == *target.info_version ? Running::target : Running::other;
    }
    const bool app = target.component == Component::app;
    if (app && facts.running_hash && !facts.running_hash->empty())
        return *facts.running_hash == target.hash ? Running::target : Running::other;
    const auto version = reported_version(facts, target);
    if (policy.expect_version) return version == *policy.expect_version ? Running::target : Running::other;
    // A modem package names no version that could be compared.
    const auto reported = app ? parse_reported(version) : std::nullopt;
    if (!reported) return Running::unknown;
    auto expected = target.version;
    if (!reported->has_build) expected.build = reported->version.build;
    return reported->version == expected ? Running::target : Running::other;
}

std::optional<Error> proof_fault(const DeviceFacts& facts, const Target& target,
                                 const std::optional<OpenAttempt>& attempt) {
    const auto version = reported_version(facts, target);
    const bool by_hash = target.component == Component::app && facts.running_hash && !facts.running_hash->empty();
    if (by_hash || !attempt || attempt->from_version != version) return std::nullopt;
    return Error(Errc::not_proven, fmt::format("expected a version that did not run before the update began, found "
                                               "\"{}\", which did: it does not tell the two apart",
                                               printable(version)))
        .with(stays_open, "yes");
}

bool runs_along(const LinkedInstance& linked, const std::string& version) {
    if (version.empty()) return false;
    if (same_version(version, linked.to)) return true;
    const bool comparable = parse_reported(linked.to) && parse_reported(version);
    return !comparable && !linked.from.empty() && version != linked.from;
}

Plan decide(const DeviceFacts& facts, const Target& target, const Policy& policy,
            const std::optional<OpenAttempt>& attempt, bool may_resume) {
    const bool executed = attempt && attempt->executed;
    // Where a package installs itself, sending it was the act: that it runs is what this attempt has done.
    const bool installs_itself = attempt && attempt->transfer && attempt->transfer->automatic;
    if (what_runs(facts, target, policy) == Running::target) {
        if (!executed && !installs_itself) return AlreadyRuns{};
        if (auto fault = proof_fault(facts, target, attempt)) return Refuse{std::move(*fault)};
        return AwaitReturn{};
    }
    if (auto fault = board_fault(facts, policy)) return Refuse{std::move(*fault)};
    if (auto fault = range_fault(policy.replaces, reported_version(facts, target))) return Refuse{std::move(*fault)};
    if (auto fault = version_fault(facts, target, policy)) return Refuse{std::move(*fault)};
    if (auto fault = slot_fault(facts, target)) return Refuse{std::move(*fault)};
    if (what_runs(facts, target, policy) == Running::unknown)
        return Refuse{
            Error(Errc::not_proven,
                  fmt::format("expected {}, found \"{}\": the update could not be proven, and nothing was sent",
                              wanted_version(facts, target), printable(reported_version(facts, target))))};
    const auto prefix = stored_prefix(facts, target);
    // 26245 tells of the application's package only.
    const bool tells = facts.stored_bytes && target.component == Component::app;
    const bool pulling = attempt && attempt->transfer && attempt->transfer->pull;
    if (facts.state == updating) return AwaitReturn{};
    if (facts.state == downloaded) {
        // Ours by what the device says it holds, or, where it cannot say, by our own journal.
        const bool ours = tells ? prefix == target.image.size() : attempt && attempt->downloaded;
        if (ours && installs_itself) return AwaitReturn{};
        if (ours) return ExecuteNow{};
        return Deliver{true, 0, {}};
    }
    if (executed) return AwaitReturn{};
    // The device fetches by itself: what it was given is still served under the same URI.
    if (facts.state == downloading && pulling)
        return may_resume ? Deliver{false, 0, attempt->transfer} : Deliver{true, 0, {}};
    if (prefix == target.image.size()) return Deliver{facts.state != idle, 0, {}};
    if (prefix > 0) return Deliver{false, prefix, {}};
    if (facts.state == downloading) {
        const bool journaled = attempt && attempt->transfer && attempt->transfer->block > 0 && !tells;
        if (may_resume && journaled) return Deliver{false, attempt->transfer->offset, attempt->transfer};
        return Deliver{true, 0, {}};
    }
    return Deliver{false, 0, {}};
}

bool resumes_as(const std::optional<OpenAttempt>& attempt, Method method) noexcept {
    return !attempt || !attempt->transfer || attempt->transfer->pull == (method == Method::pull);
}

bool retry_helps(std::int64_t update_result) noexcept {
    return update_result == static_cast<std::int64_t>(lwm2m::UpdateResult::initial) ||
           update_result == static_cast<std::int64_t>(lwm2m::UpdateResult::connection_lost) ||
           update_result == static_cast<std::int64_t>(lwm2m::UpdateResult::update_failed);
}

bool is_verdict(std::int64_t update_result) noexcept {
    using enum lwm2m::UpdateResult;
    switch (static_cast<lwm2m::UpdateResult>(update_result)) {
        case no_flash_space:
        case integrity_failed:
        case unsupported_package:
        case invalid_uri:
        case unsupported_protocol:
            return true;
        default:
            return false;
    }
}

Proof judge(const DeviceFacts& facts, const Target& target, const Policy& policy, int registrations_since_execute) {
    switch (what_runs(facts, target, policy)) {
        case Running::target:
            return Proof::proven;
        case Running::unknown:
            return registrations_since_execute > 0 ? Proof::unknown : Proof::not_yet;
        case Running::other:
            break;
    }
    if (facts.result == static_cast<std::int64_t>(lwm2m::UpdateResult::deferred)) return Proof::deferred;
    const bool failed = facts.result >= 2 && facts.state != updating;
    if (failed && registrations_since_execute == 0) return Proof::not_applied;
    if (failed || registrations_since_execute >= 2) return Proof::rolled_back;
    return Proof::not_yet;
}

}  // namespace fota::update
