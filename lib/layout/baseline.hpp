// What ships: the layout, the key and the version of a release, as one JSON file to compare later builds with.
//
// A device in the field keeps the addresses and the key that its MCUboot was built with; a release that moved them
// cannot be installed, or bricks it. The baseline is what tells.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "image/version.hpp"
#include "layout/finding.hpp"
#include "layout/slots.hpp"

namespace fota::layout {

struct ImageFacts;

/// The keyword "format" of a baseline file; other values are refused.
inline constexpr std::string_view baseline_format = "fotactl-baseline/1";

struct Baseline {
    std::string name;   ///< the file or build it came from, as the user gave it
    std::string board;  ///< "nrf9160dk@1.0.0/nrf9160/ns", or ""
    std::string sdk;    ///< "3.1.0", or ""
    SlotLayout slots;
    std::vector<Partition> partitions;  ///< Partition Manager's, or the devicetree's under Partition Manager's names
    std::optional<std::uint32_t> header_size;  ///< bytes of the image's header
    Bytes key_hash;                            ///< KEYHASH of what ships, or of the key in MCUboot; empty: unknown
    std::optional<std::uint16_t> signature;    ///< TLV type
    std::optional<image::Version> version;
    std::optional<std::uint32_t> security_counter;
    bool downgrade_prevention = false;  ///< MCUboot refuses a lower version or counter

    const Partition* find(std::string_view partition) const;
};

/// The project as it would ship, with the image when one is given; config_invalid when the slots are not known (a
/// source tree without a static layout needs a build).
Result<Baseline> snapshot(const Project& project, const ImageFacts* image);

/// MCUboot refuses a version or a security counter that is lower than the installed one.
bool prevents_downgrade(const Project& project);

nlohmann::json to_json(const Baseline& baseline);
/// message_malformed when it is no baseline file; every number is checked.
Result<Baseline> parse_baseline(std::string_view text, std::string name);

/// The rules that compare two releases; they are rows of the catalogue too.
struct DriftRule {
    std::string_view name;
    void (*apply)(const Baseline& before, const Baseline& after, Findings&);
};
const std::vector<DriftRule>& drift_rules();

/// Every drift rule with `before` as what is in the field.
std::vector<Finding> drift(const Baseline& before, const Baseline& after);

}  // namespace fota::layout
