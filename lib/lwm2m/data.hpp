// Values of resources, their types (OMA LwM2M Core 1.1, appendix C), and how a type is put on what a format left open.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "lwm2m/path.hpp"

namespace fota::lwm2m {

enum class Type : std::uint8_t {
    none,  ///< executable, or unknown to the registry
    string,
    integer,
    unsigned_integer,
    floating,
    boolean,
    opaque,
    time,  ///< seconds since 1970-01-01 UTC
    object_link,
    core_link,  ///< a list in link format
};
/// "string", "unsigned-integer", ...
std::string_view type_name(Type type) noexcept;
/// nullopt unless `name` is one of those; "none" is none.
std::optional<Type> type_of(std::string_view name) noexcept;

/// What an object link points at; 65535 for both means nowhere.
struct ObjectReference {
    std::uint16_t object = 0;
    std::uint16_t instance = 0;
    friend bool operator==(const ObjectReference&, const ObjectReference&) = default;
};

/// A value whose format says nothing of its type: characters in text, big-endian bytes in TLV.
struct Untyped {
    bool text = false;
    Bytes bytes;
    friend bool operator==(const Untyped&, const Untyped&) = default;
};

using Value = std::variant<Untyped, std::string, std::int64_t, std::uint64_t, double, bool, Bytes, ObjectReference>;

/// One value of a payload. The path goes down to the resource, or to the instance of a multiple resource.
struct Entry {
    Path path;
    Value value;
    std::optional<double> time = {};  ///< SenML: seconds since 1970 when 2^28 or more, else relative to now
    friend bool operator==(const Entry&, const Entry&) = default;
};

/// The value as one of the given type; Type::none leaves it as it is. message_malformed names what was found.
Result<Value> as_type(const Value& value, Type type);
/// For a person: numbers in decimal, opaque bytes in hexadecimal, a link as "3:0". Foreign strings are not escaped.
std::string value_text(const Value& value);
/// What a person typed: opaque in hexadecimal, booleans as true, false, 1 or 0, links as "3:0". Type::none is taken as
/// text. Errc::usage names expected and found.
Result<Value> parse_value(std::string_view text, Type type);

}  // namespace fota::lwm2m
