// Vendor and class identifiers of an image (TLVs UUID_VID and UUID_CID): RFC 4122 UUIDs, given or derived from a name.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/result.hpp"

namespace fota::image {

using Uuid = std::array<std::uint8_t, 16>;

/// The name-based UUID (version 5, SHA-1; RFC 4122, section 4.3).
Uuid uuid5(const Uuid& name_space, std::string_view name);

/// 32 hexadecimal digits, with or without the usual four hyphens; else a domain name, in the DNS name space. usage: an
/// empty or unprintable one.
Result<Uuid> vendor_uuid(std::string_view text);
/// The same for a class, whose name lies in the vendor's name space. usage: a name without a vendor (nullptr).
Result<Uuid> class_uuid(std::string_view text, const Uuid* vendor);

}  // namespace fota::image
