#include "lwm2m/value.hpp"

#include <fmt/format.h>

#include <charconv>

#include "coap/message.hpp"

namespace fota::lwm2m {
namespace {

constexpr std::uint32_t text_format = 0;
constexpr std::uint32_t opaque_format = 42;
constexpr std::uint32_t tlv_format = 11542;
constexpr std::uint32_t old_tlv_format = 1542;  // used before the number was registered; still seen

bool is_tlv(std::optional<std::uint32_t> format) {
    return format == tlv_format || format == old_tlv_format;
}

Failure malformed(const Path& path, std::string what) {
    return fail(Errc::message_malformed, fmt::format("value of {}: {}", path.text(), what));
}

enum class Kind : std::uint8_t { object_instance = 0, resource_instance = 1, multiple_resource = 2, resource = 3 };

struct Tlv {
    Kind kind;
    std::uint16_t id;
    BytesView value;
};

std::uint32_t load_big_endian(BytesView bytes) {
    std::uint32_t value = 0;
    for (const auto byte : bytes) value = value << 8 | byte;
    return value;
}

/// Takes the next entry off `rest`; nullopt when it does not hold a whole one.
std::optional<Tlv> take(BytesView& rest) {
    if (rest.empty()) return std::nullopt;
    const auto type = rest[0];
    const std::size_t id_size = (type & 0x20) != 0 ? 2 : 1;
    const std::size_t length_size = (type >> 3) & 3;
    if (rest.size() < 1 + id_size + length_size) return std::nullopt;
    const auto id = load_big_endian(rest.subspan(1, id_size));
    const std::uint32_t length = length_size == 0 ? type & 7u : load_big_endian(rest.subspan(1 + id_size, length_size));
    const auto value = slice(rest, 1 + id_size + length_size, length);
    if (!value) return std::nullopt;
    rest = rest.subspan(1 + id_size + length_size + length);
    return Tlv{static_cast<Kind>(type >> 6), static_cast<std::uint16_t>(id), *value};
}

Result<BytesView> find(const Path& path, BytesView payload, bool inside_instance) {
    while (!payload.empty()) {
        const auto entry = take(payload);
        if (!entry) return malformed(path, "expected a whole TLV entry, found less");
        if (entry->kind == Kind::resource && entry->id == path.resource) return entry->value;
        if (entry->kind == Kind::multiple_resource && entry->id == path.resource) {
            auto rest = entry->value;
            const auto only = take(rest);
            if (!only || only->kind != Kind::resource_instance || !rest.empty())
                return malformed(path, "expected one value, found a resource with none or several");
            return only->value;
        }
        if (entry->kind == Kind::object_instance && entry->id == path.instance && !inside_instance)
            return find(path, entry->value, true);
    }
    return malformed(path, "expected its resource in the TLV, found others");
}

}  // namespace

Result<Bytes> resource_value(const Path& path, std::optional<std::uint32_t> format, BytesView payload) {
    if (is_tlv(format)) {
        TRY(const auto value, find(path, payload, false));
        return to_bytes(value);
    }
    if (!format || *format == text_format || *format == opaque_format) return to_bytes(payload);
    return malformed(path,
                     fmt::format("expected Content-Format 0 (text), 42 (opaque) or 11542 (TLV), found {}", *format));
}

Result<std::int64_t> integer_value(const Path& path, std::optional<std::uint32_t> format, BytesView payload) {
    TRY(const auto value, resource_value(path, format, payload));
    if (is_tlv(format)) {
        const auto size = value.size();
        if (size != 1 && size != 2 && size != 4 && size != 8)
            return malformed(path, fmt::format("expected an integer of 1, 2, 4 or 8 bytes, found {} bytes", size));
        std::uint64_t bits = (value[0] & 0x80) != 0 ? ~std::uint64_t{0} : 0;
        for (const auto byte : value) bits = bits << 8 | byte;
        return static_cast<std::int64_t>(bits);
    }
    const auto text = as_text(value);
    std::int64_t number = 0;
    const auto end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, number);
    if (error != std::errc{} || stop != end)
        return malformed(path, fmt::format("expected a decimal integer, found {} bytes that are none", value.size()));
    return number;
}

Bytes tlv_resource(std::uint16_t resource, BytesView value) {
    Bytes out;
    const std::size_t length_size = value.size() < 8 ? 0 : value.size() <= 0xff ? 1 : value.size() <= 0xffff ? 2 : 3;
    const bool wide_id = resource > 0xff;
    out.push_back(static_cast<std::uint8_t>(0xc0 | (wide_id ? 0x20 : 0) | (length_size << 3) |
                                            (length_size == 0 ? value.size() : 0)));
    if (wide_id) out.push_back(static_cast<std::uint8_t>(resource >> 8));
    out.push_back(static_cast<std::uint8_t>(resource & 0xff));
    for (auto i = length_size; i-- > 0;) out.push_back(static_cast<std::uint8_t>(value.size() >> (8 * i)));
    append(out, value);
    return out;
}

}  // namespace fota::lwm2m
