// Signed images for tests: pseudo-random payloads, one key per process.
#pragma once

#include <random>
#include <string>

#include "image/builder.hpp"
#include "image/key.hpp"
#include "image/signer.hpp"

namespace fota::test {

inline image::KeySigner& test_signer() {
    static image::KeySigner signer(image::PrivateKey::generate(image::KeyType::ecdsa_p256).value());
    return signer;
}

inline Bytes payload(std::size_t size, unsigned seed) {
    std::mt19937 random(seed);
    Bytes out(size);
    for (auto& byte : out) byte = static_cast<std::uint8_t>(random());
    return out;
}

inline Bytes signed_image(const std::string& version, std::size_t size, unsigned seed = 1) {
    image::SignOptions options;
    options.version = image::Version::parse(version).value();
    options.pad_header = true;
    return image::sign(payload(size, seed), options, &test_signer()).value();
}

}  // namespace fota::test
