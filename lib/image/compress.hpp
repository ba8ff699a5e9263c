// Compressed payloads: LZMA2 without container, behind two bytes that tell its parameters, optionally with the
// ARM-Thumb branch filter. Source: MCUboot docs/compression_format.md in Nordic's tree; imgtool's --compression.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fota::image {

struct Compression {
    bool arm_thumb = false;
    std::uint32_t dictionary = 128 * 1024;  ///< bytes, 4096 to 64 MiB
    std::uint32_t lc = 3;                   ///< literal context bits; lc + lp at most 4
    std::uint32_t lp = 1;                   ///< literal position bits
    std::uint32_t pb = 2;      ///< position bits told in the header; the stream itself keeps the preset's 2
    std::uint32_t preset = 9;  ///< liblzma's, 0 to 9
};

inline constexpr std::uint64_t compression_header_bytes = 2;

/// Header and stream. usage: parameters out of range.
Result<Bytes> compress(BytesView payload, const Compression& options);

/// The inverse. Exactly `size` bytes must come out and nothing may be left over: image_rejected otherwise, and for a
/// stream that is damaged or wants a dictionary of more than 64 MiB. Never holds more than `size` bytes of output.
Result<Bytes> decompress(BytesView compressed, bool arm_thumb, std::uint64_t size);

}  // namespace fota::image
