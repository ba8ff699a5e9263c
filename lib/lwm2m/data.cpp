#include "lwm2m/data.hpp"

#include <fmt/format.h>

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <limits>

#include "base/text.hpp"
#include "lwm2m/base64.hpp"

namespace fota::lwm2m {
namespace {

constexpr std::array<std::string_view, 10> type_names{"none",    "string", "integer", "unsigned-integer", "float",
                                                      "boolean", "opaque", "time",    "object-link",      "core-link"};

/// 2^63 and 2^64 are doubles, the largest integers are not.
constexpr double two_to_63 = 9'223'372'036'854'775'808.0;
constexpr double two_to_64 = 18'446'744'073'709'551'616.0;

template <class Number>
std::optional<Number> number_of(std::string_view text) {
    Number value{};
    const auto end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc{} || stop != end) return std::nullopt;
    return value;
}

std::optional<ObjectReference> reference_of(std::string_view text) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    const auto object = number_of<std::uint16_t>(text.substr(0, colon));
    const auto instance = number_of<std::uint16_t>(text.substr(colon + 1));
    if (!object || !instance) return std::nullopt;
    return ObjectReference{*object, *instance};
}

std::string shown(const Value& value) {
    if (const auto* raw = std::get_if<Untyped>(&value))
        return raw->text ? fmt::format("\"{}\"", printable(as_text(raw->bytes), 40))
                         : fmt::format("{} bytes", raw->bytes.size());
    if (const auto* bytes = std::get_if<Bytes>(&value)) return fmt::format("{} opaque bytes", bytes->size());
    if (const auto* text = std::get_if<std::string>(&value)) return fmt::format("\"{}\"", printable(*text, 40));
    return value_text(value);
}

/// Makes "expected an integer, found ..." of what could not be converted.
Failure other_type(const Value& value, Type type) {
    return fail(Errc::message_malformed,
                fmt::format("expected a value of type {}, found {}", type_name(type), shown(value)));
}

std::uint64_t load_big_endian(BytesView bytes) {
    std::uint64_t value = 0;
    for (const auto byte : bytes) value = value << 8 | byte;
    return value;
}

/// Appendix C of the specification: two's complement in 1, 2, 4 or 8 bytes.
std::optional<std::int64_t> binary_integer(BytesView bytes, bool is_signed) {
    const auto size = bytes.size();
    if (size != 1 && size != 2 && size != 4 && size != 8) return std::nullopt;
    auto bits = load_big_endian(bytes);
    if (is_signed && size < 8 && (bytes[0] & 0x80) != 0) bits |= ~std::uint64_t{0} << (8 * size);
    return static_cast<std::int64_t>(bits);
}

std::optional<double> binary_float(BytesView bytes) {
    if (bytes.size() == 4)
        return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(load_big_endian(bytes))));
    if (bytes.size() == 8) return std::bit_cast<double>(load_big_endian(bytes));
    return std::nullopt;
}

