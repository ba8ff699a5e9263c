// SenML CBOR (RFC 8428), as a device answers a Read or tells in a notification.
#include <cstdint>
#include <cstdlib>

#include "lwm2m/formats.hpp"

using namespace fota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto entries = lwm2m::decode_senml_cbor({data, size});
    if (!entries) return 0;
    if (entries->size() > lwm2m::most_entries) std::abort();
    // What we write for a value is what our own decoder reads.
    for (const auto& entry : *entries) {
        const auto written = lwm2m::encode_senml_cbor(entry.path, std::span(&entry, 1));
        if (written && !lwm2m::decode_senml_cbor(*written)) std::abort();
    }
    return 0;
}
