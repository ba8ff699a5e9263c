// Points in time for modules that hold no clock: they are told the time by their caller.
#pragma once

#include <chrono>

namespace fota {

/// Monotonic; the wall clock never drives a timer.
using Instant = std::chrono::steady_clock::time_point;
using Milliseconds = std::chrono::milliseconds;

inline Milliseconds to_ms(Instant::duration span) {
    return std::chrono::duration_cast<Milliseconds>(span);
}

}  // namespace fota
