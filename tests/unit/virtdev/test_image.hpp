// Images for the bootloader's tests: header, patterned payload and a SHA-256 TLV, as imgtool makes them without a key.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/sha256.hpp"

namespace fota::virtdev::test {

/// `counter`: the security counter it states, among its protected TLVs.
inline Bytes make_image(std::uint8_t major, std::uint32_t payload, std::optional<std::uint32_t> counter = {}) {
    Bytes image;
    append_le32(image, 0x96f3b83d);
    append_le32(image, 0);
    append_le16(image, 0x200);
    append_le16(image, counter ? 12 : 0);
    append_le32(image, payload);
    append_le32(image, 0);
    append(image, Bytes{major, 0, 0, 0, 0, 0, 0, 0});
    image.resize(0x200, 0);
    for (std::uint32_t i = 0; i < payload; i++) {
        image.push_back(static_cast<std::uint8_t>((i * 31u + (i >> 8) * 7u) ^ (major * 0x55u)));
    }
    if (counter) {
        append_le16(image, 0x6908);
        append_le16(image, 12);
        append_le16(image, 0x50);
        append_le16(image, 4);
        append_le32(image, *counter);
    }
    const auto hash = sha256(image);
    append_le16(image, 0x6907);
    append_le16(image, 40);
    append_le16(image, 0x10);
    append_le16(image, 32);
    append(image, hash);
    return image;
}

}  // namespace fota::virtdev::test
