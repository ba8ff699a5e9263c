// Register and Update requests (OMA LwM2M Transport 1.1, section 6.4.3), as pure parsing of a CoAP message.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "coap/message.hpp"
#include "lwm2m/path.hpp"

namespace fota::lwm2m {

struct ObjectLink {
    std::uint16_t object = 0;
    std::optional<std::uint16_t> instance;  ///< absent: the object is listed without instances
    std::string version;                    ///< "1.1" from ver=; "" means 1.0
};

/// What a device says of itself. All strings are foreign: escape before printing.
struct RegistrationParameters {
    std::string endpoint;                   ///< ep=, 1 to 256 bytes
    std::string lwm2m_version = "1.0";      ///< lwm2m=
    std::chrono::seconds lifetime{86'400};  ///< lt=; 0 = for ever
    std::string binding = "U";              ///< b=
    bool queue_mode = false;                ///< Q, or a binding with Q (1.0)
    std::string root = "/";                 ///< alternate path (rt="oma.lwm2m"), with a final slash
    std::vector<ObjectLink> objects;
    std::vector<std::uint32_t> formats;        ///< Content-Formats it takes for all objects, from ct= of its root link
    std::map<std::string, std::string> extra;  ///< unknown query attributes, kept

    bool has_object(std::uint16_t object) const;
    /// Whether the object is listed with this version or a later one; without ver= it is 1.0.
    bool has_version(std::uint16_t object, unsigned major, unsigned minor) const;
};

/// Changes carried by an Update; absent means unchanged.
struct RegistrationUpdate {
    std::optional<std::chrono::seconds> lifetime;
    std::optional<std::string> binding;
    std::optional<bool> queue_mode;
    std::optional<std::vector<ObjectLink>> objects;
    std::optional<std::string> root;
    std::optional<std::vector<std::uint32_t>> formats;
};

/// `body` is the payload, reassembled when it came in blocks. From 1.1 on a client may leave out ep= where its
/// credentials name it (LwM2M Core 1.1 section 6.2.1): `identified` is what they name, empty in clear.
/// message_malformed: bad or missing ep, bad lt, bad links, an LwM2M version other than 1.0, 1.1 or 1.2 (then detail
/// "precondition" is set: the answer is 4.12).
Result<RegistrationParameters> parse_register(const coap::Message& request, BytesView body,
                                              std::string_view identified = {});
Result<RegistrationUpdate> parse_update(const coap::Message& request, BytesView body);

}  // namespace fota::lwm2m
