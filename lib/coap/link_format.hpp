// CoRE link format (RFC 6690), as far as LwM2M registrations use it: bounded, tolerant of white space.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fota::coap {

struct Link {
    std::string target;                             ///< between < and >, not unescaped
    std::map<std::string, std::string> attributes;  ///< quotes removed; a bare attribute has an empty value
};

struct LinkLimits {
    std::size_t links = 256;
    std::size_t attributes_per_link = 16;
};

/// message_malformed names the offset of the first character that does not fit. Empty text is an empty list.
Result<std::vector<Link>> parse_links(std::string_view text, LinkLimits limits = {});

}  // namespace fota::coap
