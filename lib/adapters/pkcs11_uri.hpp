// pkcs11: URIs, as names of keys in hardware. Source: RFC 7512.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fota::adapters {

/// Whether a key is named by a URI instead of a file: it begins with "pkcs11:".
bool is_pkcs11_uri(std::string_view key) noexcept;

/// What a URI asks of the token and of the key on it; an attribute which is not set fits everything.
struct Pkcs11Uri {
    std::optional<std::string> token;  ///< label
    std::optional<std::string> manufacturer;
    std::optional<std::string> model;
    std::optional<std::string> serial;
    std::optional<std::uint64_t> slot_id;
    std::optional<std::string> slot_description;
    std::optional<std::string> slot_manufacturer;
    std::optional<std::string> object;  ///< label of the key
    std::optional<Bytes> id;            ///< CKA_ID of the key
    std::string module_path;            ///< file of the module; empty: the system's (p11-kit)
    std::string pin_source;             ///< file with the PIN, without the "file:" it may have; empty: none

    /// usage: not of RFC 7512, an attribute twice, one which cannot be honoured, a type other than a private or public
    /// key, or a pin-value, which whoever lists the processes could read. No message repeats a value.
    static Result<Pkcs11Uri> parse(std::string_view uri);
};

}  // namespace fota::adapters
