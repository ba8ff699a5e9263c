// The smallest thing a bootloader without a key boots: an MCUboot header, a payload, and the hash of both.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/sha256.hpp"

namespace fota::test {

/// Version major.0.0+build; `payload` bytes that depend on the version.
inline Bytes small_image(std::uint8_t major, std::uint32_t payload = 10'000, std::uint32_t build = 0) {
    Bytes image;
    append_le32(image, 0x96f3b83d);
    append_le32(image, 0);      // load address
    append_le16(image, 0x200);  // header size
    append_le16(image, 0);      // protected TLVs
    append_le32(image, payload);
    append_le32(image, 0);  // flags
    image.push_back(major);
    image.push_back(0);
    append_le16(image, 0);
    append_le32(image, build);
    image.resize(0x200);
    for (std::uint32_t i = 0; i < payload; ++i) image.push_back(static_cast<std::uint8_t>(i * 31 + major));
    const auto hash = sha256(image);
    append_le16(image, 0x6907);
    append_le16(image, 4 + 4 + 32);
    append_le16(image, 0x10);
    append_le16(image, 32);
    append(image, hash);
    return image;
}

}  // namespace fota::test
