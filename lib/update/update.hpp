// One device from "registered" to "proven" (DESIGN.md section 3, steps 4 to 12) as one coroutine over a DeviceLink.
#pragma once

#include <boost/asio/awaitable.hpp>

#include "ports/clock.hpp"
#include "ports/device_link.hpp"
#include "ports/store.hpp"
#include "update/types.hpp"

namespace fota::update {

/// Never fails as such: every end, cancellation included, is a Report. All arguments outlive the coroutine.
boost::asio::awaitable<Report> run(ports::DeviceLink& link, const Target& target, const Policy& policy,
                                   ports::Store& store, ports::Clock& clock, Observer& observer);

/// Step 12: call once the result line was written, so that a killed run tells its result the next time.
Result<> close(ports::Store& store, const std::string& endpoint, const Report& report);

}  // namespace fota::update
