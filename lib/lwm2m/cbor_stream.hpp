// CBOR (RFC 8949) item by item, on libcbor's streaming decoder: no tree, hence nothing is allocated for a length that
// is only claimed.
#pragma once

#include <cstdint>
#include <optional>

#include "lwm2m/senml.hpp"

namespace fota::lwm2m::cbor {

struct Token {
    enum class Kind : std::uint8_t {
        unsigned_integer,
        negative_integer,  ///< -1 - number
        bytes,
        text,
        array,
        map,
        tag,
        boolean,
        floating,
        nothing,  ///< null or undefined
        end,      ///< "break" of an indefinite array or map
        chunked,  ///< a string in parts
    };
    Kind kind = Kind::nothing;
    std::uint64_t number = 0;  ///< integers, tags, and the count of a definite array or map
    double real = 0;
    bool flag = false;  ///< boolean; of an array or map: indefinite
    BytesView string = {};   ///< bytes and text, inside the payload
};

class Reader {
  public:
    explicit Reader(BytesView payload) : rest_(payload) {}

    bool at_end() const noexcept { return rest_.empty(); }
    /// message_malformed when there is no whole item, or a chunked string.
    Result<Token> next();
    /// The value that begins with `token`: integers, floats, decimal fractions (tag 4), strings, booleans; a time tag
    /// (1) is looked through. nullopt for null and for structures, which are passed over.
    Result<std::optional<senml::Scalar>> scalar(Token token);

  private:
    Result<> skip(const Token& token, int depth);
    Result<double> decimal_fraction();

    BytesView rest_;
};

/// "expected <what>, found <what it is>"
Failure unexpected(const Token& token, std::string_view expected);

// Writing, shortest form.
void append_integer(Bytes& out, std::int64_t value);
void append_array(Bytes& out, std::size_t count);
void append_map(Bytes& out, std::size_t count);
void append_text(Bytes& out, std::string_view text);
void append_value(Bytes& out, const Value& value);

}  // namespace fota::lwm2m::cbor
