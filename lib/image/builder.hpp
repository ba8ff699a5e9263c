// From a linked payload to a signed image, byte for byte as imgtool builds it (MCUboot scripts/imgtool/image.py).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "image/compress.hpp"
#include "image/encrypt.hpp"
#include "image/hex.hpp"
#include "image/image.hpp"
#include "image/limit.hpp"
#include "image/signer.hpp"
#include "image/uuid.hpp"

namespace fota::image {

struct Dependency {
    std::uint8_t image = 0;  ///< image number the minimum version applies to
    std::uint8_t slot = 0;   ///< Nordic's tree: 0 the active slot, 1 primary, 2 secondary; 0 elsewhere
    Version version;
};

/// Whose rules an image has to satisfy before it leaves sign(): the bootloader's (slot limit, signature, hash), or only
/// those of imgtool, which takes images that no bootloader would swap and signatures that do not verify.
enum class Rules : std::uint8_t { bootloader, imgtool };

struct SignOptions {
    Version version;
    std::uint32_t header_size = 0x200;  ///< bytes up to the payload, 32 to 65535
    bool pad_header = false;            ///< prepend the header space; else the payload must begin with that many zeros
    std::uint8_t erased_value = 0xff;   ///< fills header space and padding
    bool overwrite_header_space = false;  ///< without pad_header: take what stands there, and fill it with erased_value
    ByteOrder byte_order = ByteOrder::little;

    std::uint32_t load_address = 0;          ///< RAM address the bootloader copies the image to; 0: none
    std::optional<std::uint32_t> rom_fixed;  ///< flash address the image is linked for; excludes load_address
    bool non_bootable = false;               ///< mark the image as one the bootloader never starts

    std::uint64_t slot_size = 0;  ///< bytes; 0: unknown, nothing is checked and nothing can be padded
    fota_boot_mode boot_mode = FOTA_BOOT_MOVE;
    std::uint64_t sector_size = 4096;
    std::uint64_t max_sectors = 0;    ///< 0: default_max_sectors(); with Rules::imgtool 128
    std::uint32_t align = 4;          ///< write size of the flash: 1, 2, 4, 8, 16 or 32
    std::uint32_t max_align = 0;      ///< BOOT_MAX_ALIGN: 8, 16 or 32; 0: the larger of 8 and align
    bool pad = false;                 ///< fill the slot and write the trailer's magic
    bool test = false;                ///< pad; the image stays unconfirmed
    bool confirm = false;             ///< pad, and mark the image permanent
    bool save_encrypted_key = false;  ///< BOOT_SWAP_SAVE_ENCTLV: the trailer keeps the key as wrapped

    std::optional<std::uint32_t> security_counter;
    std::optional<std::string> boot_record;  ///< software type, at most 12 characters
    std::vector<Dependency> dependencies;
    std::optional<Uuid> vendor_id;
    std::optional<Uuid> class_id;
    Bytes manifest;                                            ///< MANIFEST TLV, see encode_manifest(); empty: none
    std::vector<std::pair<std::uint16_t, Bytes>> custom_tlvs;  ///< types 0xA0 to 0xFFFE, protected

    std::optional<HashType> hash;  ///< default: the key's
    bool pure = false;             ///< Ed25519 over the whole region
    bool full_public_key = false;  ///< PUBKEY TLV instead of KEYHASH, for bootloaders with MCUBOOT_HW_KEY
    bool pad_signature = false;    ///< zeros after an ECDSA signature up to a fixed length, for MCUboot before 1.5

    std::optional<Encryption> encryption;
    std::optional<Compression> compression;  ///< left out by itself where it would not make the image smaller

    Rules rules = Rules::bootloader;
};

/// An image up to its last TLV, and what signing it brought forth.
struct Built {
    Bytes image;
    Bytes digest;                     ///< of the hashed region
    Bytes signature;                  ///< as in the image; empty when unsigned
    bool compressed = false;          ///< false also where compression would not have paid
    std::uint64_t stream_bytes = 0;   ///< of the compressed stream, also of one that would not have paid; 0: none asked
    std::uint64_t payload_bytes = 0;  ///< what went in, without header space
    std::uint64_t stored_bytes = 0;   ///< what the image holds of it: smaller when compressed
    std::uint64_t trailer_size = 0;   ///< bytes imgtool reserves for the trailer; 0 without a slot size
    std::uint64_t limit = 0;          ///< where the image may end in that slot at most; 0 without a slot size
};

/// The image; unsigned (hash only) when `signer` is nullptr. Under Rules::bootloader what is returned has been parsed
/// and verified again. usage: options that contradict each other or are out of range. image_too_large: the slot cannot
/// swap it, or a number of the format overflows. key_unusable: the key cannot sign, or not with this hash, or cannot
/// encrypt. image_malformed: the payload does not begin with the zeros that stand for the header. signature_invalid:
/// the signer returned something that does not verify.
/// The image is made in the payload's own memory where that has room for header and TLVs (Bytes::capacity).
Result<Built> build(Bytes payload, const SignOptions& options, Signer* signer);

/// The image as a file: `built.image`, and with pad, test or confirm the slot filled up to its trailer.
Bytes to_binary(const Built& built, const SignOptions& options);
/// The same as Intel HEX from `address` on, in pieces; of the trailer only what is not erased. usage, before the first
/// piece: it does not end below 2^32. Else what `sink` fails with.
Result<> write_hex(const Built& built, const SignOptions& options, std::uint32_t address, const HexWriter::Sink& sink);

/// build() and to_binary().
Result<Bytes> sign(BytesView payload, const SignOptions& options, Signer* signer);

/// What a signer elsewhere has to sign: the region that is hashed, and its hash.
struct SigningVector {
    Bytes region;
    Bytes digest;
};
/// `key`: of that signer, as far as it is known; its type decides the hash.
Result<SigningVector> vector_to_sign(BytesView payload, const SignOptions& options, const PublicKey* key);

/// Contents of the MANIFEST TLV: format 1, the number of images, and the hash of each but the one that carries it.
/// usage: hashes of different lengths.
Result<Bytes> encode_manifest(std::span<const Bytes> hashes, ByteOrder order = ByteOrder::little);

}  // namespace fota::image
