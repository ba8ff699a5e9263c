// What a device may send of itself: Register and Update with their link lists, and values in text, opaque and TLV.
#include <cstdint>

#include "lwm2m/firmware.hpp"
#include "lwm2m/registration.hpp"
#include "lwm2m/value.hpp"

using namespace fota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView input(data, size);
    if (const auto message = coap::decode(input)) {
        (void)lwm2m::parse_register(*message, message->payload);
        (void)lwm2m::parse_update(*message, message->payload);
    }
    auto request = coap::make_request(coap::Code::post, "/rd");
    request.add(coap::OptionNumber::uri_query, "ep=fuzz");
    if (const auto parameters = lwm2m::parse_register(request, input)) (void)parameters->has_object(5);
    for (const auto format : {coap::Format::text, coap::Format::opaque, coap::Format::tlv}) {
        (void)lwm2m::resource_value(lwm2m::firmware::state, static_cast<std::uint32_t>(format), input);
        (void)lwm2m::integer_value(lwm2m::firmware::state, static_cast<std::uint32_t>(format), input);
    }
    (void)lwm2m::Path::parse(as_text(input));
    return 0;
}
