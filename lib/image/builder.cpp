#include "image/builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "image/tlv_area.hpp"
#include "image/trailer.hpp"
#include "image/verify.hpp"

namespace fota::image {
namespace {

constexpr std::size_t longest_boot_record = 12;       // imgtool's MAX_SW_TYPE_LENGTH
constexpr std::uint64_t largest_padded = 1ULL << 30;  // above any flash in use, below exhausting memory

Failure usage(std::string message) {
    return fail(Errc::usage, std::move(message));
}

/// Signing and encryption are built into a bootloader together, of one kind (imgtool's rule, too): P-384 has none.
Result<> check_pair(const PublicKey& signing, const Encryption& encryption) {
    const auto recipient = encryption.recipient.type();
    const auto wrong = [&](std::string_view expected) {
        return fail(
            Errc::key_unusable,
            fmt::format("expected {} with an {} signature, as a bootloader has it, found encryption for an {} key",
                        expected, key_type_name(signing.type()), key_type_name(recipient)));
    };
    switch (signing.type()) {
        case KeyType::rsa2048:
        case KeyType::rsa3072:
            if (recipient != KeyType::rsa2048) return wrong("encryption for an RSA-2048 key");
            return {};
        case KeyType::ecdsa_p256:
            if (recipient != KeyType::ecdsa_p256) return wrong("encryption for an ECDSA-P256 key");
            return {};
        case KeyType::ecdsa_p384:
            return wrong("no encryption");
        default:
            return {};
    }
}

Result<> check_options(const SignOptions& options, const PublicKey* key) {
    static constexpr std::array<std::uint32_t, 6> aligns{1, 2, 4, 8, 16, 32};
    static constexpr std::array<std::uint32_t, 3> max_aligns{8, 16, 32};
    if (std::ranges::find(aligns, options.align) == aligns.end())
        return usage(fmt::format("expected an alignment of 1, 2, 4, 8, 16 or 32, found {}", options.align));
    // Where the maximum is less, imgtool takes it for what the trailer is laid out by.
    const bool in_order = options.rules == Rules::imgtool || max_align(options) >= options.align;
    if (std::ranges::find(max_aligns, max_align(options)) == max_aligns.end() || !in_order)
        return usage(
            fmt::format("expected a maximum alignment of 8, 16 or 32 that is not below the alignment {}, found {}",
                        options.align, max_align(options)));
    if (options.header_size < header_bytes || options.header_size > 0xffff)
        return usage(
            fmt::format("expected a header size of {} to 65535 bytes, found {}", header_bytes, options.header_size));
    if (options.load_address != 0 && options.rom_fixed)
        return usage(fmt::format("expected a load address or a fixed flash address, found both 0x{:x} and 0x{:x}",
                                 options.load_address, *options.rom_fixed));
    if (is_padded(options) && options.slot_size == 0)
        return usage("expected the slot size, to which the image is to be padded, found none");
    if (is_padded(options) && options.slot_size > largest_padded)
        return usage(
            fmt::format("expected a slot of at most {} bytes to pad to, found {}", largest_padded, options.slot_size));
    if (options.boot_record && options.boot_record->size() > longest_boot_record)
        return usage(fmt::format("expected a boot record of at most {} characters, found {}", longest_boot_record,
                                 options.boot_record->size()));
    for (const auto& [type, bytes] : options.custom_tlvs)
        if (type < tlv::vendor_first || type > tlv::vendor_last)
            return usage(fmt::format("expected a custom TLV type of 0x{:02x} to 0x{:04x}, found 0x{:02x}",
                                     tlv::vendor_first, tlv::vendor_last, type));

    if (options.encryption) TRY_VOID(check_encryption(*options.encryption));
    if (key == nullptr) {
        // imgtool makes an unsigned image, which says nothing of a key.
        if (options.rules != Rules::imgtool && (options.pure || options.full_public_key))
            return usage("expected a key for this option, found none");
        return {};
    }
    const auto type = key->type();
    if (signature_tlv(type) == 0)
        return fail(Errc::key_unusable,
                    fmt::format("expected a key that can sign, found an {} key", key_type_name(type)));
    if (options.encryption) TRY_VOID(check_pair(*key, *options.encryption));
    if (options.pure && type != KeyType::ed25519)
        return fail(Errc::key_unusable,
                    fmt::format("expected an Ed25519 key for a pure signature, found an {} key", key_type_name(type)));
    // imgtool lets a signature from elsewhere be ECDSA-P256 over SHA-512.
    const bool foreign =
        options.rules == Rules::imgtool && type == KeyType::ecdsa_p256 && options.hash == HashType::sha512;
    if (options.hash && !options.pure && !foreign && !allows_hash(type, *options.hash))
        return fail(Errc::key_unusable,
                    fmt::format("expected {} with an {} key, found {}", hash_name(default_hash(type)),
                                key_type_name(type), hash_name(*options.hash)));
    return {};
}

Result<> check_header_space(BytesView payload, const SignOptions& options) {
    const auto space = slice(payload, 0, options.header_size);
    if (space && options.overwrite_header_space) return {};
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

/// The slot that the options describe. `key_tlv`: length of the TLV with the encrypted key.
Slot slot_of(const SignOptions& options, std::uint64_t key_tlv) {
    Slot out{options.boot_mode, options.slot_size, options.sector_size, options.max_sectors, options.align};
    if (options.encryption)
        out.key_bytes = options.save_encrypted_key ? static_cast<std::uint32_t>(key_tlv) : options.encryption->bits / 8;
    return out;
}

/// The image ends at `end`; a compressed one at `installed` once it is in the primary slot. Does the slot take it, and
/// is there room for the trailer that padding writes?
Result<> check_slot(std::uint64_t end, std::optional<std::uint64_t> installed, const SignOptions& options,
                    const Slot& slot, std::uint64_t trailer) {
    if (options.slot_size == 0) return {};
    if (options.rules == Rules::bootloader) {
        TRY_VOID(check_fits(end, slot));
        if (installed) {
            // Kconfig of Nordic's tree: BOOT_DECOMPRESSION_SUPPORT depends on BOOT_UPGRADE_ONLY.
            if (options.boot_mode != FOTA_BOOT_OVERWRITE)
                return usage(fmt::format(
                    "expected a bootloader in mode {} for a compressed image, as no other decompresses, found {}",
                    mode_name(FOTA_BOOT_OVERWRITE), mode_name(options.boot_mode)));
            TRY_VOID(in_context(check_fits(*installed, slot), "after decompression"));
        }
    }
    if (end + trailer > options.slot_size)
        return fail(Errc::image_too_large,
                    fmt::format("expected at most {} bytes before the trailer of {} in a slot of 0x{:x}, found {}",
                                options.slot_size > trailer ? options.slot_size - trailer : 0, trailer,
                                options.slot_size, end));
    return {};
}

using CompressionTlvs = std::vector<std::pair<std::uint16_t, Bytes>>;

/// What is hashed and signed.
struct Region {
    Bytes bytes;
    Bytes digest;
    std::uint64_t payload_length = 0;  ///< after the header space, padding for encryption included
};

/// A finished image, its payload still in clear.
struct Draft {
    Bytes bytes;
    Bytes digest;
    Bytes signature;
    std::uint64_t payload_length = 0;
    std::uint64_t key_bytes = 0;  ///< of the TLV with the encrypted key
    Secret<Bytes> image_key;
};

/// One image in the making: options, key, and what follows from them.
class Assembly {
  public:
    Assembly(const SignOptions& options, const PublicKey* key) : options_(options), key_(key) {
        hash_ = options.hash.value_or(key == nullptr ? HashType::sha256 : default_hash(key->type()));
        if (options.pure && key != nullptr) hash_ = HashType::sha512;
        key_hash_ = key == nullptr ? Bytes(hash_size(HashType::sha256)) : key->hash(hash_);
    }

    /// `bytes`: header space and payload; it grows into the region. `encrypted`: whether this payload is to be
    /// encrypted itself, and so comes in whole AES blocks.
    Result<Region> region(Bytes bytes, std::uint32_t flags, const CompressionTlvs& tlvs, bool encrypted) const {
        constexpr std::uint64_t block = 16;
        const auto padding = encrypted ? (block - bytes.size() % block) % block : 0;
        Region out;
        out.payload_length = bytes.size() - options_.header_size + padding;
        if (out.payload_length > 0xffff'ffff)
            return fail(Errc::image_too_large,
                        fmt::format("expected a payload below 4 GiB, found {} bytes", out.payload_length));
        TRY(const auto protected_tlvs, protected_area(options_, hash_, key_hash_, tlvs));

        Header header;
        header.load_address = options_.rom_fixed.value_or(options_.load_address);
        header.header_size = static_cast<std::uint16_t>(options_.header_size);
        header.protected_tlv_size = static_cast<std::uint16_t>(protected_tlvs.size());
        header.image_size = static_cast<std::uint32_t>(out.payload_length);
        header.flags = flags | own_flags();
        header.version = options_.version;

        out.bytes = std::move(bytes);
        out.bytes.reserve(out.bytes.size() + padding + protected_tlvs.size() + 1024);
        out.bytes.resize(out.bytes.size() + padding);
        std::ranges::copy(encode_header(header, options_.byte_order), out.bytes.begin());
        protected_tlvs.write(out.bytes);
        out.digest = digest(hash_, out.bytes);
        return out;
    }

    Result<Draft> finish(Region region, Signer* signer, bool encrypted) const {
        Draft out;
        out.payload_length = region.payload_length;
        TlvArea tlvs(info_magic, options_.byte_order);
        TRY_VOID(tlvs.add(tlv_of(hash_), region.digest));
        if (options_.pure) TRY_VOID(tlvs.add(tlv::signature_pure, Bytes{1}));
        if (signer != nullptr) {
            TRY_VOID(options_.full_public_key ? tlvs.add(tlv::public_key, key_->encoded())
                                              : tlvs.add(tlv::key_hash, key_hash_));
            TRY(out.signature, make_signature(region, *signer));
            TRY_VOID(tlvs.add(signature_tlv(key_->type()), out.signature));
        }
        if (encrypted) {
            TRY(out.image_key, new_image_key(*options_.encryption));
            TRY(const auto wrapped, wrap_key(*options_.encryption, out.image_key.reveal()));
            out.key_bytes = wrapped.value.size();
            TRY_VOID(tlvs.add(wrapped.type, wrapped.value));
        }
        TRY_VOID(tlvs.check_size("unprotected"));
        out.digest = std::move(region.digest);
        out.bytes = std::move(region.bytes);
        tlvs.write(out.bytes);
        return out;
    }

    Result<Bytes> make_signature(const Region& region, Signer& signer) const {
        const SignRequest request{region.bytes, region.digest, hash_, options_.pure};
        TRY(auto signature, signer.sign(request));
        if (options_.pad_signature && signature_tlv(key_->type()) == tlv::ecdsa) {
            const std::size_t fixed = key_->type() == KeyType::ecdsa_p384 ? 103 : 72;
            if (signature.size() < fixed) signature.resize(fixed);
        }
        if (options_.rules == Rules::bootloader && !verify_signature(*key_, request, signature))
            return fail(Error(Errc::signature_invalid,
                              fmt::format("expected a valid signature by the {} key {}, found one that does not match "
                                          "the image",
                                          key_type_name(key_->type()), short_hex(key_hash_)))
                            .in("checking the new image"));
        return signature;
    }

  private:
    std::uint32_t own_flags() const {
        std::uint32_t out = 0;
        if (options_.load_address != 0) out |= flag::ram_load;
        if (options_.rom_fixed) out |= flag::rom_fixed;
        if (options_.non_bootable) out |= flag::non_bootable;
        if (options_.encryption)
            out |= options_.encryption->bits == 256 ? flag::encrypted_aes256 : flag::encrypted_aes128;
        return out;
    }

    const SignOptions& options_;
    const PublicKey* key_;
    HashType hash_ = HashType::sha256;
    Bytes key_hash_;
};

/// Header space and what follows it: as linked, or compressed where that pays.
struct Payload {
    Bytes bytes;
    std::uint64_t plain_size = 0;  ///< of what was linked, without the header space
    bool compressed = false;
    std::uint64_t stream_bytes = 0;  ///< of the compressed stream; 0: none was made
    std::uint64_t saved = 0;         ///< bytes by which the image grows again when it is decompressed
    std::uint32_t flags = 0;
    CompressionTlvs tlvs;
};

Result<Payload> prepare(Bytes payload, const SignOptions& options) {
    Payload out;
    out.bytes = std::move(payload);
    if (options.pad_header) {
        // Within the capacity where there is room: the payload moves, and no second one is made.
        out.bytes.insert(out.bytes.begin(), options.header_size, options.erased_value);
    } else {
        TRY_VOID(check_header_space(out.bytes, options));
        if (options.overwrite_header_space) std::fill_n(out.bytes.begin(), options.header_size, options.erased_value);
    }
    out.plain_size = out.bytes.size() - options.header_size;
    return out;
}

/// Compresses, and signs what will be decompressed. What the TLVs about it cost must be less than what is gained, by
/// imgtool's reckoning.
Result<> pack(Payload& payload, const SignOptions& options, const Assembly& assembly, Signer* signer) {
    // In the memory of the payload, which gets it back: nothing but the header's 32 bytes has changed, and those are
    // written again.
    const auto whole = payload.bytes.size();
    TRY(auto region, assembly.region(std::move(payload.bytes), 0, {}, false));
    Bytes signature;
    if (signer != nullptr) {
        TRY(signature, assembly.make_signature(region, *signer));
    }
    payload.bytes = std::move(region.bytes);
    payload.bytes.resize(whole);
    TRY(const auto packed, compress(BytesView(payload.bytes).subspan(options.header_size), *options.compression));
    const auto stream = packed.size() - compression_header_bytes;
    payload.stream_bytes = stream;
    if (stream + 4 + region.digest.size() + signature.size() >= payload.plain_size) return {};

    payload.compressed = true;
    payload.flags = flag::lzma2 | (options.compression->arm_thumb ? flag::arm_thumb : 0);
    Bytes size;
    append_u32(size, static_cast<std::uint32_t>(payload.plain_size), options.byte_order);
    payload.tlvs.emplace_back(tlv::decompressed_size, std::move(size));
    payload.tlvs.emplace_back(tlv::decompressed_hash, std::move(region.digest));
    if (!signature.empty()) payload.tlvs.emplace_back(tlv::decompressed_signature, std::move(signature));
    if (options.encryption) {
        Bytes before;
        append_u32(before, static_cast<std::uint32_t>(packed.size()), options.byte_order);
        payload.tlvs.emplace_back(tlv::compressed_decrypted_size, std::move(before));
    }
    // The TLVs about compression stay behind.
    std::uint64_t about = packed.size();
    for (const auto& [type, bytes] : payload.tlvs) about += 4 + bytes.size();
    payload.saved = payload.plain_size > about ? payload.plain_size - about : 0;
    payload.bytes.resize(options.header_size);
    append(payload.bytes, packed);
    return {};
}

/// Nothing leaves here that the bootloader would refuse. Images which this program's bootloader cannot read, or never
/// starts, have had their signature checked all the same. `hash`: of the region, as it was taken from these very bytes;
/// to take it once more would cost a seventh of all the time that signing 1 MiB needs.
Result<> check_result(BytesView image, BytesView hash, const SignOptions& options, const PublicKey* key) {
    if (options.rules == Rules::imgtool || options.byte_order == ByteOrder::big || options.non_bootable) return {};
    const auto keys = key == nullptr ? std::span<const PublicKey>{} : std::span(key, 1);
    return in_context(
        [&]() -> Result<> {
            TRY(const auto parsed, parse(image));
            TRY_VOID(verify(image, parsed, keys,
                            {.hardware_keys = options.full_public_key,
                             .in_clear = true,
                             .known_hash = hash,
                             .decompression = true}));
            return {};
        }(),
        "checking the new image");
}

}  // namespace

Result<Built> build(Bytes payload, const SignOptions& options, Signer* signer) {
    const auto* key = signer == nullptr ? nullptr : &signer->public_key();
    TRY_VOID(check_options(options, key));
    TRY(auto prepared, prepare(std::move(payload), options));
    const Assembly assembly(options, key);
    if (options.compression) TRY_VOID(pack(prepared, options, assembly, signer));
    const bool encrypted = options.encryption.has_value();
    TRY(auto region, assembly.region(std::move(prepared.bytes), prepared.flags, prepared.tlvs, encrypted));
    TRY(auto draft, assembly.finish(std::move(region), signer, encrypted));

    Built out;
    out.compressed = prepared.compressed;
    out.stream_bytes = prepared.stream_bytes;
    out.payload_bytes = prepared.plain_size;
    out.stored_bytes = draft.payload_length;
    if (options.slot_size != 0) out.trailer_size = trailer_size(options, draft.key_bytes);
    const auto slot = slot_of(options, draft.key_bytes);
    if (options.slot_size != 0) out.limit = image_limit(slot).value_or(0);
    const auto installed = out.compressed ? std::optional(draft.bytes.size() + prepared.saved) : std::nullopt;
    TRY_VOID(check_slot(draft.bytes.size(), installed, options, slot, out.trailer_size));
    TRY_VOID(check_result(draft.bytes, draft.digest, options, key));
    if (encrypted && !options.encryption->clear)
        TRY_VOID(aes_ctr(
            draft.image_key.reveal(),
            std::span(draft.bytes).subspan(options.header_size, static_cast<std::size_t>(draft.payload_length))));
    out.image = std::move(draft.bytes);
    out.digest = std::move(draft.digest);
    out.signature = std::move(draft.signature);
    return out;
}

Result<Bytes> sign(BytesView payload, const SignOptions& options, Signer* signer) {
    TRY(const auto built, build(to_bytes(payload), options, signer));
    return to_binary(built, options);
}

Result<SigningVector> vector_to_sign(BytesView payload, const SignOptions& options, const PublicKey* key) {
    TRY_VOID(check_options(options, key));
    TRY(auto prepared, prepare(to_bytes(payload), options));
    const Assembly assembly(options, key);
    if (options.compression) TRY_VOID(pack(prepared, options, assembly, nullptr));
    TRY(auto region,
        assembly.region(std::move(prepared.bytes), prepared.flags, prepared.tlvs, options.encryption.has_value()));
    return SigningVector{std::move(region.bytes), std::move(region.digest)};
}

Result<Bytes> encode_manifest(std::span<const Bytes> hashes, ByteOrder order) {
    constexpr std::uint32_t format = 1;
    Bytes out;
    append_u32(out, format, order);
    append_u32(out, static_cast<std::uint32_t>(hashes.size()), order);
    for (const auto& each : hashes) {
        if (each.size() != hashes.front().size())
            return usage(fmt::format("expected image hashes of {} bytes in the manifest, found one of {}",
                                     hashes.front().size(), each.size()));
        append(out, each);
    }
    return out;
}

}  // namespace fota::image
