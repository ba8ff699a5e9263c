#include "image/decompressed.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "image/compress.hpp"

namespace fota::image {
namespace {

constexpr std::uint64_t info_bytes = 4;
constexpr std::uint64_t entry_bytes = 4;
/// Far above any slot.
constexpr std::uint64_t largest_payload = 64ULL << 20;

Failure rejected(std::string message) {
    return fail(Errc::image_rejected, std::move(message));
}

bool about_compression(std::uint16_t type) {
    return type >= tlv::decompressed_size && type <= tlv::compressed_decrypted_size;
}

Result<std::uint32_t> size_from(BytesView file, const Parsed& parsed, std::uint16_t type) {
    const auto found = std::ranges::find_if(
        parsed.tlvs, [&](const Tlv& each) { return each.type == type && parsed.in_protected_area(each); });
    if (found == parsed.tlvs.end())
        return rejected(fmt::format("expected a protected {} TLV in a compressed image, found none", tlv_name(type)));
    const auto bytes = value(file, *found);
    if (bytes.size() != 4)
        return rejected(fmt::format("expected 4 bytes in the {} TLV, found {}", tlv_name(type), bytes.size()));
    return load_le32(bytes.data());
}

Bytes remaining_protected(BytesView file, const Parsed& parsed) {
    Bytes entries;
    for (const auto& each : parsed.tlvs) {
        if (!parsed.in_protected_area(each) || about_compression(each.type)) continue;
        append(entries, file.subspan(static_cast<std::size_t>(each.offset - entry_bytes),
                                     static_cast<std::size_t>(entry_bytes + each.length)));
    }
    Bytes out;
    if (entries.empty()) return out;
    append_le16(out, protected_info_magic);
    append_le16(out, static_cast<std::uint16_t>(entries.size() + info_bytes));
    append(out, entries);
    return out;
}

}  // namespace

Result<Bytes> decompressed_region(BytesView file, const Parsed& parsed) {
    for (const auto& each : parsed.tlvs)
        if (each.is_protected && !parsed.in_protected_area(each))
            return rejected(
                fmt::format("expected the protected TLVs of a compressed image to end with their area, "
                            "found {} to reach beyond it",
                            tlv_name(each.type)));
    auto header = parsed.header;
    if ((header.flags & flag::lzma2) == 0 || (header.flags & flag::lzma1) != 0)
        return rejected("expected the flag of LZMA2 alone in a compressed image, found another");
    std::uint32_t stored = header.image_size;
    if (header.encrypted()) {
        TRY(stored, size_from(file, parsed, tlv::compressed_decrypted_size));
    }
    if (stored > header.image_size)
        return rejected(fmt::format("expected a compressed payload of at most {} bytes, found {} claimed",
                                    header.image_size, stored));
    const auto packed = slice(file, header.header_size, stored);
    const auto space = slice(file, 0, header.header_size);
    if (!packed || !space || space->size() < header_bytes)
        return rejected(
            fmt::format("expected a header of at least {} bytes, found {}", header_bytes, header.header_size));
    TRY(const auto size, size_from(file, parsed, tlv::decompressed_size));
    if (size > largest_payload)
        return rejected(
            fmt::format("expected a decompressed payload of at most {} bytes, found {}", largest_payload, size));
    TRY(const auto payload, decompress(*packed, (header.flags & flag::arm_thumb) != 0, size));

    const auto tlvs = remaining_protected(file, parsed);
    header.flags &= ~(flag::lzma1 | flag::lzma2 | flag::arm_thumb);
    header.image_size = size;
    header.protected_tlv_size = static_cast<std::uint16_t>(tlvs.size());
    auto out = encode_header(header);
    // The last field of the header is reserved, and hashed as it is.
    std::ranges::copy(space->subspan(28, 4), out.begin() + 28);
    append(out, space->subspan(header_bytes));
    append(out, payload);
    append(out, tlvs);
    return out;
}

}  // namespace fota::image
