// Names, types and operations of the resources of common objects (OMA LwM2M object and resource registry).
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "lwm2m/data.hpp"

namespace fota::lwm2m {

enum class Operations : std::uint8_t {
    not_remote,  ///< of the bootstrap interface alone
    read,
    write,
    read_write,
    execute,
};

struct ResourceInfo {
    std::uint16_t id;
    std::string_view name;
    Type type;
    Operations operations;
    bool multiple = false;
};

struct ObjectInfo {
    std::uint16_t id;
    std::string_view name;
    std::span<const ResourceInfo> resources;  ///< rising ids
};

/// nullptr for an object or resource that is not in the table.
const ObjectInfo* find_object(std::uint16_t id) noexcept;
const ResourceInfo* find_resource(const Path& path) noexcept;
std::span<const ObjectInfo> known_objects() noexcept;

/// "Device / Firmware Version"; "" when unknown.
std::string path_name(const Path& path);
/// The type of the resource at this path; Type::none when unknown.
Type resource_type(const Path& path) noexcept;

}  // namespace fota::lwm2m
