#include "image/verify.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "image/decompressed.hpp"
#include "image/signer.hpp"

namespace fota::image {
namespace {

/// One build of MCUboot: it knows one hash, one signature type, and keys of that type.
struct Bootloader {
    HashType hash = HashType::sha256;
    std::uint16_t signature = 0;    ///< TLV type it looks for; 0: none is expected
    bool pure = false;              ///< built with MCUBOOT_SIGN_PURE
    bool hmac_sha512 = false;       ///< built with MCUBOOT_HMAC_SHA512, which Kconfig offers with Ed25519 alone
    bool any_key = false;           ///< its keys are not known here: every KEYHASH names one of them
    bool second_guess = false;      ///< as the one before it but for the hash, which the image does not tell
    std::vector<std::size_t> keys;  ///< indexes into the caller's keys
    std::string key_name;           ///< "ECDSA-P256"
};

/// image_validate.c, allowed_unprot_tlvs.
bool allowed_unprotected(std::uint16_t type, const Bootloader& bootloader) {
    static constexpr std::array allowed{tlv::key_hash,    tlv::public_key, tlv::sha256,   tlv::sha384,  tlv::sha512,
                                        tlv::rsa2048,     tlv::ecdsa224,   tlv::ecdsa,    tlv::rsa3072, tlv::ed25519,
                                        tlv::enc_rsa2048, tlv::enc_aes_kw, tlv::enc_ec256};
    return std::ranges::find(allowed, type) != allowed.end() || (bootloader.pure && type == tlv::signature_pure) ||
           type == (bootloader.hmac_sha512 ? tlv::enc_x25519_sha512 : tlv::enc_x25519);
}

/// image_validate.c, SIG_BUF_SIZE.
std::uint64_t longest_signature(std::uint16_t type) {
    switch (type) {
        case tlv::rsa2048:
            return 256;
        case tlv::rsa3072:
            return 384;
        case tlv::ed25519:
            return 64;
        default:
            return 128;  // ECDSA, whose DER has no fixed length
    }
}

/// Two that differ, short where that shows it.
std::pair<std::string, std::string> telling(BytesView a, BytesView b) {
    auto out = std::pair(short_hex(a), short_hex(b));
    if (out.first == out.second) out = {to_hex(a), to_hex(b)};
    return out;
}

Failure rejected(std::string message) {
    return fail(Errc::image_rejected, std::move(message));
}

/// boot_check_header_valid() and the flags boot_validate_slot() looks at.
Result<> check_flags(const Header& header, const VerifyOptions& options) {
    constexpr auto both = flag::encrypted_aes128 | flag::encrypted_aes256;
    if ((header.flags & flag::non_bootable) != 0)
        return rejected("expected a bootable image, found the flag NON_BOOTABLE");
    if ((header.flags & both) == both)
        return rejected("expected one encryption flag at most, found AES-128 and AES-256");
    if (header.encrypted() && !options.in_clear)
        return rejected(
            "expected a payload in clear, found an encrypted one: its hash can only be checked after decryption");
    if ((header.flags & flag::lzma1) != 0 && (header.flags & flag::lzma2) != 0)
        return rejected("expected one compression flag at most, found LZMA1 and LZMA2");
    if (header.compressed() && !options.decompression)
        return rejected("expected an uncompressed payload, found LZMA: a bootloader without decompression refuses it");
    return {};
}

/// The walk of bootutil_img_validate() over one image, as one bootloader does it.
class Walk {
  public:
    Walk(BytesView file, const Parsed& parsed, std::span<const PublicKey> keys, const Bootloader& bootloader,
         const VerifyOptions& options)
        : file_(file),
          parsed_(parsed),
          keys_(keys),
          bootloader_(bootloader),
          options_(options),
          region_(file.first(static_cast<std::size_t>(parsed.hash_region_length))),
          hash_(options.known_hash.size() == hash_size(bootloader.hash) ? to_bytes(options.known_hash)
                                                                        : digest(bootloader.hash, region_)) {}

    Result<Verdict> run() {
        TRY_VOID(check_kind());
        for (const auto& each : parsed_.tlvs) TRY_VOID(visit(each));
        if (!hash_found_ && !bootloader_.pure)
            return rejected(
                fmt::format("expected a {} TLV with the image's hash, found none", hash_name(bootloader_.hash)));
        if (bootloader_.signature != 0) TRY_VOID(conclude());
        if (parsed_.header.compressed()) TRY_VOID(check_decompressed());
        Verdict out;
        out.hash_type = bootloader_.hash;
        out.hash = hash_;
        out.signature_checked = !bootloader_.any_key && bootloader_.signature != 0;
        if (out.signature_checked) out.key_index = deciding_key_;
        return out;
    }

