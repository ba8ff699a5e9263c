// application/cbor, 60: one value of one resource as one CBOR item (OMA LwM2M Core 1.1, section 7.4.5).
#include "lwm2m/cbor_stream.hpp"
#include "lwm2m/formats.hpp"

namespace fota::lwm2m {

Result<std::vector<Entry>> decode_cbor(const Path& path, BytesView payload) {
    if (!path.resource)
        return fail(Errc::message_malformed, "expected CBOR for a single resource only, found it for more");
    cbor::Reader reader(payload);
    TRY(const auto token, reader.next());
    TRY(auto scalar, reader.scalar(token));
    if (!scalar) return cbor::unexpected(token, "a value");
    if (!reader.at_end()) return fail(Errc::message_malformed, "CBOR: expected one item, found more behind it");
    auto value = std::visit([](auto&& each) { return Value(std::move(each)); }, std::move(*scalar));
    return std::vector<Entry>{{path, std::move(value)}};
}

Result<Bytes> encode_cbor(const Value& value) {
    Bytes out;
    cbor::append_value(out, value);
    return out;
}

}  // namespace fota::lwm2m
