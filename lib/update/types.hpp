// What an update is given, what it tells while it runs, and what it ends with.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "image/version.hpp"
#include "ports/device_link.hpp"
#include "release/version_range.hpp"

namespace fota::update {

/// What is updated decides the checks and the proof (DESIGN.md section 3).
enum class Component : std::uint8_t {
    app,      ///< an MCUboot image: slot limit, key; proof by hash or version
    mcuboot,  ///< a second-stage bootloader's candidate; proof by its firmware-info version, never by 3/0/3
    modem,    ///< a Nordic package; proof by the modem's version
};
std::string_view component_name(Component component) noexcept;

/// What shall run. `image` is owned by the caller and outlives the update.
struct Target {
    BytesView image;
    image::Version version;
    Bytes hash;  ///< the image's hash TLV: what the bootloader and object 26245 call it. Others: SHA-256 of it all
    std::uint64_t end = 0;  ///< offset after the last TLV; what has to fit the slot
    Component component = Component::app;
    /// The candidate for the bootloader's other slot (mcuboot only): `image` and `hash` are those of slot 0.
    BytesView other_image;
    Bytes other_hash;
    std::optional<std::uint32_t> info_version;  ///< firmware-info version (mcuboot only)
    /// What a person and the journal call it: the image's version, or what --expect-version says.
    std::string label;

    std::string text() const { return label.empty() ? version.text() : label; }
    std::string full() const { return label.empty() ? version.full() : label; }
};

/// How the package gets there. Automatic: pushed, unless the device says that it only fetches.
enum class Method : std::uint8_t { automatic, push, pull };

struct Policy {
    /// How long to wait for the device to register; nullopt: for ever.
    std::optional<Milliseconds> wait;
    /// No acknowledged block for this long ends the transfer.
    Milliseconds stall{300'000};
    /// After Execute: how long the device may take to swap, boot and register.
    Milliseconds return_deadline{900'000};
    /// After the proof: every registration in this span is proven again.
    Milliseconds soak{0};
    /// What the device reports in 3/0/3 when the update runs, where that is no version.
    std::optional<std::string> expect_version;
    /// Why an older version may replace a newer one; absent: it may not.
    std::optional<std::string> downgrade_reason;
    /// The board that 3/0/1 must name ("nrf9160dk", see is_board()); "" when nothing is known.
    std::string board;
    /// What the release may take the place of; open without one. Nobody overrides it, --allow-downgrade included.
    release::VersionRange replaces;
    std::uint32_t block_size = 512;

    Method method = Method::automatic;
    std::string package_uri;  ///< of a server that the user runs; not empty: pull, and nothing is served
    std::string advertise;    ///< HOST[:PORT] for the URI of our own; "": where the device reaches us
    /// 5 or 33629; absent: 33629 where the device has it, else 5. It alone is used during an update.
    std::optional<std::uint16_t> object;
    std::optional<std::uint16_t> instance;  ///< absent: 0, and of 33629 the component's own

    // What the device says of its condition (object 3); absent: not asked.
    std::optional<std::int64_t> min_battery;      ///< percent
    std::optional<std::int64_t> min_free_memory;  ///< kB
    bool refuse_device_errors = false;            ///< any error code but 0
    // Written before the package where the device has them (object 5 since 1.1).
    std::optional<std::int64_t> severity;  ///< 0 critical, 1 mandatory, 2 optional
    std::optional<std::chrono::seconds> max_defer;
};

/// The steps a person follows (DESIGN.md section 3; loading, policy and layout come before a device is involved).
enum class Step : std::uint8_t {
    await_device,
    plan,
    reset,
    deliver,
    downloaded,
    execute,
    await_return,
    prove,
    soak,
};
std::string_view step_name(Step step) noexcept;

enum class Outcome : std::uint8_t {
    updated,
    already_installed,
    refused,
    failed,
    rolled_back,
    deferred,
    absent,
    interrupted
};
/// "already-installed": the spelling of CLI.md.
std::string_view outcome_name(Outcome outcome) noexcept;

/// What the device says of itself before anything is decided. Absent: not offered, or no such object.
struct DeviceFacts {
    std::string version;      ///< 3/0/3, raw
    std::string model;        ///< 3/0/1, raw
    std::int64_t state = 0;   ///< 5/0/3
    std::int64_t result = 0;  ///< 5/0/5
    std::optional<Bytes> running_hash;
    std::optional<Bytes> stored_hash;
    std::optional<std::uint64_t> stored_bytes;
    std::optional<std::uint64_t> primary_size;
    std::optional<std::uint64_t> secondary_size;
    std::optional<std::string> boot_mode;
    std::optional<Bytes> jedec_id;
    std::optional<std::uint64_t> flash_size;
    std::optional<std::string> component_version;     ///< 33629/x/15
    std::optional<std::uint64_t> bootloader_version;  ///< 26245/0/11: firmware-info version of the running MCUboot
    std::optional<std::uint64_t> bootloader_slot;     ///< 26245/0/12: 0 or 1, where it runs from
};

/// What decides the way of the package.
struct DeliveryFacts {
    std::optional<std::int64_t> delivery;                ///< 5/0/9: 0 pull, 1 push, 2 both
    std::optional<std::vector<std::int64_t>> protocols;  ///< 5/0/8
};

/// What decides whether the device is in a condition to be updated; only what the policy asks for.
struct ConditionFacts {
    std::optional<std::int64_t> battery;
    std::optional<std::int64_t> free_memory;
    std::optional<std::vector<std::int64_t>> errors;
};

/// Told while the update runs; calls come from the coroutine, in order. Nothing here may block.
class Observer {
  public:
    virtual ~Observer() = default;
    virtual void step(Step) {}
    virtual void registered(const ports::Registration&) {}
    virtual void planned(const DeviceFacts&) {}
    virtual void progress(const ports::DeliveryProgress&) {}
    /// A remark for a person: "resumes at 182 KiB", "back after 41 s".
    virtual void remark(const std::string&) {}
};

struct Report {
    Outcome outcome = Outcome::failed;
    std::optional<Error> error;
    std::string from_version;  ///< as the device reported it when the attempt began; raw
    std::string to_version;
    std::string running_version;   ///< last seen; raw
    std::uint64_t bytes_sent = 0;  ///< image bytes, resends included
    std::uint32_t blocks = 0;
    std::uint64_t retransmissions = 0;
    Milliseconds elapsed{0};
    bool proven_by_hash = false;
    std::string attempt;  ///< to be closed once the result was written; "" when none was begun
};

}  // namespace fota::update
