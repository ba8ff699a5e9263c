// What LwM2M operations are answered with, and the formats of their values (OMA LwM2M Transport 1.1, sections 6.4
// and 6.5). On this transport they are CoAP's; whoever only operates devices sees them under these names.
#pragma once

#include <string>

#include "coap/message.hpp"

namespace fota::lwm2m {

using Status = coap::Code;
using Format = coap::Format;

inline bool succeeded(Status status) noexcept {
    return coap::is_success(status);
}
/// "4.05"
inline std::string status_text(Status status) {
    return coap::code_text(status);
}

}  // namespace fota::lwm2m
