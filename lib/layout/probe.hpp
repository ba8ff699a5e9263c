// What flash is really there: its JEDEC id and what its SFDP tables say, recorded once and kept as a probe file.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "flash/parts.hpp"
#include "flash/sfdp.hpp"

namespace fota::layout {

/// The keyword "format" of a probe file; other values are refused.
inline constexpr std::string_view probe_format = "fotactl-probe/1";

struct Probe {
    std::string name;  ///< the file it came from, as the user gave it
    std::optional<flash::JedecId> id;
    Bytes bfp;                                ///< the basic table (JESD216); empty when it was not recorded
    std::optional<flash::Geometry> geometry;  ///< the same, decoded
    std::optional<std::uint8_t> status;       ///< the status register, when it was recorded

    /// Block protection bits BP0 to BP3 of the status register; 0 when clear or not recorded.
    unsigned protection() const noexcept { return status ? (*status >> 2) & 0xfU : 0; }
};

/// A recording: a probe file; a binary dump of SFDP space, also after the three bytes of the id; or text as Zephyr
/// prints it: the `flash` shell's hex dump of SFDP space, the jesd216 sample's `jedec-id = [..]` and `sfdp-bfp = [..]`,
/// the driver's "Device id ..". message_malformed when neither id nor table can be found, or a table is damaged.
Result<Probe> parse_probe(BytesView recorded, std::string name);

/// What a live device said: its id and its basic table, each empty when it did not tell. message_malformed when it told
/// neither, for an id that is not of three bytes, and for a damaged table.
Result<Probe> live_probe(BytesView jedec_id, Bytes bfp, std::string name);

/// One line of text, ready for a file.
nlohmann::json to_json(const Probe& probe);

}  // namespace fota::layout
