// fotactl imgtool verify: imgtool's verdict, which is milder than the bootloader's; the difference is told on stderr.
#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/text.hpp"
#include "cli/imgtool.hpp"
#include "cli/imgtool_files.hpp"
#include "image/image.hpp"
#include "image/signer.hpp"
#include "image/verify.hpp"

namespace fota::cli::imgtool {
namespace {

using image::HashType;
using image::KeyType;
using Verdict = Check::Verdict;

constexpr std::uint64_t info_bytes = 4;  // of an area, and of a TLV

Failure cut_short(std::uint64_t offset, std::uint64_t needed, std::uint64_t size) {
    return fail(
        Errc::image_malformed,
        fmt::format("expected {} bytes at offset 0x{:x}, found the end of the image at 0x{:x}", needed, offset, size));
}

struct Pair {
    std::uint16_t first = 0;
    std::uint16_t second = 0;
};

Result<Pair> read_pair(BytesView file, std::uint64_t offset) {
    const auto bytes = slice(file, offset, info_bytes);
    if (!bytes) return cut_short(offset, info_bytes, file.size());
    return Pair{load_le16(bytes->data()), load_le16(bytes->data() + 2)};
}

/// Up to the end of the file, as a Python slice.
BytesView clipped(BytesView file, std::uint64_t offset, std::uint64_t length) {
    if (offset >= file.size()) return {};
    return file.subspan(static_cast<std::size_t>(offset),
                        static_cast<std::size_t>(std::min<std::uint64_t>(length, file.size() - offset)));
}

std::optional<HashType> hash_of(std::uint8_t type) {
    for (const auto hash : {HashType::sha256, HashType::sha384, HashType::sha512})
        if (image::tlv_of(hash) == type) return hash;
    return std::nullopt;
}

/// Whether imgtool has this key verify an image with this hash.
bool fits(const LoadedKey& key, HashType hash) {
    const auto type = key.public_key.type();
    if (type == KeyType::x25519) return key.private_key.has_value() && hash != HashType::sha384;
    if (type == KeyType::ecdsa_p256 && !key.private_key && hash == HashType::sha512) return true;
    return image::allows_hash(type, hash);
}

Result<bool> verifies(const LoadedKey& key, BytesView region, const Bytes& digest, BytesView signature) {
    const auto& open = key.public_key;
    const auto hash = image::default_hash(open.type());
    switch (open.type()) {
        case KeyType::ecdsa_p256:
        case KeyType::ecdsa_p384:
            if (signature.size() < 2)
                return fail(Errc::image_malformed,
                            fmt::format("expected an ECDSA signature, found {} bytes", signature.size()));
            signature = clipped(signature, 0, signature[1] + 2U);
            [[fallthrough]];
        case KeyType::rsa2048:
        case KeyType::rsa3072: {
            const auto hashed = image::digest(hash, region);
            return image::verify_signature(open, {region, hashed, hash, false}, signature);
        }
        case KeyType::ed25519:
            if (digest.empty())
                return fail(Errc::image_malformed, "expected the hash before the signature, found the signature first");
            return image::verify_signature(open, {region, digest, hash, false}, signature);
        case KeyType::x25519:
            break;
    }
    return fail(Errc::key_unusable, "expected a key that can sign, found an X25519 key, which only encrypts");
}

class Checker {
  public:
    Checker(BytesView file, const LoadedKey* key) : file_(file), key_(key) {}

    Result<Check> run() {
        if (file_.size() < 28) return cut_short(0, 28, file_.size());
        const auto* header = file_.data();
        if (load_le32(header) != image::image_magic) return verdict(Verdict::bad_magic);
        version_ = {header[20], header[21], load_le16(header + 22), load_le32(header + 24)};
        std::uint64_t offset = std::uint64_t{load_le16(header + 8)} + load_le32(header + 12);
        TRY(auto info, read_pair(file_, offset));
        if (info.first == image::protected_info_magic) {
            offset += info.second;
            TRY(info, read_pair(file_, offset));
        }
        if (info.first != image::info_magic) return verdict(Verdict::bad_info_magic);
        region_ = file_.first(static_cast<std::size_t>(offset));
        const auto end = offset + info.second;

        TRY(const bool pure, contains(offset + info_bytes, end, image::tlv::signature_pure));
        for (auto at = offset + info_bytes; at < end;) {
            TRY(const auto tlv, read_pair(file_, at));
            // imgtool reads the type as a byte and ignores the one behind it.
            const auto decided =
                step(static_cast<std::uint8_t>(tlv.first), clipped(file_, at + info_bytes, tlv.second), pure);
            if (!decided) return fail(decided.error());
            if (*decided) return **decided;
            at += info_bytes + tlv.second;
        }
        return verdict(Verdict::bad_signature);
    }

