// A condition that coroutines wait for: every waiter wakes at each notify().
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fota::server {

class Signal {
  public:
    explicit Signal(boost::asio::io_context& io) : timer_(io, boost::asio::steady_timer::time_point::max()) {}

    void notify() { timer_.cancel(); }
    /// Ends at the next notify() or on cancellation; the caller looks at its own condition.
    boost::asio::awaitable<void> wait() {
        co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }

  private:
    boost::asio::steady_timer timer_;
};

}  // namespace fota::server
