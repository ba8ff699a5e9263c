// What the store knows of one device, as a list of devices shows it.
//
// Facts beside those of journal.hpp, all under the endpoint as subject:
//   registered     lifetime (seconds)                    relaxed, replaced in place: the device was met
//   cable-result   at, outcome, to_version,              full   a line of a results file: "serial update" with a bundle
//                  from_version, running_version, ...
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "ports/store.hpp"

namespace fota::update {

inline constexpr auto registered_fact = "registered";
inline constexpr auto cable_result_fact = "cable-result";

/// Strings are as the device gave them: not printable yet. "" where nothing is known.
struct DeviceRecord {
    std::string endpoint;
    /// By the wall clock of who met it, UTC; absent: never met.
    std::optional<std::chrono::sys_seconds> last_contact;
    std::optional<std::chrono::seconds> lifetime;  ///< of its registration
    std::string version;                           ///< the last one it was known to run
    std::string to_version;                        ///< of the newest update, over the network or a cable
    std::string outcome;                           ///< of that update; "" while it is open, and without any
    /// How far an open update came: "begun", "transfer", "downloaded", "execute", "proven".
    std::string step;
};

/// `facts` in order of writing, as Store::facts() gives them. What is missing or damaged in them stays unknown.
DeviceRecord device_record(std::string endpoint, const std::vector<ports::Fact>& facts);

}  // namespace fota::update
