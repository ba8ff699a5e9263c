// CoRE link format (RFC 6690), as a device answers a Discover, below the default root and below another one.
#include <cstdint>
#include <cstdlib>

#include "lwm2m/formats.hpp"

using namespace fota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView input(data, size);
    for (const auto* root : {"/", "/lwm2m/"}) {
        const auto links = lwm2m::decode_links(root, input);
        if (!links) continue;
        // Whatever path comes out is one that our own parser takes.
        for (const auto& link : *links)
            if (!lwm2m::Path::parse(link.path.text())) std::abort();
    }
    return 0;
}
