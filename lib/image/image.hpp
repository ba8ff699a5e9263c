// The layout of an MCUboot image: header, payload, protected and unprotected TLV areas.
// Source: MCUboot boot/bootutil/include/bootutil/image.h (structures, flags, TLV types), boot/bootutil/src/tlv.c
// (walking).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "image/hash.hpp"
#include "image/version.hpp"

namespace fota::image {

inline constexpr std::uint32_t image_magic = 0x96f3b83d;
inline constexpr std::uint16_t info_magic = 0x6907;            ///< begins the unprotected TLV area
inline constexpr std::uint16_t protected_info_magic = 0x6908;  ///< begins the protected (hashed) TLV area
inline constexpr std::uint64_t header_bytes = 32;              ///< the header proper; header_size includes padding

/// Bits of Header::flags.
namespace flag {
inline constexpr std::uint32_t encrypted_aes128 = 0x4;
inline constexpr std::uint32_t encrypted_aes256 = 0x8;
inline constexpr std::uint32_t non_bootable = 0x10;
inline constexpr std::uint32_t ram_load = 0x20;
inline constexpr std::uint32_t rom_fixed = 0x100;
inline constexpr std::uint32_t lzma1 = 0x200;
inline constexpr std::uint32_t lzma2 = 0x400;
inline constexpr std::uint32_t arm_thumb = 0x800;
}  // namespace flag

namespace tlv {
inline constexpr std::uint16_t key_hash = 0x01;
inline constexpr std::uint16_t public_key = 0x02;
inline constexpr std::uint16_t sha256 = 0x10;
inline constexpr std::uint16_t sha384 = 0x11;
inline constexpr std::uint16_t sha512 = 0x12;
inline constexpr std::uint16_t rsa2048 = 0x20;
inline constexpr std::uint16_t ecdsa224 = 0x21;
inline constexpr std::uint16_t ecdsa = 0x22;
inline constexpr std::uint16_t rsa3072 = 0x23;
inline constexpr std::uint16_t ed25519 = 0x24;
inline constexpr std::uint16_t signature_pure = 0x25;
inline constexpr std::uint16_t enc_rsa2048 = 0x30;
inline constexpr std::uint16_t enc_aes_kw = 0x31;
inline constexpr std::uint16_t enc_ec256 = 0x32;
inline constexpr std::uint16_t enc_x25519 = 0x33;
inline constexpr std::uint16_t enc_x25519_sha512 = 0x34;
inline constexpr std::uint16_t dependency = 0x40;
inline constexpr std::uint16_t security_counter = 0x50;
inline constexpr std::uint16_t boot_record = 0x60;
inline constexpr std::uint16_t decompressed_size = 0x70;
inline constexpr std::uint16_t decompressed_hash = 0x71;
inline constexpr std::uint16_t decompressed_signature = 0x72;
inline constexpr std::uint16_t compressed_decrypted_size = 0x73;
inline constexpr std::uint16_t uuid_vendor = 0x74;
inline constexpr std::uint16_t uuid_class = 0x75;
inline constexpr std::uint16_t manifest = 0x76;  ///< Nordic's tree
/// Vendor TLVs: 0xA0 to 0xFFFE.
inline constexpr std::uint16_t vendor_first = 0xa0;
inline constexpr std::uint16_t vendor_last = 0xfffe;
}  // namespace tlv

struct Header {
    std::uint32_t load_address = 0;
    std::uint16_t header_size = 0;         ///< bytes from the file's start to the payload
    std::uint16_t protected_tlv_size = 0;  ///< bytes of the protected area with its 4-byte info header; 0: none
    std::uint32_t image_size = 0;          ///< bytes of payload
    std::uint32_t flags = 0;
    Version version;

    bool encrypted() const noexcept { return (flags & (flag::encrypted_aes128 | flag::encrypted_aes256)) != 0; }
    bool compressed() const noexcept { return (flags & (flag::lzma1 | flag::lzma2)) != 0; }
};

struct Tlv {
    std::uint16_t type = 0;
    /// As bootutil_tlv_iter_is_prot() has it: the value begins before the end of the protected area. An empty TLV at
    /// its very end does not.
    bool is_protected = false;
    std::uint64_t offset = 0;  ///< of the value, from the start of the file
    std::uint16_t length = 0;  ///< of the value, in bytes
};

/// What parse() found. It holds offsets into the file, never the file: pass both together. All offsets and lengths were
/// checked against the file that was parsed.
struct Parsed {
    Header header;
    std::vector<Tlv> tlvs;                 ///< in file order, protected ones first, none over another
    std::uint64_t hash_region_length = 0;  ///< bytes from the start: header, payload and protected TLVs
    std::uint64_t end = 0;                 ///< offset after the last TLV; what follows is padding or a trailer

    /// First TLV of this type; nullptr when there is none.
    const Tlv* find(std::uint16_t type) const noexcept;
    /// The hash TLV (SHA256, SHA384 or SHA512, whichever is first); empty when there is none.
    BytesView hash(BytesView file) const noexcept;
    /// Which hash that is.
    std::optional<HashType> hash_type() const noexcept;
    /// The first KEYHASH value; empty when there is none.
    BytesView key_hash(BytesView file) const noexcept;
    /// The security counter of the protected area, where MCUboot reads it.
    std::optional<std::uint32_t> security_counter(BytesView file) const noexcept;
    /// Whether this TLV lies wholly in the protected area, where the bootloader looks for what has to be hashed.
    bool in_protected_area(const Tlv& tlv) const noexcept;
    /// The first signature TLV; nullptr when unsigned.
    const Tlv* signature() const noexcept;
};

/// Value bytes; empty when `tlv` does not lie in `file`.
BytesView value(BytesView file, const Tlv& tlv) noexcept;

/// Walks header and TLV areas as the bootloader does. image_malformed when the file is empty, does not begin with the
/// magic, or an area or TLV does not lie wholly in the file; a protected TLV may reach into the unprotected area.
/// Nothing is said about whether the bootloader would take it: see verify().
Result<Parsed> parse(BytesView file);

enum class ByteOrder : std::uint8_t { little, big };

/// Header in its 32 bytes; in little-endian order the inverse of parse for the header alone.
Bytes encode_header(const Header& header, ByteOrder order = ByteOrder::little);
/// Appends a number in the byte order of a target.
void append_u16(Bytes& out, std::uint16_t number, ByteOrder order);
void append_u32(Bytes& out, std::uint32_t number, ByteOrder order);

/// "KEYHASH", "ECDSA", "vendor 0x00a0"; "unknown 0x0099" for a type nobody defined.
std::string tlv_name(std::uint16_t type);
bool is_signature(std::uint16_t type) noexcept;
bool is_hash(std::uint16_t type) noexcept;
/// TLV type that carries this hash.
std::uint16_t tlv_of(HashType type) noexcept;
/// {"ENCRYPTED_AES128", "RAM_LOAD"}; unknown bits as "0x2".
std::vector<std::string> flag_names(std::uint32_t flags);

}  // namespace fota::image
