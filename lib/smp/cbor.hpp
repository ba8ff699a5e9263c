// Bodies of SMP messages: CBOR maps (RFC 8949), definite as we send them, definite or indefinite as servers answer.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fota::smp {

using Json = nlohmann::json;

Bytes to_cbor(const Json& map);
/// A whole body. message_malformed: no CBOR map with text keys, longer lengths than bytes, nested deeper than 16, or
/// bytes behind its end.
Result<Json> from_cbor(BytesView bytes);

/// A byte string as a value.
Json binary(BytesView bytes);

// Optional members, by type: nullopt when the key is absent or holds something else.
std::optional<std::uint64_t> number(const Json& map, const char* key);
std::optional<std::string> text(const Json& map, const char* key);  ///< raw, not yet printable
std::optional<Bytes> bytes(const Json& map, const char* key);
bool flag(const Json& map, const char* key);  ///< false when absent

}  // namespace fota::smp
