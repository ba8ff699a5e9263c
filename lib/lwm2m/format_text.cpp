// text/plain, 0: one value in characters (OMA LwM2M Core 1.1, section 7.4.1).
#include <fmt/format.h>

#include "lwm2m/base64.hpp"
#include "lwm2m/formats.hpp"

namespace fota::lwm2m {

Result<std::vector<Entry>> decode_text(const Path& path, BytesView payload) {
    if (!path.resource)
        return fail(Errc::message_malformed, "expected text for a single resource only, found it for more");
    return std::vector<Entry>{{path, Untyped{true, to_bytes(payload)}}};
}

Result<Bytes> encode_text(const Value& value) {
    if (const auto* bytes = std::get_if<Bytes>(&value))
        return to_bytes(as_bytes(to_base64(*bytes, Alphabet::standard)));
    if (const auto* flag = std::get_if<bool>(&value)) return Bytes{static_cast<std::uint8_t>(*flag ? '1' : '0')};
    return to_bytes(as_bytes(value_text(value)));
}

}  // namespace fota::lwm2m
