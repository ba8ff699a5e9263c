// application/link-format, 40: the answer to a Discover (OMA LwM2M Core 1.1, section 6.3.2; RFC 6690).
#include <fmt/format.h>

#include "lwm2m/formats.hpp"

namespace fota::lwm2m {

Result<std::vector<Discovered>> decode_links(const std::string& root, BytesView payload) {
    if (payload.size() > longest_payload)
        return fail(Errc::message_malformed,
                    fmt::format("link list: expected at most {} bytes, found {}", longest_payload, payload.size()));
    TRY(auto links, coap::parse_links(as_text(payload), {.links = most_entries}));
    std::vector<Discovered> out;
    for (auto& link : links) {
        if (!link.target.starts_with(root)) continue;
        const auto path = Path::parse(std::string_view(link.target).substr(root.size() - 1));
        if (path) out.push_back({*path, std::move(link.attributes)});
    }
    return out;
}

}  // namespace fota::lwm2m
