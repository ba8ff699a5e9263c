// Values of single resources in the formats a device may choose: text, opaque, and TLV (OMA LwM2M TS 1.1,
// section 7.4.3).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "lwm2m/path.hpp"

namespace fota::lwm2m {

/// The raw value of one resource out of a Read answer: text and opaque as they are; TLV unwrapped (the resource alone
/// or inside its object instance). `format` absent counts as text. message_malformed on anything else.
Result<Bytes> resource_value(const Path& path, std::optional<std::uint32_t> format, BytesView payload);

/// An integer as text ("2") or, from TLV, as 1, 2, 4 or 8 bytes big-endian.
Result<std::int64_t> integer_value(const Path& path, std::optional<std::uint32_t> format, BytesView payload);

/// TLV of one resource with the given value bytes (for the device side and tests).
Bytes tlv_resource(std::uint16_t resource, BytesView value);

}  // namespace fota::lwm2m
