#include "lwm2m/registration.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "base/text.hpp"
#include "coap/link_format.hpp"

namespace fota::lwm2m {
namespace {

constexpr std::size_t longest_endpoint = 256;
constexpr std::size_t longest_query = 512;
constexpr std::size_t most_queries = 32;
constexpr std::size_t most_formats = 16;

Failure malformed(std::string what) {
    return fail(Errc::message_malformed, "registration: " + std::move(what));
}

struct Query {
    std::string name;
    std::optional<std::string> value;  ///< absent: there was no '='
};

Result<std::vector<Query>> queries_of(const coap::Message& request) {
    auto texts = request.texts(coap::OptionNumber::uri_query);
    if (texts.size() > most_queries)
        return malformed(fmt::format("expected at most {} query attributes, found {}", most_queries, texts.size()));
    std::vector<Query> out;
    for (auto& text : texts) {
        if (text.size() > longest_query)
            return malformed(
                fmt::format("expected query attributes of at most {} bytes, found {}", longest_query, text.size()));
        const auto equals = text.find('=');
        if (equals == std::string::npos) {
            out.push_back({std::move(text), std::nullopt});
        } else {
            out.push_back({text.substr(0, equals), text.substr(equals + 1)});
        }
    }
    return out;
}

Result<std::chrono::seconds> lifetime_of(std::string_view text) {
    std::uint32_t seconds = 0;
    const auto end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, seconds);
    if (error != std::errc{} || stop != end)
        return malformed(fmt::format("expected lt= in seconds, at most 4294967295, found \"{}\"", printable(text, 32)));
    return std::chrono::seconds(seconds);
}

bool is_root(const coap::Link& link) {
    const auto type = link.attributes.find("rt");
    if (type == link.attributes.end()) return false;
    // Relation types are a list separated by spaces (RFC 6690 section 3.1).
    std::string_view rest = type->second;
    while (!rest.empty()) {
        const auto word = rest.substr(0, rest.find(' '));
        if (word == "oma.lwm2m") return true;
        rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    }
    return false;
}

/// "60 110 112" of a link's ct=; what is no number is passed over.
std::vector<std::uint32_t> formats_of(const coap::Link& link) {
    std::vector<std::uint32_t> out;
    const auto types = link.attributes.find("ct");
    if (types == link.attributes.end()) return out;
    std::string_view rest = types->second;
    while (!rest.empty() && out.size() < most_formats) {
        const auto word = rest.substr(0, rest.find(' '));
        std::uint32_t number = 0;
        const auto end = word.data() + word.size();
        const auto [stop, error] = std::from_chars(word.data(), end, number);
        if (error == std::errc{} && stop == end) out.push_back(number);
        rest.remove_prefix(std::min(rest.size(), word.size() + 1));
    }
    return out;
}

struct Objects {
    std::string root = "/";
    std::vector<std::uint32_t> formats;
    std::vector<ObjectLink> links;
};

Result<Objects> objects_of(BytesView body) {
    TRY(const auto links, coap::parse_links(as_text(body)));
    Objects out;
    auto root = std::find_if(links.begin(), links.end(), is_root);
    // Without rt= where it is the default one: </>;ct=112.
    if (root == links.end())
        root = std::find_if(links.begin(), links.end(), [](const coap::Link& link) { return link.target == "/"; });
    if (root != links.end()) {
        if (!root->target.starts_with('/'))
            return malformed(
                fmt::format("expected a root path with a leading '/', found \"{}\"", printable(root->target, 64)));
        out.root = root->target;
        if (!out.root.ends_with('/')) out.root += '/';
        out.formats = formats_of(*root);
    }
    for (const auto& link : links) {
        if (!link.target.starts_with(out.root)) continue;
        // Links that are no object or object instance (a root, a resource of the vendor) say nothing to us.
        const auto path = Path::parse(std::string_view(link.target).substr(out.root.size() - 1));
        if (!path || path->resource) continue;
        const auto version = link.attributes.find("ver");
        out.links.push_back({path->object, path->instance, version == link.attributes.end() ? "" : version->second});
    }
    return out;
}

}  // namespace

bool RegistrationParameters::has_object(std::uint16_t object) const {
    return std::any_of(objects.begin(), objects.end(), [&](const ObjectLink& link) { return link.object == object; });
}

bool RegistrationParameters::has_version(std::uint16_t object, unsigned major, unsigned minor) const {
    return std::ranges::any_of(objects, [&](const ObjectLink& link) {
        if (link.object != object) return false;
        const std::string_view text = link.version.empty() ? std::string_view("1.0") : link.version;
        std::pair<unsigned, unsigned> found{0, 0};
        const auto end = text.data() + text.size();
        const auto dot = std::from_chars(text.data(), end, found.first);
        if (dot.ec != std::errc{} || dot.ptr == end || *dot.ptr != '.') return false;
        if (std::from_chars(dot.ptr + 1, end, found.second).ec != std::errc{}) return false;
        return found >= std::pair{major, minor};
    });
}

Result<RegistrationParameters> parse_register(const coap::Message& request, BytesView body,
                                              std::string_view identified) {
    TRY(auto queries, queries_of(request));
    RegistrationParameters out;
    bool has_q = false;
    bool has_ep = false;
    for (auto& [name, value] : queries) {
        if (name == "ep" && value) {
            out.endpoint = std::move(*value);
            has_ep = true;
        } else if (name == "lt" && value) {
            TRY(out.lifetime, lifetime_of(*value));
        } else if (name == "lwm2m" && value) {
            out.lwm2m_version = std::move(*value);
        } else if (name == "b" && value) {
            out.binding = std::move(*value);
        } else if (name == "Q" && !value) {
            has_q = true;
        } else {
            out.extra.insert_or_assign(std::move(name), value.value_or(""));
        }
    }
    if (!has_ep && out.lwm2m_version != "1.0") out.endpoint = identified;
    if (out.endpoint.empty() || out.endpoint.size() > longest_endpoint)
        return malformed(fmt::format("expected ep= of 1 to {} bytes, found {}", longest_endpoint, out.endpoint.size()));
    if (out.lwm2m_version != "1.0" && out.lwm2m_version != "1.1" && out.lwm2m_version != "1.2")
        return fail(Error(Errc::message_malformed,
                          fmt::format("registration: expected LwM2M version 1.0, 1.1 or 1.2, found \"{}\"",
                                      printable(out.lwm2m_version, 32)))
                        .with("precondition", out.lwm2m_version));
    out.queue_mode = has_q || out.binding.contains('Q');
    TRY(auto objects, objects_of(body));
    out.root = std::move(objects.root);
    out.objects = std::move(objects.links);
    out.formats = std::move(objects.formats);
    return out;
}

Result<RegistrationUpdate> parse_update(const coap::Message& request, BytesView body) {
    TRY(auto queries, queries_of(request));
    RegistrationUpdate out;
    for (auto& [name, value] : queries) {
        if (name == "lt" && value) {
            TRY(out.lifetime, lifetime_of(*value));
        } else if (name == "b" && value) {
            // From 1.1 on, a binding without Q says nothing of queue mode; the caller knows the version.
            if (value->contains('Q')) out.queue_mode = true;
            out.binding = std::move(*value);
        } else if (name == "Q" && !value) {
            out.queue_mode = true;
        }
    }
    if (!body.empty()) {
        TRY(auto objects, objects_of(body));
        out.root = std::move(objects.root);
        out.objects = std::move(objects.links);
        out.formats = std::move(objects.formats);
    }
    return out;
}

}  // namespace fota::lwm2m
