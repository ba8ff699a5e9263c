#include "lwm2m/value.hpp"

#include <fmt/format.h>

#include "lwm2m/formats.hpp"

namespace fota::lwm2m {
namespace {

Result<Value> single_value(const Path& path, std::optional<std::uint32_t> format, BytesView payload) {
    TRY(auto entries, decode(path, format, payload));
    if (entries.size() != 1)
        return fail(Errc::message_malformed,
                    fmt::format("value of {}: expected one value, found {}", path.text(), entries.size()));
    return std::move(entries.front().value);
}

}  // namespace

Result<Bytes> resource_value(const Path& path, std::optional<std::uint32_t> format, BytesView payload) {
    TRY(auto value, single_value(path, format, payload));
    if (auto* raw = std::get_if<Untyped>(&value)) return std::move(raw->bytes);
    if (auto* bytes = std::get_if<Bytes>(&value)) return std::move(*bytes);
    return to_bytes(as_bytes(value_text(value)));
}

Result<std::int64_t> integer_value(const Path& path, std::optional<std::uint32_t> format, BytesView payload) {
    TRY(const auto value, single_value(path, format, payload));
    TRY(const auto integer, in_context(as_type(value, Type::integer), fmt::format("value of {}", path.text())));
    return std::get<std::int64_t>(integer);
}

Bytes tlv_resource(std::uint16_t resource, BytesView value) {
    const Entry entry{{0, std::uint16_t{0}, resource}, Untyped{false, to_bytes(value)}};
    auto tlv = encode_tlv(Path{0, std::uint16_t{0}, std::nullopt}, {&entry, 1});
    return tlv ? std::move(*tlv) : Bytes{};
}

}  // namespace fota::lwm2m
