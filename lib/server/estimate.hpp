// What a delivery costs before it is made: blocks, bytes on the air, and time without loss.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/time.hpp"

namespace fota::server {

struct Estimate {
    std::uint32_t blocks = 0;
    std::uint64_t billed_bytes = 0;  ///< both directions, with IP, UDP and, over DTLS, its records
    Milliseconds duration{0};        ///< one round trip per block
};

/// `secure`: DTLS 1.2 with an AEAD of 8-byte tags (CCM_8, what nRF91 modems prefer). Sizes are those of the real
/// messages.
Estimate estimate_push(BytesView image, std::uint32_t block_size, bool secure, Milliseconds round_trip);
/// The same for a device that fetches the image from us by Block2, in blocks of this size: it is the device that
/// chooses it. Its requests are taken to carry a token of 8 bytes and neither Uri-Host nor Uri-Port.
Estimate estimate_pull(BytesView image, std::uint32_t block_size, bool secure, Milliseconds round_trip);

}  // namespace fota::server
