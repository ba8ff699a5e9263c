// A small signed image and keys for the tests of releases.
#pragma once

#include <gtest/gtest.h>

#include "image/signer.hpp"
#include "release/manifest.hpp"

namespace fota::release::testing {

inline image::KeySigner signer(image::KeyType type) {
    auto key = image::PrivateKey::generate(type);
    if (!key) throw std::runtime_error(key.error().text());
    return image::KeySigner(std::move(*key));
}

inline Manifest manifest() {
    Manifest out;
    out.file = "app-2.0.0.bin";
    out.size = 371'234;
    out.sha256 = fota::sha256(as_bytes("file"));
    out.image_hash = to_bytes(fota::sha256(as_bytes("image")));
    out.version = {2, 0, 0, 7};
    out.key_hash = to_bytes(fota::sha256(as_bytes("key")));
    out.board = "nrf9160dk";
    out.soc = "nrf9160";
    out.layout = fota::sha256(as_bytes("layout"));
    out.replaces = {image::Version{1, 0, 0, 0}, image::Version{1, 9, 9, 0}};
    out.expires = *parse_timestamp("2027-01-31T12:00:00Z");
    out.notes = "Schlüssel gewechselt\n\"quoted\"";
    return out;
}

}  // namespace fota::release::testing