  private:
    Check verdict(Verdict what) const { return {what, version_, {}, {}}; }

    Result<bool> contains(std::uint64_t at, std::uint64_t end, std::uint16_t wanted) const {
        while (at < end) {
            TRY(const auto tlv, read_pair(file_, at));
            if ((tlv.first & 0xff) == wanted) return true;
            at += info_bytes + tlv.second;
        }
        return false;
    }

    /// One TLV; a Check when it decides.
    Result<std::optional<Check>> step(std::uint8_t type, BytesView value, bool pure) {
        if (const auto hash = hash_of(type)) {
            if (key_ != nullptr && !fits(*key_, *hash)) return verdict(Verdict::key_mismatch);
            digest_ = image::digest(*hash, region_);
            if (!std::ranges::equal(digest_, value)) return verdict(Verdict::bad_hash);
            if (key_ == nullptr) return Check{Verdict::ok, version_, digest_, {}};
            return std::nullopt;
        }
        if (key_ == nullptr) return std::nullopt;
        const auto key_type = key_->public_key.type();
        if (pure) {
            if (type != image::tlv::ed25519) return std::nullopt;
            if (key_type != KeyType::ed25519)
                return fail(Errc::key_mismatch, fmt::format("expected an Ed25519 key for a pure signature, found {}",
                                                            image::key_type_name(key_type)));
            if (!image::verify_signature(key_->public_key, {region_, digest_, HashType::sha512, true}, value))
                return std::nullopt;
            return Check{Verdict::ok, version_, {}, to_bytes(value)};
        }
        if (key_type != KeyType::x25519 && type != image::signature_tlv(key_type)) return std::nullopt;
        TRY(const bool good, verifies(*key_, region_, digest_, value));
        if (!good) return std::nullopt;
        return Check{Verdict::ok, version_, digest_, {}};
    }

    BytesView file_;
    const LoadedKey* key_;
    image::Version version_;
    BytesView region_;
    Bytes digest_;
};

/// What a bootloader with this key would say against an image that imgtool takes; empty when nothing.
std::string bootloader_objection(BytesView file, const LoadedKey& key) {
    const auto parsed = image::parse(file);
    if (!parsed) return parsed.error().text();
    if (parsed->header.encrypted() || parsed->header.compressed()) return {};
    const bool hardware_keys = parsed->find(image::tlv::public_key) != nullptr;
    const auto judged = image::verify(file, *parsed, std::span(&key.public_key, 1), {.hardware_keys = hardware_keys});
    return judged ? std::string{} : judged.error().text();
}

const char* sentence(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok:
            return "Image was correctly validated";
        case Verdict::bad_magic:
            return "Invalid image magic; is this an MCUboot image?";
        case Verdict::bad_info_magic:
            return "Invalid TLV info magic; is this an MCUboot image?";
        case Verdict::bad_hash:
            return "Image has an invalid hash";
        case Verdict::bad_signature:
            return "No signature found for the given key";
        case Verdict::key_mismatch:
            return "Key type does not match TLV record";
    }
    return "";
}

Result<int> run(const Arguments& arguments, Streams& streams) {
    std::optional<LoadedKey> key;
    if (const auto path = arguments.find("--key"); path && !path->empty()) {
        TRY(key, load_key(*path));
    }
    const auto path = arguments.text("IMGFILE");
    TRY(const auto file, read_image(path, fmt::format("Image file {} not found", printable(path))));
    TRY(const auto check, check_image(file.bytes, key ? &*key : nullptr));
    streams.out = fmt::format("{}\n", sentence(check.verdict));
    if (check.verdict != Verdict::ok) return 1;
    streams.out += fmt::format("Image version: {}\n", check.version.full());
    if (!check.digest.empty()) streams.out += fmt::format("Image digest: {}\n", to_hex(check.digest));
    if (!check.pure_signature.empty())
        streams.out += fmt::format("Image signature over image: {}\n", to_hex(check.pure_signature));
    if (key)
        if (const auto objection = bootloader_objection(file.bytes, *key); !objection.empty())
            streams.err = fmt::format("Warning: a bootloader with this key refuses the image: {}\n", objection);
    return 0;
}

}  // namespace

Result<Check> check_image(BytesView file, const LoadedKey* key) {
    return Checker(file, key).run();
}

Command verify_command() {
    return {
        "verify",
        "Check hash and signature of an image",
        {{{"-k", "--key"}, Kind::text, "key whose signature the image must bear; without one only the hash is checked"},
         {{"IMGFILE"}, Kind::argument, ""}},
        run};
}

}  // namespace fota::cli::imgtool
