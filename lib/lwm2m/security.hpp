// The objects a bootstrap server writes: Security (0) and Server (1), in TLV (OMA LwM2M Core 1.1, section 7.4.3 and
// appendices E.1, E.2).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"

namespace fota::lwm2m {

/// One account of a management server with a pre-shared key (security mode 0).
struct ServerAccount {
    std::string uri;  ///< "coaps://host:5684"
    std::string identity;
    Secret<Bytes> key;
    std::uint16_t short_id = 1;  ///< 1..65534
    std::chrono::seconds lifetime{86'400};
    std::string binding = "U";
};

/// The resources of one instance of each object.
Secret<Bytes> security_tlv(const ServerAccount& account);
Bytes server_tlv(const ServerAccount& account);

/// What a device's Bootstrap-Discover answer says of one object instance (OMA LwM2M Core 1.1, section 6.1.7.3).
struct BootstrapInstance {
    std::uint16_t object = 0;
    std::uint16_t instance = 0;
    std::optional<std::uint16_t> short_id;  ///< absent on the bootstrap server's own Security instance
};
/// The instances in a link list; the LwM2M version in front of it is passed over. message_malformed on anything else.
Result<std::vector<BootstrapInstance>> parse_bootstrap_discover(std::string_view links);

}  // namespace fota::lwm2m
