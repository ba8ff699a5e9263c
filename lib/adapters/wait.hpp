// Waiting in a coroutine with cancellation as a value instead of an exception.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace fota::adapters {

/// Waits until the timer fires (true), or until it is cancelled or the operation is cancelled (false). Never throws.
inline boost::asio::awaitable<bool> wait_quietly(boost::asio::steady_timer& timer) {
    namespace this_coro = boost::asio::this_coro;
    const auto state = co_await this_coro::cancellation_state;
    if (state.cancelled() != boost::asio::cancellation_type::none) co_return false;
    const bool throws = co_await this_coro::throw_if_cancelled();
    co_await this_coro::throw_if_cancelled(false);
    const auto [error] = co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    co_await this_coro::throw_if_cancelled(throws);
    co_return !error;
}

/// Something that happens once, waited for by at most one coroutine. Asio of Boost 1.81 has no type-erased completion
/// handler to keep for later; a timer that is cancelled when the thing happens stands in for it.
class Event {
  public:
    using Deadline = boost::asio::steady_timer::time_point;

    explicit Event(const boost::asio::any_io_executor& executor, Deadline deadline = Deadline::max())
        : timer_(executor, deadline) {}

    void set() {
        is_set_ = true;
        timer_.cancel();
    }
    bool is_set() const noexcept { return is_set_; }

    enum class Outcome { set, deadline, cancelled };
    boost::asio::awaitable<Outcome> wait() {
        if (is_set_) co_return Outcome::set;
        const bool fired = co_await wait_quietly(timer_);
        if (is_set_) co_return Outcome::set;
        co_return fired ? Outcome::deadline : Outcome::cancelled;
    }

  private:
    boost::asio::steady_timer timer_;
    bool is_set_ = false;
};

}  // namespace fota::adapters
