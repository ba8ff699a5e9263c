#include "image/builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "image/verify.hpp"

namespace fota::image {
namespace {

constexpr std::size_t longest_boot_record = 12;       // imgtool's MAX_SW_TYPE_LENGTH
constexpr std::uint64_t largest_padded = 1ULL << 30;  // above any flash in use, below exhausting memory
constexpr std::uint64_t largest_area = 0xffff;        // the area's length field has 16 bits

/// End of the trailer when BOOT_MAX_ALIGN is 8; with a larger one the first two bytes are that alignment instead
/// (boot/bootutil/src/bootutil_public.c, boot_img_magic).
constexpr std::array<std::uint8_t, 16> trailer_magic{0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f,
                                                     0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80};
constexpr std::array<std::uint8_t, 14> trailer_magic_wide{0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b, 0x8d,
                                                          0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a};

std::uint32_t max_align(const SignOptions& options) {
    return options.max_align != 0 ? options.max_align : std::max<std::uint32_t>(8, options.align);
}

Failure usage(std::string message) {
    return fail(Errc::usage, std::move(message));
}

Result<> check_options(const SignOptions& options, Signer* signer) {
    static constexpr std::array<std::uint32_t, 6> aligns{1, 2, 4, 8, 16, 32};
    static constexpr std::array<std::uint32_t, 3> max_aligns{8, 16, 32};
    if (std::ranges::find(aligns, options.align) == aligns.end())
        return usage(fmt::format("expected an alignment of 1, 2, 4, 8, 16 or 32, found {}", options.align));
    if (std::ranges::find(max_aligns, max_align(options)) == max_aligns.end() || max_align(options) < options.align)
        return usage(
            fmt::format("expected a maximum alignment of 8, 16 or 32 that is not below the alignment {}, found {}",
                        options.align, max_align(options)));
    if (options.header_size < header_bytes || options.header_size > 0xffff)
        return usage(
            fmt::format("expected a header size of {} to 65535 bytes, found {}", header_bytes, options.header_size));
    if ((options.pad || options.confirm) && options.slot_size == 0)
        return usage("expected the slot size, to which the image is to be padded, found none");
    if ((options.pad || options.confirm) && options.slot_size > largest_padded)
        return usage(
            fmt::format("expected a slot of at most {} bytes to pad to, found {}", largest_padded, options.slot_size));
    if (options.boot_record.size() > longest_boot_record)
        return usage(fmt::format("expected a boot record of at most {} characters, found {}", longest_boot_record,
                                 options.boot_record.size()));
    for (const auto& [type, bytes] : options.custom_tlvs)
        if (type < tlv::vendor_first || type > tlv::vendor_last)
            return usage(fmt::format("expected a custom TLV type of 0x{:02x} to 0x{:04x}, found 0x{:02x}",
                                     tlv::vendor_first, tlv::vendor_last, type));

    if (signer == nullptr) {
        if (options.pure || options.full_public_key) return usage("expected a key for this option, found none");
        return {};
    }
    const auto type = signer->public_key().type();
    if (signature_tlv(type) == 0)
        return fail(Errc::key_unusable,
                    fmt::format("expected a key that can sign, found an {} key", key_type_name(type)));
    if (options.pure && type != KeyType::ed25519)
        return fail(Errc::key_unusable,
                    fmt::format("expected an Ed25519 key for a pure signature, found an {} key", key_type_name(type)));
    if (options.hash && !options.pure && !allows_hash(type, *options.hash))
        return fail(Errc::key_unusable,
                    fmt::format("expected {} with an {} key, found {}", hash_name(default_hash(type)),
                                key_type_name(type), hash_name(*options.hash)));
    return {};
}

/// An info header and entries, collected and closed with its length.
class TlvArea {
  public:
    explicit TlvArea(std::uint16_t magic) : magic_(magic) {}

    Result<> add(std::uint16_t type, BytesView bytes) {
        if (bytes.size() > 0xffff)
            return usage(
                fmt::format("expected at most 65535 bytes in the {} TLV, found {}", tlv_name(type), bytes.size()));
        append_le16(entries_, type);
        append_le16(entries_, static_cast<std::uint16_t>(bytes.size()));
        append(entries_, bytes);
        return {};
    }

    /// Bytes with the info header; 0 when nothing was added.
    std::uint64_t size() const noexcept { return entries_.empty() ? 0 : entries_.size() + 4; }

    Result<> check_size(const char* name) const {
        if (size() <= largest_area) return {};
        return usage(fmt::format("expected at most {} bytes of {} TLVs, found {}", largest_area, name, size()));
    }

    void write(Bytes& out) const {
        if (entries_.empty()) return;
        append_le16(out, magic_);
        append_le16(out, static_cast<std::uint16_t>(size()));
        append(out, entries_);
    }