  private:
    /// What would be refused in any case, said in terms of keys rather than of a missing TLV.
    Result<> check_kind() const {
        if (bootloader_.pure) {
            const auto* pure = parsed_.find(tlv::signature_pure);
            const auto mark = pure == nullptr ? BytesView{} : value(file_, *pure);
            if (mark.size() != 1 || mark[0] != 1)
                return rejected("expected SIG_PURE to be one byte 01, found another value");
        }
        if (bootloader_.signature == 0 || bootloader_.any_key) return {};
        if (parsed_.find(bootloader_.signature) == nullptr) {
            const auto* other = parsed_.signature();
            if (other == nullptr)
                return fail(Error(Errc::signature_invalid,
                                  fmt::format("expected a signature by an {} key, found an unsigned image",
                                              bootloader_.key_name))
                                .with("signature", "none"));
            return fail(Errc::key_mismatch, fmt::format("expected a signature by an {} key, found one of type {}",
                                                        bootloader_.key_name, tlv_name(other->type)));
        }
        if (const auto found = parsed_.hash_type();
            !bootloader_.pure && found && !parsed_.find(tlv_of(bootloader_.hash)))
            return fail(Errc::key_mismatch,
                        fmt::format("expected an image hashed with {} for an {} key, found {}",
                                    hash_name(bootloader_.hash), bootloader_.key_name, hash_name(*found)));
        return {};
    }

    Result<> visit(const Tlv& each) {
        if (!each.is_protected && !allowed_unprotected(each.type, bootloader_))
            return rejected(fmt::format("expected only hash, key and signature in the unprotected TLVs, found {}",
                                        tlv_name(each.type)));
        const auto bytes = value(file_, each);
        if (each.type == tlv_of(bootloader_.hash) && (!bootloader_.pure || bootloader_.any_key))
            return check_hash(bytes);
        if (bootloader_.signature == 0) return {};
        if (each.type == (options_.hardware_keys ? tlv::public_key : tlv::key_hash)) return find_key(bytes);
        if (each.type == bootloader_.signature) return check_signature(bytes);
        return {};
    }

    Result<> check_hash(BytesView found) {
        if (found.size() != hash_.size())
            return rejected(fmt::format("expected a {} of {} bytes, found {}", hash_name(bootloader_.hash),
                                        hash_.size(), found.size()));
        if (!std::ranges::equal(found, hash_)) {
            const auto [said, computed] = telling(found, hash_);
            return rejected(fmt::format("expected the {} of the content to be {}, as the image says, found {}",
                                        hash_name(bootloader_.hash), said, computed));
        }
        hash_found_ = true;
        return {};
    }

    /// bootutil_find_key(): a KEYHASH shorter than the hash is compared as far as it goes.
    Result<> find_key(BytesView found) {
        // With which hash a pure bootloader of unknown keys was built, the image does not say.
        const auto own_hash = bootloader_.any_key && bootloader_.pure ? hash_size(HashType::sha512) : hash_.size();
        const auto longest = options_.hardware_keys ? longest_signature(bootloader_.signature) + 24 : own_hash;
        if (found.size() > longest)
            return rejected(fmt::format("expected a {} of at most {} bytes, found {}",
                                        options_.hardware_keys ? "PUBKEY" : "KEYHASH", longest, found.size()));
        ++keys_named_;
        key_ = no_key;
        if (bootloader_.any_key) {
            key_ = any;
            return {};
        }
        for (const auto index : bootloader_.keys) {
            const auto own = options_.hardware_keys ? keys_[index].encoded() : keys_[index].hash(bootloader_.hash);
            if (options_.hardware_keys && own.size() != found.size()) continue;
            if (!std::ranges::equal(found, std::span(own).first(found.size()))) continue;
            key_ = index;
            key_matched_ = true;
            return {};
        }
        stranger_ = options_.hardware_keys ? digest(bootloader_.hash, found) : to_bytes(found);
        return {};
    }

    /// A signature is looked at only when the KEYHASH before it named a key; each KEYHASH counts for one signature, and
    /// the last signature looked at decides.
    Result<> check_signature(BytesView found) {
        if (key_ == no_key) return {};
        const auto longest = longest_signature(bootloader_.signature);
        const bool fixed = bootloader_.signature != tlv::ecdsa;
        if (found.size() > longest || (fixed && found.size() != longest))
            return rejected(fmt::format("expected a signature of {}{} bytes, found {}", fixed ? "" : "at most ",
                                        longest, found.size()));
        ++looked_at_;
        if (key_ != any) {
            const SignRequest request{region_, hash_, bootloader_.hash, bootloader_.pure};
            valid_ = verify_signature(keys_[key_], request, found);
            deciding_key_ = key_;
        }
        key_ = no_key;
        return {};
    }

