// /object/instance/resource/resource-instance paths (OMA LwM2M Core 1.1, section 7.3).
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace fota::lwm2m {

/// Identifiers are 0..65534; 65535 is reserved by the specification and refused by parse().
struct Path {
    std::uint16_t object = 0;
    std::optional<std::uint16_t> instance;
    std::optional<std::uint16_t> resource;
    std::optional<std::uint16_t> resource_instance = {};  ///< of a multiple resource

    friend auto operator<=>(const Path&, const Path&) = default;
    /// "/5/0/3"
    std::string text() const;
    /// One to four decimal segments, with the leading slash; nullopt otherwise.
    static std::optional<Path> parse(std::string_view text);
    /// This path or one below it.
    bool covers(const Path& other) const;
};

constexpr Path resource(std::uint16_t object, std::uint16_t instance, std::uint16_t resource) {
    return {object, instance, resource};
}

}  // namespace fota::lwm2m
