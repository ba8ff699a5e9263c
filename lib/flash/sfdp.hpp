// SFDP in C++: what a flash says of itself (JESD216), decoded by firmware/core, so that the host and the device read
// the same bytes the same way.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "core/sfdp.h"

namespace fota::flash {

struct EraseType {
    std::uint32_t size = 0;        ///< bytes
    std::uint8_t opcode = 0;       ///< the erase instruction
    std::uint32_t typical_ms = 0;  ///< 0: the table does not say
};

/// A part by its own account.
struct Geometry {
    std::uint64_t size = 0;             ///< bytes
    std::uint32_t page_size = 0;        ///< bytes of a page program
    std::uint32_t page_program_us = 0;  ///< typical; 0: the table does not say
    std::vector<EraseType> erase;       ///< those that there are, in the table's order
    fota_address_mode address_mode = FOTA_ADDRESS_3;
};

/// "3-byte", "3- or 4-byte", "4-byte"
std::string_view address_mode_name(fota_address_mode mode);

/// The basic table (BFP) of a dump of SFDP space that begins with its signature "SFDP". message_malformed when there is
/// no signature or the table does not lie in the dump.
Result<Bytes> find_bfp(BytesView sfdp);

/// message_malformed when the table is shorter than nine double words, no multiple of 4 bytes, or of a density no part
/// has.
Result<Geometry> decode_bfp(BytesView bfp);

}  // namespace fota::flash
