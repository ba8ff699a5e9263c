// Intel HEX, in and out: data records with gaps, both kinds of extended addresses, and start addresses.
// Source: Intel, "Hexadecimal Object File Format Specification", revision A (1988).
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
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
    Result<Bytes> flat(std::uint8_t fill = 0xff, std::uint64_t limit = 64ULL * 1024 * 1024) const&;
    /// The same in the memory of the segments; nothing is left in them.
    Result<Bytes> flat(std::uint8_t fill = 0xff, std::uint64_t limit = 64ULL * 1024 * 1024) &&;
};

/// Reads a file, in pieces of any size, so that its text and its data are never in memory together. With or without
/// carriage returns; upper and lower case. image_malformed, with the number of the line, for: foreign characters, a
/// wrong count or checksum, an unknown record, data for an address that already has some, more than one start, anything
/// but blank lines after the end record, no end record, or no data. Memory is bounded by the size of the text. After a
/// failure the reader is used up.
class HexReader {
  public:
    /// How many bytes of text are to come, 0 where nobody knows: memory for the data is then taken once.
    void expect(std::uint64_t text_bytes) noexcept { expected_ = text_bytes; }
    Result<> feed(BytesView text);
    /// After the last piece. `may_be_empty`: a file that is an end record and nothing else is one without data.
    Result<HexFile> finish(bool may_be_empty = false);

  private:
    struct Piece {
        std::size_t line = 0;
        HexSegment segment;
        std::uint64_t end() const noexcept { return std::uint64_t{segment.address} + segment.bytes.size(); }
    };

    Failure wrong(std::string_view expected, std::string_view found) const { return wrong(line_, expected, found); }
    static Failure wrong(std::size_t line, std::string_view expected, std::string_view found);
    void keep(std::string_view part);
    Result<> kept_line();
    Result<> line(std::string_view text, std::size_t left_out);
    Result<> record(std::string_view text, std::size_t left_out);
    Result<> interpret(std::uint8_t type, std::uint32_t offset, BytesView data);
    Result<> add(std::uint64_t address, BytesView data);

    std::string kept_;          ///< of a line whose end is still to come, as much as a message could need
    std::size_t left_out_ = 0;  ///< characters of that line beyond it
    bool left_out_ends_with_return_ = false;
    std::uint64_t expected_ = 0;
    std::size_t line_ = 0;
    std::size_t records_ = 0;
    std::uint32_t base_ = 0;
    bool ended_ = false;
    std::vector<Piece> pieces_;
    HexFile out_;
};

/// A whole file at once.
Result<HexFile> parse_hex(BytesView text);

/// Whether the bytes begin like Intel HEX (":" and a hexadecimal digit).
bool looks_like_hex(BytesView bytes) noexcept;

/// Writes a file piece by piece: records of 16 bytes, upper case, the start first, an extended linear address (04) only
/// where an address needs more than 16 bits: what Python's intelhex writes.
class HexWriter {
  public:
    using Sink = std::function<Result<>(std::string_view)>;

    /// `end`: the address after the last byte that will come.
    HexWriter(Sink sink, std::uint64_t end, const std::optional<HexStart>& start = {});
    /// By ascending address. What follows the bytes before without a gap goes on in their record.
    Result<> add(std::uint32_t address, BytesView bytes);
    /// The end record.
    Result<> finish();

  private:
    void record(std::uint8_t type, std::uint16_t offset, BytesView data);
    void data_record(std::uint32_t address, BytesView data);
    void flush_pending();
    Result<> hand_over(std::size_t least);

    Sink sink_;
    std::string text_;
    std::optional<std::uint32_t> upper_;  ///< upper half of the addresses, as last told
    Bytes pending_;                       ///< of a record that is not full
    std::uint32_t pending_address_ = 0;
    std::uint64_t next_ = 0;  ///< address after the last byte
};

/// A whole file at once.
std::string write_hex(const HexFile& file);

}  // namespace fota::image
