// The TLV areas of an image while it is being built.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "image/builder.hpp"

namespace fota::image {

/// An info header and entries, collected and closed with its length.
class TlvArea {
  public:
    TlvArea(std::uint16_t magic, ByteOrder order) : magic_(magic), order_(order) {}

    /// usage: more bytes than the entry's length field can tell.
    Result<> add(std::uint16_t type, BytesView bytes);
    /// Bytes with the info header; 0 when nothing was added.
    std::uint64_t size() const noexcept { return entries_.empty() ? 0 : entries_.size() + 4; }
    /// usage: more bytes than the area's length field can tell.
    Result<> check_size(const char* name) const;
    void write(Bytes& out) const;

  private:
    std::uint16_t magic_;
    ByteOrder order_;
    Bytes entries_;
};

/// The protected TLVs, in imgtool's order. `compression`: those that tell of the payload before it was compressed.
Result<TlvArea> protected_area(const SignOptions& options, HashType hash, BytesView key_hash,
                               const std::vector<std::pair<std::uint16_t, Bytes>>& compression);

}  // namespace fota::image
