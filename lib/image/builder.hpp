// From a linked payload to a signed image, byte for byte as imgtool builds it (MCUboot scripts/imgtool/image.py).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "image/image.hpp"
#include "image/limit.hpp"
#include "image/signer.hpp"

namespace fota::image {

struct Dependency {
    std::uint8_t image = 0;  ///< image number the minimum version applies to
    Version version;
};

struct SignOptions {
    Version version;
    std::uint32_t header_size = 0x200;  ///< bytes up to the payload, 32 to 65535
    bool pad_header = false;            ///< prepend the header space; else the payload must begin with that many zeros
    std::uint8_t erased_value = 0xff;   ///< fills header space and padding

    std::uint64_t slot_size = 0;  ///< bytes; 0: unknown, nothing is checked and nothing can be padded
    fota_boot_mode boot_mode = FOTA_BOOT_MOVE;
    std::uint64_t sector_size = 4096;
    std::uint64_t max_sectors = 0;  ///< 0: default_max_sectors()
    std::uint32_t align = 4;        ///< write size of the flash: 1, 2, 4, 8, 16 or 32
    std::uint32_t max_align = 0;    ///< BOOT_MAX_ALIGN: 8, 16 or 32; 0: the larger of 8 and align
    bool pad = false;               ///< fill the slot and write the trailer's magic
    bool confirm = false;           ///< pad, and mark the image permanent

    std::optional<std::uint32_t> security_counter;
    std::string boot_record;  ///< software type, at most 12 characters; empty: none
    std::vector<Dependency> dependencies;
    std::vector<std::pair<std::uint16_t, Bytes>> custom_tlvs;  ///< types 0xA0 to 0xFFFE, protected

    std::optional<HashType> hash;  ///< default: the key's
    bool pure = false;             ///< Ed25519 over the whole region
    bool full_public_key = false;  ///< PUBKEY TLV instead of KEYHASH, for bootloaders with MCUBOOT_HW_KEY
};

/// The signed image; unsigned (hash only) when `signer` is nullptr. What is returned has been parsed and verified
/// again. usage: options that contradict each other or are out of range. image_too_large: the slot cannot swap it.
/// key_unusable: the key cannot sign, or not with this hash. image_malformed: the payload does not begin with the zeros
/// that stand for the header. signature_invalid: the signer returned something that does not verify.
Result<Bytes> sign(BytesView payload, const SignOptions& options, Signer* signer);

}  // namespace fota::image
