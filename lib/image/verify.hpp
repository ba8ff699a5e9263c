// The bootloader's verdict, before the image is sent.
// Source: MCUboot boot/bootutil/src/image_validate.c (bootutil_img_validate), bootutil_loader.c
// (boot_check_header_valid), loader.c (boot_validate_slot), bootutil_find_key.c; the allow-list of unprotected TLVs is
// on, as in Zephyr's default.
#pragma once

#include <optional>
#include <span>

#include "image/image.hpp"
#include "image/key.hpp"

namespace fota::image {

struct Verdict {
    HashType hash_type = HashType::sha256;
    Bytes hash;                            ///< the hash of the region, as computed here
    bool signature_checked = false;        ///< false when no keys were given
    std::optional<std::size_t> key_index;  ///< which of `keys` verified the deciding signature
};

struct VerifyOptions {
    /// Judge as a bootloader built with MCUBOOT_HW_KEY, which reads the whole public key from the image (PUBKEY TLV)
    /// and compares its hash with one in hardware. A default bootloader ignores PUBKEY and wants KEYHASH.
    bool hardware_keys = false;
    /// The payload of an encrypted image has been decrypted: see decrypt(). Without this an encrypted image is refused.
    bool in_clear = false;
    /// Of the region, where whoever calls has just computed it from these very bytes: it is not computed once more.
    /// Empty: it is computed. It stands for the hash of its own length alone.
    BytesView known_hash{};
    /// Judge as a bootloader that decompresses (Nordic's, overwrite-only). Others refuse a compressed image.
    bool decompression = false;
};

/// The same verdict as bootutil_img_validate on a bootloader that was built with `keys`, as an update in the secondary
/// slot. Keys of several types stand for several bootloaders: one that accepts is enough. Without keys everything but
/// the signature is checked, and an unsigned image passes; a signature which no bootloader would look at does not.
/// Errors: image_rejected (hash, order, TLV not allowed, not bootable, encrypted and not decrypted,
/// compressed for a bootloader without decompression), signature_invalid (missing or wrong), key_mismatch (signed by
/// another key). The size limit depends on the slot: see limit.hpp.
Result<Verdict> verify(BytesView file, const Parsed& parsed, std::span<const PublicKey> keys,
                       const VerifyOptions& options = {});

}  // namespace fota::image