    Result<> conclude() const {
        if (looked_at_ > 0) {
            if (bootloader_.any_key || valid_) return {};
            return fail(
                Errc::signature_invalid,
                fmt::format("expected a valid signature by the {} key {}, found one that does not match the image",
                            bootloader_.key_name, short_hex(keys_[deciding_key_].hash(bootloader_.hash))));
        }
        if (keys_named_ == 0)
            return rejected(
                !options_.hardware_keys && parsed_.find(tlv::public_key) != nullptr
                    ? "expected a KEYHASH before the signature, found PUBKEY, which only a bootloader with its key "
                      "in hardware reads"
                    : "expected a KEYHASH before the signature, found none");
        if (bootloader_.any_key || key_matched_)
            return rejected(
                "expected the signature after the KEYHASH it belongs to, found it before: the bootloader ignores it");
        std::string expected;
        auto found = short_hex(stranger_);
        for (const auto index : bootloader_.keys) {
            const auto [own, other] = telling(keys_[index].hash(bootloader_.hash), stranger_);
            expected += (expected.empty() ? "" : " or ") + own;
            if (other.size() > found.size()) found = other;
        }
        return fail(Errc::key_mismatch, fmt::format("expected a signature by the {} key {}, found one by the key {}",
                                                    bootloader_.key_name, expected, found));
    }

    /// bootutil_img_validate(), its last part: what comes out of the decompressor has a hash and a signature of its
    /// own.
    Result<> check_decompressed() const {
        TRY(const auto region, decompressed_region(file_, parsed_));
        const auto hash = digest(bootloader_.hash, region);
        const auto* expected = find_protected(tlv::decompressed_hash);
        if (expected == nullptr || !std::ranges::equal(value(file_, *expected), hash)) {
            const auto [said, computed] = expected == nullptr ? std::pair(std::string("told"), short_hex(hash))
                                                              : telling(value(file_, *expected), hash);
            return rejected(
                fmt::format("expected the {} of the decompressed image to be {}, as the image says, found {}",
                            hash_name(bootloader_.hash), said, computed));
        }
        if (bootloader_.signature == 0) return {};
        const auto* signature = find_protected(tlv::decompressed_signature);
        if (signature == nullptr) return rejected("expected a DECOMP_SIGNATURE for the decompressed image, found none");
        if (bootloader_.any_key) return {};
        const SignRequest request{region, hash, bootloader_.hash, bootloader_.pure};
        if (verify_signature(keys_[deciding_key_], request, value(file_, *signature))) return {};
        return fail(Errc::signature_invalid,
                    fmt::format("expected a valid signature of the decompressed image by the {} key {}, found one that "
                                "does not match",
                                bootloader_.key_name, short_hex(keys_[deciding_key_].hash(bootloader_.hash))));
    }

    const Tlv* find_protected(std::uint16_t type) const {
        const auto found = std::ranges::find_if(
            parsed_.tlvs, [&](const Tlv& each) { return each.type == type && parsed_.in_protected_area(each); });
        return found == parsed_.tlvs.end() ? nullptr : &*found;
    }

    static constexpr std::size_t no_key = static_cast<std::size_t>(-1);
    static constexpr std::size_t any = static_cast<std::size_t>(-2);

    BytesView file_;
    const Parsed& parsed_;
    std::span<const PublicKey> keys_;
    const Bootloader& bootloader_;
    const VerifyOptions& options_;
    BytesView region_;
    Bytes hash_;