  private:
    std::uint16_t magic_;
    Bytes entries_;
};

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
    append_cbor(out, text_string, as_bytes(options.boot_record));
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

Result<TlvArea> protected_area(const SignOptions& options, HashType hash, BytesView key_hash) {
    TlvArea area(protected_info_magic);
    if (options.security_counter) {
        Bytes counter;
        append_le32(counter, *options.security_counter);
        TRY_VOID(area.add(tlv::security_counter, counter));
    }
    if (!options.boot_record.empty()) TRY_VOID(area.add(tlv::boot_record, encode_boot_record(options, hash, key_hash)));
    for (const auto& each : options.dependencies) {
        Bytes bytes{each.image, 0, 0, 0, each.version.major, each.version.minor};
        append_le16(bytes, each.version.revision);
        append_le32(bytes, each.version.build);
        TRY_VOID(area.add(tlv::dependency, bytes));
    }
    for (const auto& [type, bytes] : options.custom_tlvs) TRY_VOID(area.add(type, bytes));
    TRY_VOID(area.check_size("protected"));
    return area;
}

Result<> check_header_space(BytesView payload, const SignOptions& options) {
    const auto space = slice(payload, 0, options.header_size);
    if (space && std::ranges::all_of(*space, [](auto each) { return each == 0; })) return {};
    if (payload.size() >= 4 && load_le32(payload.data()) == image_magic)
        return fail(Errc::image_malformed, "expected an unsigned payload, found an MCUboot image");
    return fail(
        Errc::image_malformed,
        fmt::format(
            "expected a payload that begins with {} zero bytes for the header, found {}; --pad-header makes room "
            "for it",
            options.header_size, space ? "other content" : fmt::format("{} bytes in all", payload.size())));
}

/// Fills the slot and writes what marks the image pending or permanent (boot/bootutil/src/bootutil_misc.c, trailer
/// layout).
void pad_to_slot(Bytes& out, const SignOptions& options) {
    const auto align = max_align(options);
    out.resize(static_cast<std::size_t>(options.slot_size), options.erased_value);
    auto magic = out.end() - static_cast<std::ptrdiff_t>(trailer_magic.size());
    if (align == 8) {
        std::ranges::copy(trailer_magic, magic);
    } else {
        *magic++ = static_cast<std::uint8_t>(align & 0xff);
        *magic++ = static_cast<std::uint8_t>(align >> 8);
        std::ranges::copy(trailer_magic_wide, magic);
    }
    if (options.confirm && options.boot_mode != FOTA_BOOT_OVERWRITE) {
        const auto magic_size = (trailer_magic.size() + align - 1) / align * align;
        out[out.size() - magic_size - align] = 0x01;  // image_ok
    }
}

/// The image ends at `end`: does the slot take it, and is there room for the trailer that padding writes?
Result<> check_slot(std::uint64_t end, const SignOptions& options) {
    if (options.slot_size == 0) return {};
    TRY_VOID(check_fits(
        end, {options.boot_mode, options.slot_size, options.sector_size, options.max_sectors, options.align}));
    const auto sectors =
        options.max_sectors != 0 ? options.max_sectors : default_max_sectors(options.slot_size, options.sector_size);
    const auto trailer =
        imgtool_trailer_size(options.boot_mode == FOTA_BOOT_OVERWRITE, sectors, options.align, max_align(options));
    if (end + trailer > options.slot_size)
        return fail(Errc::image_too_large,
                    fmt::format("expected at most {} bytes before the trailer of {} in a slot of 0x{:x}, found {}",
                                options.slot_size > trailer ? options.slot_size - trailer : 0, trailer,
                                options.slot_size, end));
    return {};
}

/// Nothing leaves here that the bootloader would refuse.
Result<> check_result(BytesView image, const SignOptions& options, Signer* signer) {
    auto parsed = parse(image);
    if (!parsed) return fail(std::move(parsed.error()).in("checking the new image"));
    const auto keys = signer == nullptr ? std::span<const PublicKey>{} : std::span(&signer->public_key(), 1);
    return in_context(
        [&]() -> Result<> {
            TRY_VOID(verify(image, *parsed, keys, {.hardware_keys = options.full_public_key}));
            return {};
        }(),
        "checking the new image");
}

}  // namespace

Result<Bytes> sign(BytesView payload, const SignOptions& options, Signer* signer) {
    TRY_VOID(check_options(options, signer));
    if (!options.pad_header) TRY_VOID(check_header_space(payload, options));
    const std::uint64_t image_size = payload.size() - (options.pad_header ? 0U : options.header_size);
    if (image_size > 0xffff'ffff)
        return fail(Errc::image_too_large, fmt::format("expected a payload below 4 GiB, found {} bytes", image_size));

    auto hash = options.hash.value_or(signer == nullptr ? HashType::sha256 : default_hash(signer->public_key().type()));
    if (options.pure) hash = HashType::sha512;
    const auto key_hash = signer == nullptr ? Bytes(hash_size(HashType::sha256)) : signer->public_key().hash(hash);
    TRY(const auto protected_tlvs, protected_area(options, hash, key_hash));

    Header header;
    header.header_size = static_cast<std::uint16_t>(options.header_size);
    header.protected_tlv_size = static_cast<std::uint16_t>(protected_tlvs.size());
    header.image_size = static_cast<std::uint32_t>(image_size);
    header.version = options.version;

    Bytes out;
    out.reserve(payload.size() + options.header_size + protected_tlvs.size() + 1024);
    if (options.pad_header) out.resize(options.header_size, options.erased_value);
    append(out, payload);
    std::ranges::copy(encode_header(header), out.begin());
    protected_tlvs.write(out);

    const auto hashed = digest(hash, out);
    TlvArea tlvs(info_magic);
    TRY_VOID(tlvs.add(tlv_of(hash), hashed));
    if (options.pure) TRY_VOID(tlvs.add(tlv::signature_pure, Bytes{1}));
    if (signer != nullptr) {
        const auto& key = signer->public_key();
        TRY_VOID(options.full_public_key ? tlvs.add(tlv::public_key, key.encoded())
                                         : tlvs.add(tlv::key_hash, key_hash));
        TRY(const auto signature, signer->sign({out, hashed, hash, options.pure}));
        TRY_VOID(tlvs.add(signature_tlv(key.type()), signature));
    }
    TRY_VOID(tlvs.check_size("unprotected"));
    tlvs.write(out);

    TRY_VOID(check_slot(out.size(), options));
    TRY_VOID(check_result(out, options, signer));
    if (options.pad || options.confirm) pad_to_slot(out, options);
    return out;
}

}  // namespace fota::image
