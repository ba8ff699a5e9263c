// The decisions of an update, without I/O: what to do with a device in this condition, and what its answers prove.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "lwm2m/firmware.hpp"
#include "lwm2m/registration.hpp"
#include "update/journal.hpp"
#include "update/types.hpp"

namespace fota::update {

/// A version as devices write it: "1.2.3", "1.2.3+4", NCS's "1.2.3-4"; with or without a leading "v". The build is
/// absent when the device gives none.
struct ReportedVersion {
    image::Version version;
    bool has_build = false;
};
std::optional<ReportedVersion> parse_reported(const std::string& text);

/// Whether a board, as a device or a build names it ("nrf9160dk/nrf9160/ns", "nrf9160dk_nrf9160"), is the one of this
/// name: "nrf9160dk" is, "thingy91" is none of "thingy91x".
bool is_board(std::string_view reported, std::string_view name);

/// The version that counts for this component, as the device writes it; "" when it tells none.
std::string reported_version(const DeviceFacts& facts, const Target& target);
/// What it would have to tell to prove the update, and where, for a person: "a version such as 2.0.0 in 3/0/3".
std::string wanted_version(const DeviceFacts& facts, const Target& target);

/// Which object and instance this update goes through. device_refused when the device does not have it.
Result<lwm2m::FirmwareObject> choose_object(const lwm2m::RegistrationParameters& registered, Component component,
                                            const Policy& policy);
/// Push or pull. device_refused when what was asked for is not what the device offers.
Result<Method> choose_method(const DeliveryFacts& device, const Policy& policy, bool secure);
/// Why a device in this condition is not updated now.
std::optional<Error> condition_fault(const ConditionFacts& device, const Policy& policy);
/// Of the bootloader's two candidates the one for the slot it does not run from.
Result<bool> sends_second_candidate(const DeviceFacts& facts);

enum class Running : std::uint8_t { target, other, unknown };

/// What runs, by the strongest evidence there is: the running image's hash, else --expect-version, else 3/0/3.
Running what_runs(const DeviceFacts& facts, const Target& target, const Policy& policy);

/// Detail of an error after which the attempt stays open, so that the same command looks again at what was not proven
/// instead of finding the version that it runs.
inline constexpr auto stays_open = "attempt-stays-open";

/// Where the version is all the evidence, and the attempt began on this very version, it proves nothing: not_proven. So
/// it is where --expect-version was changed between two runs.
std::optional<Error> proof_fault(const DeviceFacts& facts, const Target& target,
                                 const std::optional<OpenAttempt>& attempt);

/// Whether an instance that was updated along runs what it should when it tells this version, the only thing that
/// counts. A package may spell it otherwise than its component does: then another version than before is the sign.
bool runs_along(const LinkedInstance& linked, const std::string& version);

/// What to do next with a device that is awake.
struct AlreadyRuns {};
struct AwaitReturn {  ///< Execute was sent, or the device says it is updating
};
struct ExecuteNow {};  ///< the whole image is stored
struct Deliver {
    bool reset_first = false;
    std::uint64_t start_offset = 0;  ///< by 26245: the device keeps this much
    /// Continue the journaled transfer at this block with its token.
    std::optional<OpenAttempt::Transfer> resume;
};
struct Refuse {
    Error error;
};
using Plan = std::variant<AlreadyRuns, AwaitReturn, ExecuteNow, Deliver, Refuse>;

/// `may_resume` is false after the device lost its place: start over unless 26245 says what it holds.
Plan decide(const DeviceFacts& facts, const Target& target, const Policy& policy,
            const std::optional<OpenAttempt>& attempt, bool may_resume);

/// Whether what the journal knows of a transfer can be continued by this method.
bool resumes_as(const std::optional<OpenAttempt>& attempt, Method method) noexcept;

/// Whether a downloaded package of which only the Result is known can be retried (connection lost, busy) or not.
bool retry_helps(std::int64_t update_result) noexcept;

/// What to look at when the device could not fetch from `uri`, beginning with "; "; "" where its Result says no more.
std::string fetch_advice(std::int64_t update_result, const std::string& uri);

/// Whether a Result says that this package will never do here: no space, damaged, of no kind it takes, a bad URI.
bool is_verdict(std::int64_t update_result) noexcept;

/// After Execute, on one registration or poll: what the device's answers mean.
enum class Proof : std::uint8_t {
    proven,
    not_yet,      ///< the old version, once, and nothing says that it failed
    not_applied,  ///< it gave up without a reboot, and its Result says why
    rolled_back,  ///< the old version on two registrations, or on one with Result >= 2
    deferred,     ///< Result 11
    unknown,      ///< its version is no version and no hash is offered
};
Proof judge(const DeviceFacts& facts, const Target& target, const Policy& policy, int registrations_since_execute);

}  // namespace fota::update
