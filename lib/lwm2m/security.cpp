#include "lwm2m/security.hpp"

#include <charconv>

#include "coap/link_format.hpp"
#include "lwm2m/path.hpp"
#include "lwm2m/value.hpp"

namespace fota::lwm2m {
namespace {

Bytes integer(std::int64_t value) {
    const int size = value >= -128 && value < 128 ? 1 : value >= -32768 && value < 32768 ? 2 : 4;
    Bytes out;
    for (int shift = (size - 1) * 8; shift >= 0; shift -= 8)
        out.push_back(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> shift));
    return out;
}

}  // namespace

Secret<Bytes> security_tlv(const ServerAccount& account) {
    Bytes out;
    out.reserve(1024);  // the key is not left behind by a reallocation
    append(out, tlv_resource(0, as_bytes(account.uri)));
    append(out, tlv_resource(1, integer(0)));  // not a bootstrap server
    append(out, tlv_resource(2, integer(0)));  // pre-shared key
    append(out, tlv_resource(3, as_bytes(account.identity)));
    append(out, tlv_resource(4, {}));
    const Secret<Bytes> key(tlv_resource(5, account.key.reveal()));
    append(out, key.reveal());
    append(out, tlv_resource(10, integer(account.short_id)));
    return Secret<Bytes>(std::move(out));
}

Bytes server_tlv(const ServerAccount& account) {
    Bytes out;
    append(out, tlv_resource(0, integer(account.short_id)));
    append(out, tlv_resource(1, integer(account.lifetime.count())));
    append(out, tlv_resource(6, integer(0)));  // what cannot be notified is not kept: it would fill a sleeping device
    append(out, tlv_resource(7, as_bytes(account.binding)));
    return out;
}

Result<std::vector<BootstrapInstance>> parse_bootstrap_discover(std::string_view text) {
    // 1.0 clients begin with the bare attribute lwm2m="1.0", which is no link.
    if (text.starts_with("lwm2m=")) {
        const auto comma = text.find(',');
        text = comma == std::string_view::npos ? std::string_view{} : text.substr(comma + 1);
    }
    TRY(const auto links, coap::parse_links(text));
    std::vector<BootstrapInstance> out;
    for (const auto& link : links) {
        const auto path = Path::parse(link.target);
        if (!path || !path->instance || path->resource) continue;
        BootstrapInstance entry{path->object, *path->instance, std::nullopt};
        if (const auto id = link.attributes.find("ssid"); id != link.attributes.end()) {
            std::uint16_t number = 0;
            const auto* end = id->second.data() + id->second.size();
            const auto [stop, error] = std::from_chars(id->second.data(), end, number);
            if (error == std::errc{} && stop == end) entry.short_id = number;
        }
        out.push_back(entry);
    }
    return out;
}

}  // namespace fota::lwm2m
