// OMA TLV, as a device answers a Read of an object, an instance, a resource and a resource instance.
#include <cstdint>
#include <cstdlib>

#include "lwm2m/formats.hpp"

using namespace fota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView input(data, size);
    for (const auto* text : {"/5", "/5/0", "/5/0/8", "/5/0/8/0"}) {
        const auto path = lwm2m::Path::parse(text);
        if (!path) std::abort();
        const auto entries = lwm2m::decode_tlv(*path, input);
        if (entries && entries->size() > lwm2m::most_entries) std::abort();
    }
    return 0;
}
