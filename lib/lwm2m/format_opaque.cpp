// application/octet-stream, 42: the bytes of one opaque resource (OMA LwM2M Core 1.1, section 7.4.2).
#include "lwm2m/formats.hpp"

namespace fota::lwm2m {

Result<std::vector<Entry>> decode_opaque(const Path& path, BytesView payload) {
    if (!path.resource)
        return fail(Errc::message_malformed, "expected opaque bytes for a single resource only, found them for more");
    return std::vector<Entry>{{path, to_bytes(payload)}};
}

Result<Bytes> encode_opaque(const Value& value) {
    if (const auto* bytes = std::get_if<Bytes>(&value)) return *bytes;
    // A device that takes 42 for a string takes its characters.
    if (const auto* text = std::get_if<std::string>(&value)) return to_bytes(as_bytes(*text));
    return fail(Errc::usage, "expected an opaque value or a string for Content-Format 42, found another type");
}

}  // namespace fota::lwm2m
