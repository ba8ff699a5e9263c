// Values of single resources, in whichever format the device chose (formats.hpp).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "lwm2m/path.hpp"

namespace fota::lwm2m {

/// The value of one resource out of a Read answer: text and opaque bytes as they are, TLV unwrapped (the resource alone
/// or inside its object instance), numbers of the typed formats in decimal. `format` absent counts as text.
/// message_malformed on anything else, and on a resource with several instances.
Result<Bytes> resource_value(const Path& path, std::optional<std::uint32_t> format, BytesView payload);

/// An integer: text in decimal, TLV as 1, 2, 4 or 8 bytes big-endian, numbers of the typed formats.
Result<std::int64_t> integer_value(const Path& path, std::optional<std::uint32_t> format, BytesView payload);

/// TLV of one resource with the given value bytes (for the device side and tests).
Bytes tlv_resource(std::uint16_t resource, BytesView value);

}  // namespace fota::lwm2m
