// The real clock.
#pragma once

#include <boost/asio/any_io_executor.hpp>

#include "ports/clock.hpp"

namespace fota::adapters {

class SystemClock final : public ports::Clock {
  public:
    explicit SystemClock(boost::asio::any_io_executor executor);

    Instant now() const override;
    std::chrono::system_clock::time_point wall() const override;
    boost::asio::awaitable<bool> sleep_until(Instant deadline) override;

  private:
    boost::asio::any_io_executor executor_;
};

}  // namespace fota::adapters
