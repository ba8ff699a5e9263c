// The reference images under tests/data/mcuboot.
#pragma once

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "image/image.hpp"
#include "image/key.hpp"

namespace fota::image {

inline Bytes load(const std::string& name) {
    std::ifstream stream(std::string(TEST_DATA_DIR) + "/mcuboot/" + name, std::ios::binary);
    if (!stream) throw std::runtime_error("missing test data: " + name);
    return Bytes{std::istreambuf_iterator<char>(stream), {}};
}

inline const nlohmann::json& manifest() {
    static const auto document = nlohmann::json::parse(load("manifest.json"));
    return document;
}

inline const nlohmann::json& vector(const std::string& name) {
    for (const auto& each : manifest().at("images"))
        if (each.at("name") == name) return each;
    throw std::runtime_error("missing vector: " + name);
}

inline PrivateKey private_key(const std::string& file) {
    return PrivateKey::parse(load(file)).value();
}

inline PublicKey public_key(const std::string& file) {
    return PublicKey::parse(load(file)).value();
}

inline bool is_hex(const nlohmann::json& each) {
    return each.at("file").get<std::string>().ends_with(".hex");
}

}  // namespace fota::image
