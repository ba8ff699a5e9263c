// Any bytes as the TLV areas of an image whose header, hash and signature are good as far as they can be: what stands
// in the areas alone decides, and the verdict is that of the model of the bootloader's walk.
//
// Input: the size of the protected area (2 bytes), then what follows the payload. The values of the first SHA256,
// KEYHASH and ECDSA TLVs in the unprotected area are replaced by the right ones, where they have room for them.
#include <algorithm>

#include "image/decompressed.hpp"
#include "image/signer.hpp"
#include "image/verify.hpp"
#include "unit/image/bootutil_model.hpp"

using namespace fota;

namespace {

constexpr std::uint16_t header_size = 32;
constexpr std::uint32_t payload_size = 16;

/// Header and payload.
Bytes head(std::uint16_t protected_size) {
    image::Header header;
    header.header_size = header_size;
    header.protected_tlv_size = protected_size;
    header.image_size = payload_size;
    auto out = image::encode_header(header);
    out.resize(header_size + payload_size, 0x5a);
    return out;
}

void fill(Bytes& file, const image::Parsed& parsed, std::uint16_t type, BytesView bytes) {
    const auto found = std::ranges::find_if(
        parsed.tlvs, [&](const auto& each) { return each.type == type && each.offset >= parsed.hash_region_length; });
    if (found == parsed.tlvs.end() || found->length < bytes.size()) return;
    std::ranges::copy(bytes, file.begin() + static_cast<std::ptrdiff_t>(found->offset));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto key = image::PrivateKey::generate(image::KeyType::ecdsa_p256).value();
    static const auto half = key.public_key();
    if (size < 2) return 0;
    auto file = head(load_le16(data));
    append(file, BytesView(data + 2, size - 2));
    auto parsed = image::parse(file);
    if (parsed) {
        const auto region = BytesView(file).first(static_cast<std::size_t>(parsed->hash_region_length));
        const auto hash = image::digest(image::HashType::sha256, region);
        fill(file, *parsed, image::tlv::sha256, hash);
        fill(file, *parsed, image::tlv::key_hash, half.hash(image::HashType::sha256));
        // A signature costs more than all else here: only where it can decide.
        if (parsed->key_hash(file).size() <= hash.size() && parsed->signature() != nullptr) {
            const auto signature =
                image::KeySigner(key, true).sign({region, hash, image::HashType::sha256, false}).value();
            fill(file, *parsed, image::tlv::ecdsa, signature);
        }
        std::uint64_t last = 0;
        for (const auto& each : parsed->tlvs) {
            // Values lie in the file, in order, without overlap.
            if (each.offset < last || each.offset + each.length > parsed->end) __builtin_trap();
            last = each.offset + each.length;
        }
        if (parsed->end > file.size()) __builtin_trap();
        (void)image::decompressed_region(file, *parsed);
        (void)image::verify(file, *parsed, {});
    }
    const bool boots = image::model::Bootutil(file, half).boots();
    const bool taken = parsed && image::verify(file, *parsed, std::span(&half, 1)).has_value();
    if (boots != taken) __builtin_trap();
    return 0;
}
