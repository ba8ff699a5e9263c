#include "cli/device_render.hpp"

#include <fmt/format.h>

#include <chrono>
#include <ctime>

#include "base/text.hpp"
#include "lwm2m/firmware.hpp"
#include "lwm2m/registry.hpp"

namespace fota::cli {
namespace {

constexpr std::size_t longest_shown = 4096;

std::string name_of(const lwm2m::Path& path) {
    if (const auto* resource = lwm2m::find_resource(path)) return std::string(resource->name);
    return path.resource ? "" : lwm2m::path_name(path);
}

lwm2m::Type type_of(const lwm2m::Entry& entry) {
    const auto type = lwm2m::resource_type(entry.path);
    if (type != lwm2m::Type::none && lwm2m::as_type(entry.value, type)) return type;
    struct Natural {
        lwm2m::Type operator()(const lwm2m::Untyped&) const { return lwm2m::Type::none; }
        lwm2m::Type operator()(const std::string&) const { return lwm2m::Type::string; }
        lwm2m::Type operator()(std::int64_t) const { return lwm2m::Type::integer; }
        lwm2m::Type operator()(std::uint64_t) const { return lwm2m::Type::unsigned_integer; }
        lwm2m::Type operator()(double) const { return lwm2m::Type::floating; }
        lwm2m::Type operator()(bool) const { return lwm2m::Type::boolean; }
        lwm2m::Type operator()(const Bytes&) const { return lwm2m::Type::opaque; }
        lwm2m::Type operator()(const lwm2m::ObjectReference&) const { return lwm2m::Type::object_link; }
    };
    return std::visit(Natural{}, entry.value);
}

std::string moment(std::int64_t seconds) {
    const auto time = static_cast<std::time_t>(seconds);
    std::tm parts{};
    if (gmtime_r(&time, &parts) == nullptr) return std::to_string(seconds);
    return fmt::format("{} ({:04}-{:02}-{:02} {:02}:{:02}:{:02} UTC)", seconds, parts.tm_year + 1900, parts.tm_mon + 1,
                       parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string shown(const lwm2m::Entry& entry) {
    if (const auto* number = std::get_if<std::int64_t>(&entry.value)) {
        const bool update = entry.path.object == 5 || entry.path.object == 33629;
        if (update && entry.path.resource == 3) return lwm2m::state_text(*number);
        if (update && entry.path.resource == 5) return lwm2m::result_text(*number);
        if (type_of(entry) == lwm2m::Type::time) return moment(*number);
    }
    return printable(lwm2m::value_text(entry.value), longest_shown);
}

std::string columns(const lwm2m::Path& path, std::string_view rest) {
    auto line = fmt::format("{:<13} {:<32} {}", path.text(), name_of(path), rest);
    line.erase(line.find_last_not_of(' ') + 1);
    return line;
}

}  // namespace

std::string value_line(const lwm2m::Entry& entry) {
    return columns(entry.path, shown(entry));
}

nlohmann::json value_json(const lwm2m::Entry& entry) {
    nlohmann::json out{{"path", entry.path.text()}};
    if (auto name = name_of(entry.path); !name.empty()) out["name"] = std::move(name);
    const auto type = type_of(entry);
    out["type"] = type == lwm2m::Type::none ? "unknown" : lwm2m::type_name(type);
    if (entry.time) out["time"] = *entry.time;
    if (const auto* integer = std::get_if<std::int64_t>(&entry.value)) {
        out["value"] = *integer;
    } else if (const auto* natural = std::get_if<std::uint64_t>(&entry.value)) {
        out["value"] = *natural;
    } else if (const auto* real = std::get_if<double>(&entry.value)) {
        out["value"] = *real;
    } else if (const auto* flag = std::get_if<bool>(&entry.value)) {
        out["value"] = *flag;
    } else {
        out["value"] = lwm2m::value_text(entry.value);
    }
    return out;
}

std::string link_line(const lwm2m::Path& path, const std::map<std::string, std::string>& attributes) {
    std::string rest;
    for (const auto& [name, value] : attributes)
        rest += fmt::format("{}{}{}{}", rest.empty() ? "" : " ", printable(name, 64), value.empty() ? "" : "=",
                            printable(value, 256));
    return columns(path, rest);
}

nlohmann::json link_json(const lwm2m::Path& path, const std::map<std::string, std::string>& attributes) {
    nlohmann::json out{{"path", path.text()}, {"attributes", nlohmann::json::object()}};
    if (auto name = name_of(path); !name.empty()) out["name"] = std::move(name);
    for (const auto& [name, value] : attributes) out["attributes"][name] = value;
    return out;
}

}  // namespace fota::cli
