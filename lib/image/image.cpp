#include "image/image.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace fota::image {
namespace {

constexpr std::uint64_t info_bytes = 4;   ///< magic and total length, before each TLV area
constexpr std::uint64_t entry_bytes = 4;  ///< type and length, before each value

constexpr std::array<std::pair<std::uint16_t, const char*>, 26> names{{
    {tlv::key_hash, "KEYHASH"},
    {tlv::public_key, "PUBKEY"},
    {tlv::sha256, "SHA256"},
    {tlv::sha384, "SHA384"},
    {tlv::sha512, "SHA512"},
    {tlv::rsa2048, "RSA2048"},
    {tlv::ecdsa224, "ECDSA224"},
    {tlv::ecdsa, "ECDSA"},
    {tlv::rsa3072, "RSA3072"},
    {tlv::ed25519, "ED25519"},
    {tlv::signature_pure, "SIG_PURE"},
    {tlv::enc_rsa2048, "ENC_RSA2048"},
    {tlv::enc_aes_kw, "ENC_AES_KW"},
    {tlv::enc_ec256, "ENC_EC256"},
    {tlv::enc_x25519, "ENC_X25519"},
    {tlv::enc_x25519_sha512, "ENC_X25519_SHA512"},
    {tlv::dependency, "DEPENDENCY"},
    {tlv::security_counter, "SEC_CNT"},
    {tlv::boot_record, "BOOT_RECORD"},
    {tlv::decompressed_size, "DECOMP_SIZE"},
    {tlv::decompressed_hash, "DECOMP_SHA"},
    {tlv::decompressed_signature, "DECOMP_SIGNATURE"},
    {tlv::compressed_decrypted_size, "COMP_DEC_SIZE"},
    {tlv::uuid_vendor, "UUID_VID"},
    {tlv::uuid_class, "UUID_CID"},
    {tlv::manifest, "MANIFEST"},
}};

constexpr std::array<std::pair<std::uint32_t, const char*>, 8> flags_known{{
    {flag::encrypted_aes128, "ENCRYPTED_AES128"},
    {flag::encrypted_aes256, "ENCRYPTED_AES256"},
    {flag::non_bootable, "NON_BOOTABLE"},
    {flag::ram_load, "RAM_LOAD"},
    {flag::rom_fixed, "ROM_FIXED"},
    {flag::lzma1, "COMPRESSED_LZMA1"},
    {flag::lzma2, "COMPRESSED_LZMA2"},
    {flag::arm_thumb, "COMPRESSED_ARM_THUMB"},
}};

Failure malformed(std::string message) {
    return fail(Errc::image_malformed, std::move(message));
}

struct Area {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
};

/// Reads the info header at `offset` and returns the area it opens, which lies wholly in the file.
Result<Area> open_area(BytesView file, std::uint64_t offset, std::uint16_t magic, const char* name) {
    const auto info = slice(file, offset, info_bytes);
    if (!info)
        return malformed(fmt::format("expected the {} TLV area at offset {}, found the end of the file at {}", name,
                                     offset, file.size()));
    if (const auto found = load_le16(info->data()); found != magic)
        return malformed(fmt::format("expected the {} TLV area (magic 0x{:04x}) at offset {}, found 0x{:04x}", name,
                                     magic, offset, found));
    const std::uint64_t total = load_le16(info->data() + 2);
    if (total < info_bytes)
        return malformed(fmt::format("expected the {} TLV area to hold at least its own {} bytes, found a length of {}",
                                     name, info_bytes, total));
    if (!slice(file, offset, total))
        return malformed(
            fmt::format("expected {} bytes of the {} TLV area at offset {}, found the end of the file at {}", total,
                        name, offset, file.size()));
    return Area{offset, offset + total};
}

/// bootutil_tlv_iter_next(), over both areas in one go: what ends the protected TLVs is that one of them ends where the
/// area does. A longer one reaches into the other area, and the walk goes on after it.
Result<> walk(BytesView file, const Area& protected_area, const Area& area, std::vector<Tlv>& out) {
    const bool has_protected = protected_area.end > protected_area.begin;
    std::uint64_t at = (has_protected ? protected_area : area).begin + info_bytes;
    while (at < area.end) {
        if (has_protected && at == protected_area.end) {
            at += info_bytes;
            continue;
        }
        if (area.end - at < entry_bytes)
            return malformed(
                fmt::format("expected a TLV of at least {} bytes at offset {}, found {} bytes to the end of its area",
                            entry_bytes, at, area.end - at));
        const auto type = load_le16(file.data() + at);
        const auto length = load_le16(file.data() + at + 2);
        if (length > area.end - at - entry_bytes)
            return malformed(
                fmt::format("expected the {} TLV at offset {} to end with its area at {}, found a length of {}, which "
                            "ends at {}",
                            tlv_name(type), at, area.end, length, at + entry_bytes + length));
        out.push_back({type, at + entry_bytes < protected_area.end, at + entry_bytes, length});
        at += entry_bytes + length;
    }
    return {};
}

}  // namespace

