// Any bytes as an image: parsed, then judged with and without keys. Neither may crash, hang, or read outside the file.
#include <algorithm>
#include <vector>

#include "image/image.hpp"
#include "image/key.hpp"
#include "image/verify.hpp"

using namespace fota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::vector<image::PublicKey> keys = [] {
        std::vector<image::PublicKey> out;
        for (const auto type : {image::KeyType::ecdsa_p256, image::KeyType::ed25519})
            out.push_back(image::PrivateKey::generate(type).value().public_key());
        return out;
    }();
    const BytesView file(data, size);
    const auto parsed = image::parse(file);
    if (!parsed) return 0;
    std::uint64_t last = 0;
    for (const auto& each : parsed->tlvs) {
        // Values lie in the file, in order, without overlap.
        if (each.offset < last || each.offset + each.length > size) __builtin_trap();
        if (image::value(file, each).size() != each.length) __builtin_trap();
        last = each.offset + each.length;
        (void)image::tlv_name(each.type);
    }
    if (parsed->end < last || parsed->end > size || parsed->hash_region_length > parsed->end) __builtin_trap();
    (void)image::verify(file, *parsed, {});
    (void)image::verify(file, *parsed, keys);
    (void)image::verify(file, *parsed, keys, {.hardware_keys = true});
    return 0;
}
