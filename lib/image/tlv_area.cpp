#include "image/tlv_area.hpp"

#include <fmt/format.h>

namespace fota::image {
namespace {

constexpr std::uint64_t largest_area = 0xffff;  // the area's length field has 16 bits

/// The head of a CBOR byte or text string (RFC 8949, section 3.1), shorter than 256 bytes.
void append_cbor(Bytes& out, std::uint8_t major, BytesView bytes) {
    const auto head = static_cast<std::uint8_t>(major << 5);
    const auto length = static_cast<std::uint8_t>(bytes.size());
    if (length < 24) {
        out.push_back(head | length);
    } else {
        out.push_back(head | 24);
        out.push_back(length);
    }
    append(out, bytes);
}

/// imgtool's boot_record.py: a software component of the attestation token, whose measurement (2) the bootloader fills
/// in.
Bytes encode_boot_record(const SignOptions& options, HashType hash, BytesView key_hash) {
    constexpr std::uint8_t byte_string = 2;
    constexpr std::uint8_t text_string = 3;
    const auto version =
        fmt::format("{}.{}.{}", options.version.major, options.version.minor, options.version.revision);
    Bytes out{0xa5, 0x01};
    append_cbor(out, text_string, as_bytes(options.boot_record.value_or("")));
    out.push_back(0x04);
    append_cbor(out, text_string, as_bytes(version));
    out.push_back(0x05);
    append_cbor(out, byte_string, key_hash);
    out.push_back(0x06);
    append_cbor(out, text_string, as_bytes(hash_name(hash)));
    out.push_back(0x02);
    append_cbor(out, byte_string, Bytes(hash_size(hash)));
    return out;
}

}  // namespace

Result<> TlvArea::add(std::uint16_t type, BytesView bytes) {
    if (bytes.size() > 0xffff)
        return fail(Errc::usage,
                    fmt::format("expected at most 65535 bytes in the {} TLV, found {}", tlv_name(type), bytes.size()));
    // The types MCUboot names are one byte and a zero after it, in either byte order (imgtool, TLV.add).
    if (type < tlv::vendor_first) {
        entries_.push_back(static_cast<std::uint8_t>(type));
        entries_.push_back(0);
    } else {
        append_u16(entries_, type, order_);
    }
    append_u16(entries_, static_cast<std::uint16_t>(bytes.size()), order_);
    append(entries_, bytes);
    return {};
}

Result<> TlvArea::check_size(const char* name) const {
    if (size() <= largest_area) return {};
    return fail(Errc::usage, fmt::format("expected at most {} bytes of {} TLVs, found {}", largest_area, name, size()));
}

void TlvArea::write(Bytes& out) const {
    if (entries_.empty()) return;
    append_u16(out, magic_, order_);
    append_u16(out, static_cast<std::uint16_t>(size()), order_);
    append(out, entries_);
}

Result<TlvArea> protected_area(const SignOptions& options, HashType hash, BytesView key_hash,
                               const std::vector<std::pair<std::uint16_t, Bytes>>& compression) {
    const auto order = options.byte_order;
    TlvArea area(protected_info_magic, order);
    if (options.security_counter) {
        Bytes counter;
        append_u32(counter, *options.security_counter, order);
        TRY_VOID(area.add(tlv::security_counter, counter));
    }
    if (options.boot_record) TRY_VOID(area.add(tlv::boot_record, encode_boot_record(options, hash, key_hash)));
    for (const auto& each : options.dependencies) {
        Bytes bytes{each.image, each.slot, 0, 0, each.version.major, each.version.minor};
        append_u16(bytes, each.version.revision, order);
        append_u32(bytes, each.version.build, order);
        TRY_VOID(area.add(tlv::dependency, bytes));
    }
    for (const auto& [type, bytes] : compression) TRY_VOID(area.add(type, bytes));
    if (options.vendor_id) TRY_VOID(area.add(tlv::uuid_vendor, *options.vendor_id));
    if (options.class_id) TRY_VOID(area.add(tlv::uuid_class, *options.class_id));
    if (!options.manifest.empty()) TRY_VOID(area.add(tlv::manifest, options.manifest));
    for (const auto& [type, bytes] : options.custom_tlvs) TRY_VOID(area.add(type, bytes));
    TRY_VOID(area.check_size("protected"));
    return area;
}

}  // namespace fota::image
