#include "lwm2m/firmware.hpp"

#include <fmt/format.h>

#include <array>
#include <span>
#include <string_view>

namespace fota::lwm2m {
namespace {

std::string with_name(std::int64_t value, std::span<const std::string_view> names) {
    if (value < 0 || static_cast<std::uint64_t>(value) >= names.size()) return std::to_string(value);
    return fmt::format("{} ({})", value, names[static_cast<std::size_t>(value)]);
}

}  // namespace

std::string state_text(std::int64_t state) {
    static constexpr std::array<std::string_view, 4> names{"idle", "downloading", "downloaded", "updating"};
    return with_name(state, names);
}

std::string result_text(std::int64_t result) {
    static constexpr std::array<std::string_view, 14> names{"initial",
                                                            "updated successfully",
                                                            "not enough flash",
                                                            "out of memory",
                                                            "connection lost",
                                                            "integrity check failed",
                                                            "unsupported package type",
                                                            "invalid URI",
                                                            "update failed",
                                                            "unsupported protocol",
                                                            "cancelled",
                                                            "deferred",
                                                            "conflicting instances",
                                                            "unmet dependency"};
    return with_name(result, names);
}

std::optional<std::int64_t> protocol_of(std::string_view uri) {
    static constexpr std::array<std::string_view, 4> schemes{"coap", "coaps", "http", "https"};
    for (std::size_t i = 0; i < schemes.size(); ++i)
        if (uri.starts_with(schemes[i]) && uri.substr(schemes[i].size()).starts_with("://"))
            return static_cast<std::int64_t>(i);
    return std::nullopt;
}

}  // namespace fota::lwm2m
