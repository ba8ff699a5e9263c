#include "adapters/system_clock.hpp"

#include "adapters/wait.hpp"

namespace fota::adapters {

SystemClock::SystemClock(boost::asio::any_io_executor executor) : executor_(std::move(executor)) {}

Instant SystemClock::now() const {
    return std::chrono::steady_clock::now();
}

std::chrono::system_clock::time_point SystemClock::wall() const {
    return std::chrono::system_clock::now();
}

boost::asio::awaitable<bool> SystemClock::sleep_until(Instant deadline) {
    boost::asio::steady_timer timer(executor_, deadline);
    co_return co_await wait_quietly(timer);
}

}  // namespace fota::adapters
