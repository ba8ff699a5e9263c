#include "lwm2m/cbor_stream.hpp"

#include <cbor.h>
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <limits>

namespace fota::lwm2m::cbor {
namespace {

using Kind = Token::Kind;

/// Fields that are ignored may hold structures; no known one does.
constexpr int deepest = 8;
constexpr std::uint64_t tag_time = 1;
constexpr std::uint64_t tag_decimal_fraction = 4;
/// Powers of ten outside are no doubles anyway.
constexpr std::int64_t largest_exponent = 400;

Token& token(void* context) {
    return *static_cast<Token*>(context);
}

template <class Number>
void on_unsigned(void* context, Number value) {
    token(context) = {.kind = Kind::unsigned_integer, .number = value};
}
template <class Number>
void on_negative(void* context, Number value) {
    token(context) = {.kind = Kind::negative_integer, .number = value};
}
// libcbor 0.8 gives lengths as size_t, later releases as uint64_t.
template <class Length>
void on_bytes(void* context, cbor_data data, Length length) {
    token(context) = {.kind = Kind::bytes, .string = {data, static_cast<std::size_t>(length)}};
}
template <class Length>
void on_text(void* context, cbor_data data, Length length) {
    token(context) = {.kind = Kind::text, .string = {data, static_cast<std::size_t>(length)}};
}
template <class Length>
void on_array(void* context, Length count) {
    token(context) = {.kind = Kind::array, .number = count};
}
template <class Length>
void on_map(void* context, Length count) {
    token(context) = {.kind = Kind::map, .number = count};
}
template <class Number>
void on_float(void* context, Number value) {
    token(context) = {.kind = Kind::floating, .real = static_cast<double>(value)};
}

const cbor_callbacks& callbacks() {
    static const cbor_callbacks table = [] {
        cbor_callbacks out = cbor_empty_callbacks;
        out.uint8 = on_unsigned;
        out.uint16 = on_unsigned;
        out.uint32 = on_unsigned;
        out.uint64 = on_unsigned;
        out.negint8 = on_negative;
        out.negint16 = on_negative;
        out.negint32 = on_negative;
        out.negint64 = on_negative;
        out.byte_string = on_bytes;
        out.string = on_text;
        out.array_start = on_array;
        out.map_start = on_map;
        out.float2 = on_float;
        out.float4 = on_float;
        out.float8 = on_float;
        out.byte_string_start = [](void* context) { token(context) = {.kind = Kind::chunked}; };
        out.string_start = [](void* context) { token(context) = {.kind = Kind::chunked}; };
        out.indef_array_start = [](void* context) { token(context) = {.kind = Kind::array, .flag = true}; };
        out.indef_map_start = [](void* context) { token(context) = {.kind = Kind::map, .flag = true}; };
        out.tag = [](void* context, std::uint64_t value) { token(context) = {.kind = Kind::tag, .number = value}; };
        out.boolean = [](void* context, bool value) { token(context) = {.kind = Kind::boolean, .flag = value}; };
        out.indef_break = [](void* context) { token(context) = {.kind = Kind::end}; };
        return out;
    }();
    return table;
}

std::string_view kind_name(Kind kind) {
    switch (kind) {
        case Kind::unsigned_integer:
        case Kind::negative_integer:
            return "an integer";
        case Kind::bytes:
            return "bytes";
        case Kind::text:
            return "text";
        case Kind::array:
            return "an array";
        case Kind::map:
            return "a map";
        case Kind::tag:
            return "a tag";
        case Kind::boolean:
            return "a boolean";
        case Kind::floating:
            return "a float";
        case Kind::nothing:
            return "null";
        case Kind::end:
            return "the end of a structure";
        case Kind::chunked:
            return "a string in parts";
    }
    return "?";
}

senml::Scalar integer_of(const Token& token) {
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (token.kind == Kind::unsigned_integer)
        return token.number <= most ? senml::Scalar(static_cast<std::int64_t>(token.number)) : token.number;
    if (token.number <= most) return -1 - static_cast<std::int64_t>(token.number);
    return -1.0 - static_cast<double>(token.number);
}

bool is_integer(const Token& token) {
    return token.kind == Kind::unsigned_integer || token.kind == Kind::negative_integer;
}

double double_of(const senml::Scalar& integer) {
    if (const auto* value = std::get_if<std::int64_t>(&integer)) return static_cast<double>(*value);
    if (const auto* value = std::get_if<std::uint64_t>(&integer)) return static_cast<double>(*value);
    return std::get<double>(integer);
}

/// Appends what one of libcbor's encoders writes; none of those used here needs more than nine bytes.
template <class Encode>
void append_head(Bytes& out, Encode encode) {
    std::array<unsigned char, 9> head;
    const auto size = encode(head.data(), head.size());
    append(out, BytesView(head.data(), size));
}

void append_string(Bytes& out, BytesView bytes, bool text) {
    append_head(out, [&](unsigned char* to, std::size_t room) {
        return text ? cbor_encode_string_start(bytes.size(), to, room)
                    : cbor_encode_bytestring_start(bytes.size(), to, room);
    });
    append(out, bytes);
}

}  // namespace

Failure unexpected(const Token& token, std::string_view expected) {
    return fail(Errc::message_malformed, fmt::format("CBOR: expected {}, found {}", expected, kind_name(token.kind)));
}

Result<Token> Reader::next() {
    Token token;
    const auto result = cbor_stream_decode(rest_.data(), rest_.size(), &callbacks(), &token);
    if (rest_.empty() || result.status != CBOR_DECODER_FINISHED || result.read == 0 || result.read > rest_.size())
        return fail(Errc::message_malformed, result.status == CBOR_DECODER_ERROR
                                                 ? "CBOR: expected an item, found a reserved byte"
                                                 : "CBOR: expected a whole item, found less");
    rest_ = rest_.subspan(result.read);
    if (token.kind == Kind::chunked) return unexpected(token, "strings in one part");
    return token;
}

Result<> Reader::skip(const Token& token, int depth) {
    if (depth > deepest)
        return fail(Errc::message_malformed,
                    fmt::format("CBOR: expected structures of at most {} levels, found more", deepest));
    if (token.kind == Kind::tag) {
        TRY(const auto tagged, next());
        return skip(tagged, depth + 1);
    }
    if (token.kind == Kind::end) return unexpected(token, "an item");
    if (token.kind != Kind::array && token.kind != Kind::map) return {};
    const std::uint64_t per_item = token.kind == Kind::map ? 2 : 1;
    // A claimed count costs nothing: the first item that is not there ends this.
    for (std::uint64_t i = 0; token.flag || i / per_item < token.number; ++i) {
        TRY(const auto item, next());
        if (token.flag && item.kind == Kind::end && i % per_item == 0) return {};
        TRY_VOID(skip(item, depth + 1));
    }
    return {};
}

Result<double> Reader::decimal_fraction() {
    TRY(const auto list, next());
    if (list.kind != Kind::array || list.flag || list.number != 2) return unexpected(list, "exponent and mantissa");
    TRY(const auto exponent, next());
    TRY(const auto mantissa, next());
    if (!is_integer(exponent)) return unexpected(exponent, "an integer as exponent");
    if (!is_integer(mantissa)) return unexpected(mantissa, "an integer as mantissa");
    const auto power = double_of(integer_of(exponent));
    if (std::abs(power) > largest_exponent)
        return fail(Errc::message_malformed, "CBOR: expected an exponent within those of a double, found another");
    const auto digits = double_of(integer_of(mantissa));
    // Divided by a power of ten that is exact, 27315 and -2 are the double nearest to 273.15.
    return power < 0 ? digits / std::pow(10.0, -power) : digits * std::pow(10.0, power);
}

Result<std::optional<senml::Scalar>> Reader::scalar(Token token) {
    if (token.kind == Kind::tag && token.number == tag_time) {
        TRY(token, next());
        if (!is_integer(token) && token.kind != Kind::floating) return unexpected(token, "a number as time");
    }
    switch (token.kind) {
        case Kind::unsigned_integer:
        case Kind::negative_integer:
            return integer_of(token);
        case Kind::floating:
            return token.real;
        case Kind::boolean:
            return token.flag;
        case Kind::text:
            return senml::Scalar(std::string(as_text(token.string)));
        case Kind::bytes:
            return senml::Scalar(to_bytes(token.string));
        case Kind::tag:
            if (token.number == tag_decimal_fraction) {
                TRY(const auto value, decimal_fraction());
                return value;
            }
            break;
        default:
            break;
    }
    TRY_VOID(skip(token, 0));
    return std::optional<senml::Scalar>();
}

void append_integer(Bytes& out, std::int64_t value) {
    append_head(out, [&](unsigned char* to, std::size_t room) {
        return value < 0 ? cbor_encode_negint(static_cast<std::uint64_t>(-(value + 1)), to, room)
                         : cbor_encode_uint(static_cast<std::uint64_t>(value), to, room);
    });
}

void append_array(Bytes& out, std::size_t count) {
    append_head(out, [&](unsigned char* to, std::size_t room) { return cbor_encode_array_start(count, to, room); });
}

void append_map(Bytes& out, std::size_t count) {
    append_head(out, [&](unsigned char* to, std::size_t room) { return cbor_encode_map_start(count, to, room); });
}

void append_text(Bytes& out, std::string_view text) {
    append_string(out, as_bytes(text), true);
}

void append_value(Bytes& out, const Value& value) {
    struct Append {
        Bytes& out;
        void operator()(const Untyped& raw) const { append_string(out, raw.bytes, raw.text); }
        void operator()(const std::string& text) const { append_text(out, text); }
        void operator()(std::int64_t number) const { append_integer(out, number); }
        void operator()(std::uint64_t number) const {
            append_head(out, [&](unsigned char* to, std::size_t room) { return cbor_encode_uint(number, to, room); });
        }
        void operator()(double number) const {
            append_head(out, [&](unsigned char* to, std::size_t room) { return cbor_encode_double(number, to, room); });
        }
        void operator()(bool flag) const {
            append_head(out, [&](unsigned char* to, std::size_t room) { return cbor_encode_bool(flag, to, room); });
        }
        void operator()(const Bytes& bytes) const { append_string(out, bytes, false); }
        void operator()(const ObjectReference& link) const { append_text(out, value_text(link)); }
    };
    std::visit(Append{out}, value);
}

}  // namespace fota::lwm2m::cbor
