// What a Peer's identity says of a device that came with a certificate instead of a pre-shared key.
//
// A pre-shared key's identity is looked up in the credentials; a certificate names its endpoint itself. The two must
// never be taken for one another, so a certificate's identity begins with a zero byte, which no pre-shared key's
// identity can hold (they reach the server as C strings).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace fota::ports {

inline constexpr std::string_view certificate_mark{"\0certificate ", 13};

inline std::string certificate_identity(std::string_view endpoint) {
    return std::string(certificate_mark) + std::string(endpoint);
}

/// The endpoint that the peer's certificate names; nullopt for the identity of a pre-shared key.
inline std::optional<std::string_view> certificate_endpoint(std::string_view identity) {
    if (!identity.starts_with(certificate_mark)) return std::nullopt;
    return identity.substr(certificate_mark.size());
}

}  // namespace fota::ports