std::optional<Value> to_signed(const Value& value) {
    if (const auto* raw = std::get_if<Untyped>(&value)) {
        const auto number = raw->text ? number_of<std::int64_t>(as_text(raw->bytes)) : binary_integer(raw->bytes, true);
        return number ? std::optional<Value>(*number) : std::nullopt;
    }
    if (const auto* number = std::get_if<std::int64_t>(&value)) return *number;
    if (const auto* number = std::get_if<std::uint64_t>(&value)) {
        if (*number > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
        return static_cast<std::int64_t>(*number);
    }
    const auto* number = std::get_if<double>(&value);
    if (number == nullptr || std::trunc(*number) != *number || *number < -two_to_63 || *number >= two_to_63)
        return std::nullopt;
    return static_cast<std::int64_t>(*number);
}

std::optional<Value> to_unsigned(const Value& value) {
    if (const auto* raw = std::get_if<Untyped>(&value)) {
        if (raw->text) {
            const auto number = number_of<std::uint64_t>(as_text(raw->bytes));
            return number ? std::optional<Value>(*number) : std::nullopt;
        }
        const auto bits = binary_integer(raw->bytes, false);
        return bits ? std::optional<Value>(static_cast<std::uint64_t>(*bits)) : std::nullopt;
    }
    if (const auto* number = std::get_if<std::uint64_t>(&value)) return *number;
    if (const auto* number = std::get_if<std::int64_t>(&value)) {
        if (*number < 0) return std::nullopt;
        return static_cast<std::uint64_t>(*number);
    }
    const auto* number = std::get_if<double>(&value);
    if (number == nullptr || std::trunc(*number) != *number || *number < 0 || *number >= two_to_64) return std::nullopt;
    return static_cast<std::uint64_t>(*number);
}

std::optional<Value> to_float(const Value& value) {
    if (const auto* raw = std::get_if<Untyped>(&value)) {
        const auto number = raw->text ? number_of<double>(as_text(raw->bytes)) : binary_float(raw->bytes);
        return number ? std::optional<Value>(*number) : std::nullopt;
    }
    if (const auto* number = std::get_if<double>(&value)) return *number;
    if (const auto* number = std::get_if<std::int64_t>(&value)) return static_cast<double>(*number);
    if (const auto* number = std::get_if<std::uint64_t>(&value)) return static_cast<double>(*number);
    return std::nullopt;
}

std::optional<Value> to_boolean(const Value& value) {
    if (const auto* flag = std::get_if<bool>(&value)) return *flag;
    if (const auto number = to_signed(value)) {
        const auto bit = std::get<std::int64_t>(*number);
        if (bit == 0 || bit == 1) return bit == 1;
    }
    if (const auto* raw = std::get_if<Untyped>(&value); raw != nullptr && raw->text) {
        if (as_text(raw->bytes) == "true") return true;
        if (as_text(raw->bytes) == "false") return false;
    }
    return std::nullopt;
}

std::optional<Value> to_reference(const Value& value) {
    std::optional<ObjectReference> reference;
    if (const auto* known = std::get_if<ObjectReference>(&value)) {
        reference = *known;
    } else if (const auto* text = std::get_if<std::string>(&value)) {
        reference = reference_of(*text);
    } else if (const auto* raw = std::get_if<Untyped>(&value)) {
        if (raw->text) {
            reference = reference_of(as_text(raw->bytes));
        } else if (raw->bytes.size() == 4) {
            const auto bits = load_big_endian(raw->bytes);
            reference = ObjectReference{static_cast<std::uint16_t>(bits >> 16), static_cast<std::uint16_t>(bits)};
        }
    }
    return reference ? std::optional<Value>(*reference) : std::nullopt;
}

std::optional<Value> to_string_value(const Value& value) {
    if (const auto* raw = std::get_if<Untyped>(&value)) return std::string(as_text(raw->bytes));
    if (const auto* text = std::get_if<std::string>(&value)) return *text;
    return std::nullopt;
}

std::optional<Value> to_opaque(const Value& value) {
    if (const auto* bytes = std::get_if<Bytes>(&value)) return *bytes;
    const auto* raw = std::get_if<Untyped>(&value);
    if (raw == nullptr) return std::nullopt;
    if (!raw->text) return raw->bytes;
    auto bytes = from_base64(as_text(raw->bytes));
    return bytes ? std::optional<Value>(std::move(*bytes)) : std::nullopt;
}

std::optional<Value> converted(const Value& value, Type type) {
    switch (type) {
        case Type::none:
            return value;
        case Type::string:
        case Type::core_link:
            return to_string_value(value);
        case Type::integer:
        case Type::time:
            return to_signed(value);
        case Type::unsigned_integer:
            return to_unsigned(value);
        case Type::floating:
            return to_float(value);
        case Type::boolean:
            return to_boolean(value);
        case Type::opaque:
            return to_opaque(value);
        case Type::object_link:
            return to_reference(value);
    }
    return std::nullopt;
}

}  // namespace

std::string_view type_name(Type type) noexcept {
    return type_names[static_cast<std::size_t>(type)];
}

std::optional<Type> type_of(std::string_view name) noexcept {
    for (std::size_t i = 1; i < type_names.size(); ++i)
        if (type_names[i] == name) return static_cast<Type>(i);
    return std::nullopt;
}

Result<Value> as_type(const Value& value, Type type) {
    auto out = converted(value, type);
    if (!out) return other_type(value, type);
    return std::move(*out);
}

std::string value_text(const Value& value) {
    struct Text {
        std::string operator()(const Untyped& raw) const {
            return raw.text ? std::string(as_text(raw.bytes)) : to_hex(raw.bytes);
        }
        std::string operator()(const std::string& text) const { return text; }
        std::string operator()(std::int64_t number) const { return std::to_string(number); }
        std::string operator()(std::uint64_t number) const { return std::to_string(number); }
        std::string operator()(double number) const { return fmt::format("{}", number); }
        std::string operator()(bool flag) const { return flag ? "true" : "false"; }
        std::string operator()(const Bytes& bytes) const { return to_hex(bytes); }
        std::string operator()(const ObjectReference& link) const {
            return fmt::format("{}:{}", link.object, link.instance);
        }
    };
    return std::visit(Text{}, value);
}

Result<Value> parse_value(std::string_view text, Type type) {
    if (type == Type::none) return Untyped{true, to_bytes(as_bytes(text))};
    if (type == Type::opaque) {
        auto bytes = from_hex(text);
        if (!bytes)
            return fail(Errc::usage,
                        fmt::format("expected an opaque value in hexadecimal, found \"{}\"", printable(text, 40)));
        return Value(std::move(*bytes));
    }
    auto out = converted(Untyped{true, to_bytes(as_bytes(text))}, type);
    if (!out)
        return fail(Errc::usage,
                    fmt::format("expected a value of type {}, found \"{}\"", type_name(type), printable(text, 40)));
    return std::move(*out);
}

}  // namespace fota::lwm2m