Result<Parsed> parse(BytesView file) {
    if (file.empty()) return malformed("expected an MCUboot image, found an empty file");
    if (file.size() < 4 || load_le32(file.data()) != image_magic) {
        const auto first = file.first(std::min<std::size_t>(file.size(), 4));
        return malformed(fmt::format("expected an MCUboot image, which begins with 3db8f396, found {}", to_hex(first)));
    }
    if (file.size() < header_bytes)
        return malformed(
            fmt::format("expected a header of {} bytes, found {} bytes in all", header_bytes, file.size()));

    Parsed out;
    Header& header = out.header;
    header.load_address = load_le32(file.data() + 4);
    header.header_size = load_le16(file.data() + 8);
    header.protected_tlv_size = load_le16(file.data() + 10);
    header.image_size = load_le32(file.data() + 12);
    header.flags = load_le32(file.data() + 16);
    header.version = {file[20], file[21], load_le16(file.data() + 22), load_le32(file.data() + 24)};

    std::uint64_t at = static_cast<std::uint64_t>(header.header_size) + header.image_size;
    if (at > file.size())
        return malformed(fmt::format("expected {} bytes of header and {} of payload, found {} bytes in all",
                                     header.header_size, header.image_size, file.size()));
    Area protected_area{at, at};
    if (header.protected_tlv_size != 0) {
        TRY(protected_area, open_area(file, at, protected_info_magic, "protected"));
        if (protected_area.end - protected_area.begin != header.protected_tlv_size)
            return malformed(
                fmt::format("expected a protected TLV area of {} bytes, as the header says, found one of {}",
                            header.protected_tlv_size, protected_area.end - protected_area.begin));
        at = protected_area.end;
    }
    out.hash_region_length = at;
    TRY(const auto area, open_area(file, at, info_magic, "unprotected"));
    TRY_VOID(walk(file, protected_area, area, out.tlvs));
    out.end = area.end;
    return out;
}

const Tlv* Parsed::find(std::uint16_t type) const noexcept {
    const auto it = std::ranges::find(tlvs, type, &Tlv::type);
    return it == tlvs.end() ? nullptr : &*it;
}

const Tlv* Parsed::signature() const noexcept {
    const auto it = std::ranges::find_if(tlvs, is_signature, &Tlv::type);
    return it == tlvs.end() ? nullptr : &*it;
}

BytesView Parsed::hash(BytesView file) const noexcept {
    const auto it = std::ranges::find_if(tlvs, is_hash, &Tlv::type);
    return it == tlvs.end() ? BytesView{} : value(file, *it);
}

std::optional<HashType> Parsed::hash_type() const noexcept {
    const auto it = std::ranges::find_if(tlvs, is_hash, &Tlv::type);
    if (it == tlvs.end()) return std::nullopt;
    if (it->type == tlv::sha384) return HashType::sha384;
    return it->type == tlv::sha512 ? HashType::sha512 : HashType::sha256;
}

BytesView Parsed::key_hash(BytesView file) const noexcept {
    const auto* found = find(tlv::key_hash);
    return found == nullptr ? BytesView{} : value(file, *found);
}

std::optional<std::uint32_t> Parsed::security_counter(BytesView file) const noexcept {
    for (const auto& each : tlvs) {
        if (each.type != tlv::security_counter || !in_protected_area(each) || each.length != 4) continue;
        if (const auto bytes = value(file, each); bytes.size() == 4) return load_le32(bytes.data());
    }
    return std::nullopt;
}

bool Parsed::in_protected_area(const Tlv& tlv) const noexcept {
    return tlv.offset + tlv.length <= hash_region_length;
}

BytesView value(BytesView file, const Tlv& tlv) noexcept {
    return slice(file, tlv.offset, tlv.length).value_or(BytesView{});
}

Bytes encode_header(const Header& header, ByteOrder order) {
    Bytes out;
    append_u32(out, image_magic, order);
    append_u32(out, header.load_address, order);
    append_u16(out, header.header_size, order);
    append_u16(out, header.protected_tlv_size, order);
    append_u32(out, header.image_size, order);
    append_u32(out, header.flags, order);
    out.push_back(header.version.major);
    out.push_back(header.version.minor);
    append_u16(out, header.version.revision, order);
    append_u32(out, header.version.build, order);
    append_u32(out, 0, order);
    return out;
}

void append_u16(Bytes& out, std::uint16_t number, ByteOrder order) {
    if (order == ByteOrder::little) return append_le16(out, number);
    out.push_back(static_cast<std::uint8_t>(number >> 8));
    out.push_back(static_cast<std::uint8_t>(number & 0xff));
}

void append_u32(Bytes& out, std::uint32_t number, ByteOrder order) {
    if (order == ByteOrder::little) return append_le32(out, number);
    append_u16(out, static_cast<std::uint16_t>(number >> 16), order);
    append_u16(out, static_cast<std::uint16_t>(number & 0xffff), order);
}

std::string tlv_name(std::uint16_t type) {
    const auto it = std::ranges::find(names, type, &std::pair<std::uint16_t, const char*>::first);
    if (it != names.end()) return it->second;
    return fmt::format("{} 0x{:04x}", type >= tlv::vendor_first && type <= tlv::vendor_last ? "vendor" : "unknown",
                       type);
}

bool is_signature(std::uint16_t type) noexcept {
    return type == tlv::rsa2048 || type == tlv::rsa3072 || type == tlv::ecdsa || type == tlv::ecdsa224 ||
           type == tlv::ed25519;
}

bool is_hash(std::uint16_t type) noexcept {
    return type == tlv::sha256 || type == tlv::sha384 || type == tlv::sha512;
}

std::uint16_t tlv_of(HashType type) noexcept {
    switch (type) {
        case HashType::sha256:
            return tlv::sha256;
        case HashType::sha384:
            return tlv::sha384;
        case HashType::sha512:
            return tlv::sha512;
    }
    return tlv::sha256;
}

std::vector<std::string> flag_names(std::uint32_t flags) {
    std::vector<std::string> out;
    for (const auto& [bit, name] : flags_known) {
        if ((flags & bit) != 0) out.emplace_back(name);
        flags &= ~bit;
    }
    if (flags != 0) out.push_back(fmt::format("0x{:x}", flags));
    return out;
}

}  // namespace fota::image
