#include "lwm2m/path.hpp"

#include <fmt/format.h>

#include <charconv>

namespace fota::lwm2m {

std::string Path::text() const {
    std::string out = fmt::format("/{}", object);
    if (instance) out += fmt::format("/{}", *instance);
    if (instance && resource) out += fmt::format("/{}", *resource);
    if (instance && resource && resource_instance) out += fmt::format("/{}", *resource_instance);
    return out;
}

std::optional<Path> Path::parse(std::string_view text) {
    std::uint16_t ids[4] = {};
    std::size_t count = 0;
    while (!text.empty()) {
        if (text.front() != '/' || count == 4) return std::nullopt;
        text.remove_prefix(1);
        const auto segment = text.substr(0, text.find('/'));
        const auto end = segment.data() + segment.size();
        const auto [stop, error] = std::from_chars(segment.data(), end, ids[count]);
        if (error != std::errc{} || stop != end || ids[count] == 65535) return std::nullopt;
        ++count;
        text.remove_prefix(segment.size());
    }
    if (count == 0) return std::nullopt;
    Path path{ids[0], std::nullopt, std::nullopt};
    if (count > 1) path.instance = ids[1];
    if (count > 2) path.resource = ids[2];
    if (count > 3) path.resource_instance = ids[3];
    return path;
}

bool Path::covers(const Path& other) const {
    return object == other.object && (!instance || instance == other.instance) &&
           (!resource || resource == other.resource) &&
           (!resource_instance || resource_instance == other.resource_instance);
}

}  // namespace fota::lwm2m
