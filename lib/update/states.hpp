// State (5/0/3) as a device tells it, which is any integer, beside those that mean something (OMA object 5).
#pragma once

#include <cstdint>

#include "lwm2m/firmware.hpp"

namespace fota::update {

inline constexpr auto idle = static_cast<std::int64_t>(lwm2m::State::idle);
inline constexpr auto downloading = static_cast<std::int64_t>(lwm2m::State::downloading);
inline constexpr auto downloaded = static_cast<std::int64_t>(lwm2m::State::downloaded);
inline constexpr auto updating = static_cast<std::int64_t>(lwm2m::State::updating);

}  // namespace fota::update