    bool hash_found_ = false;
    std::size_t key_ = no_key;  ///< named by the last KEYHASH, until a signature used it
    std::size_t deciding_key_ = no_key;
    bool valid_ = false;
    bool key_matched_ = false;
    std::size_t keys_named_ = 0;
    std::size_t looked_at_ = 0;
    Bytes stranger_;  ///< last KEYHASH that named none of our keys
};

/// The hashes with which this signature type may come, among those the image has; the first possible one when it has
/// none.
std::vector<HashType> hashes_for(const Parsed& parsed, std::span<const HashType> possible) {
    std::vector<HashType> out;
    for (const auto each : possible)
        if (parsed.find(tlv_of(each)) != nullptr) out.push_back(each);
    if (out.empty()) out.push_back(possible.front());
    return out;
}

/// The hashes with which a bootloader for pure signatures may have been built: it needs no hash of the image, only that
/// of its key. Those the image has come first.
std::vector<HashType> hashes_for_pure(const Parsed& parsed, std::span<const HashType> possible) {
    std::vector<HashType> out(possible.begin(), possible.end());
    std::ranges::stable_partition(out, [&](auto each) { return parsed.find(tlv_of(each)) != nullptr; });
    return out;
}

/// The builds with Ed25519 that differ in what they make of this image: a signature of the region or of its hash.
/// SIG_PURE in the protected area means nothing to a build that does not look for it.
std::vector<bool> pure_or_not(const Parsed& parsed) {
    const auto* mark = parsed.find(tlv::signature_pure);
    if (mark == nullptr) return {false};
    if (!mark->is_protected) return {true};
    return {true, false};
}

bool has_hmac_sha512(const Parsed& parsed) {
    return parsed.find(tlv::enc_x25519_sha512) != nullptr;
}

/// Every bootloader these keys can stand for.
std::vector<Bootloader> bootloaders_with(const Parsed& parsed, std::span<const PublicKey> keys) {
    std::vector<Bootloader> out;
    for (const auto type :
         {KeyType::ecdsa_p256, KeyType::rsa2048, KeyType::ed25519, KeyType::ecdsa_p384, KeyType::rsa3072}) {
        Bootloader bootloader;
        for (std::size_t i = 0; i < keys.size(); ++i)
            if (keys[i].type() == type) bootloader.keys.push_back(i);
        if (bootloader.keys.empty()) continue;
        bootloader.signature = signature_tlv(type);
        bootloader.key_name = key_type_name(type);
        bootloader.hash = default_hash(type);
        if (type != KeyType::ed25519) {
            out.push_back(bootloader);
            continue;
        }
        bootloader.hmac_sha512 = has_hmac_sha512(parsed);
        static constexpr std::array of_ed25519{HashType::sha256, HashType::sha512};
        for (const bool pure : pure_or_not(parsed)) {
            bootloader.second_guess = false;
            for (const auto hash : pure ? hashes_for_pure(parsed, of_ed25519) : hashes_for(parsed, of_ed25519)) {
                bootloader.pure = pure;
                bootloader.hash = hash;
                out.push_back(bootloader);
                bootloader.second_guess = pure;
            }
        }
    }
    return out;
}

/// The bootloaders that may have been built for this image, going by its own signature.
std::vector<Bootloader> bootloaders_unknown(const Parsed& parsed) {
    static constexpr std::array every{HashType::sha256, HashType::sha384, HashType::sha512};
    static constexpr std::array of_rsa{HashType::sha256};
    static constexpr std::array of_ecdsa{HashType::sha256, HashType::sha384};
    static constexpr std::array of_ed25519{HashType::sha256, HashType::sha512};
    const auto* signature = parsed.signature();
    Bootloader bootloader;
    bootloader.any_key = true;
    std::span<const HashType> possible = every;
    std::vector<bool> pure{false};
    bootloader.hmac_sha512 = has_hmac_sha512(parsed) && (signature == nullptr || signature->type == tlv::ed25519);
    if (signature != nullptr) {
        bootloader.signature = signature->type;
        if (signature->type == tlv::ed25519) pure = pure_or_not(parsed);
        possible = of_rsa;
        if (signature->type == tlv::ecdsa) possible = of_ecdsa;
        if (signature->type == tlv::ed25519) possible = of_ed25519;
    }
    std::vector<Bootloader> out;
    for (const bool each : pure)
        for (const auto hash : hashes_for(parsed, possible)) {
            bootloader.pure = each;
            bootloader.hash = hash;
            out.push_back(bootloader);
        }
    return out;
}

}  // namespace

Result<Verdict> verify(BytesView file, const Parsed& parsed, std::span<const PublicKey> keys,
                       const VerifyOptions& options) {
    if (parsed.hash_region_length > file.size() || parsed.end > file.size())
        return fail(Errc::internal, "expected the file that was parsed, found a shorter one");
    TRY_VOID(check_flags(parsed.header, options));
    const auto bootloaders = keys.empty() ? bootloaders_unknown(parsed) : bootloaders_with(parsed, keys);
    if (bootloaders.empty())
        return fail(Errc::key_unusable,
                    "expected a key that can verify a signature, found an X25519 key, which only encrypts");

    std::optional<Error> refusal;
    for (const auto& bootloader : bootloaders) {
        auto verdict = Walk(file, parsed, keys, bootloader, options).run();
        if (verdict) return verdict;
        if (refusal && bootloader.second_guess) continue;
        // The most telling refusal is that of the bootloader built for this image's signature.
        const auto* signature = parsed.signature();
        if (!refusal ||
            (signature != nullptr && signature->type == bootloader.signature && refusal->code() == Errc::key_mismatch))
            refusal = std::move(verdict).error();
    }
    return fail(std::move(*refusal));
}

}  // namespace fota::image
