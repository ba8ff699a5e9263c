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

}  // namespace fota::lwm2m
