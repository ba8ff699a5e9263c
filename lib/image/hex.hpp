// Intel HEX, in and out: data records with gaps, both kinds of extended addresses, and start addresses.
// Source: Intel, "Hexadecimal Object File Format Specification", revision A (1988).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fota::image {

struct HexSegment {
    std::uint32_t address = 0;
    Bytes bytes;
};

/// The address a CPU starts at: record 03 (CS:IP) or 05 (EIP), its four bytes as they stand in the file.
struct HexStart {
    std::uint8_t type = 5;
    std::array<std::uint8_t, 4> value{};
    friend bool operator==(const HexStart&, const HexStart&) = default;
};

struct HexFile {
    std::vector<HexSegment> segments;  ///< by ascending address; no two touch or overlap, none is empty
    std::optional<HexStart> start;

    /// Lowest address; 0 when there is no data.
    std::uint32_t first_address() const noexcept;
    /// Address after the last byte, up to 2^32; 0 when there is no data.
    std::uint64_t end_address() const noexcept;
    /// From the first address to the last byte, gaps filled; image_too_large when that is more than `limit` bytes.
    Result<Bytes> flat(std::uint8_t fill = 0xff, std::uint64_t limit = 64ULL * 1024 * 1024) const;
};

/// Reads a file with or without carriage returns; upper and lower case. image_malformed, with the number of the line,
/// for: foreign characters, a wrong count or checksum, an unknown record, data for an address that already has some,
/// more than one start, anything but blank lines after the end record, no end record, or no data. Memory is bounded by
/// the size of the text.
Result<HexFile> parse_hex(BytesView text);

/// Whether the bytes begin like Intel HEX (":" and a hexadecimal digit).
bool looks_like_hex(BytesView bytes) noexcept;

/// Records of 16 bytes, upper case, the start first, an extended linear address (04) only where an address needs more
/// than 16 bits: what Python's intelhex writes.
std::string write_hex(const HexFile& file);

}  // namespace fota::image
