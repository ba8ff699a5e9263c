// A clock that stands still until the test lets it jump to the next event: minutes of radio silence take no time at
// all.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <map>
#include <memory>

#include "ports/clock.hpp"

namespace fota::test {

class VirtualClock final : public ports::Clock {
  public:
    explicit VirtualClock(boost::asio::io_context& io) : io_(io) {}

    Instant now() const override { return now_; }
    std::chrono::system_clock::time_point wall() const override {
        return std::chrono::system_clock::time_point{std::chrono::hours(24 * 365 * 56)} +
               std::chrono::duration_cast<std::chrono::system_clock::duration>(now_.time_since_epoch());
    }

    boost::asio::awaitable<bool> sleep_until(Instant deadline) override {
        if (deadline <= now_) {
            // Still a suspension point, so that loops over passed deadlines let others run.
            co_await boost::asio::post(io_, boost::asio::use_awaitable);
            co_return true;
        }
        // The timer never expires by itself: the virtual event cancels it, and so does Asio's cancellation.
        auto timer = std::make_shared<boost::asio::steady_timer>(io_, boost::asio::steady_timer::time_point::max());
        auto fired = std::make_shared<bool>(false);
        const auto event = at(deadline, [timer, fired] {
            *fired = true;
            timer->cancel();
        });
        co_await timer->async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        if (!*fired) events_.erase(event);
        co_return *fired;
    }

    using Events = std::multimap<Instant, std::function<void()>>;
    Events::iterator at(Instant when, std::function<void()> what) {
        return events_.emplace(std::max(when, now_), std::move(what));
    }
    void cancel(Events::iterator event) { events_.erase(event); }

    /// Runs handlers and jumps from event to event until `done`; false when nothing is left to happen or `limit` is
    /// passed.
    bool run_until(const std::function<bool()>& done, Milliseconds limit = std::chrono::hours(24 * 30)) {
        const auto end = now_ + limit;
        for (;;) {
            io_.restart();
            while (io_.poll() > 0) {
            }
            if (done()) return true;
            if (events_.empty() || events_.begin()->first > end) return false;
            const auto event = events_.begin();
            now_ = event->first;
            const auto what = std::move(event->second);
            events_.erase(event);
            what();
        }
    }

    std::size_t pending() const noexcept { return events_.size(); }

  private:
    boost::asio::io_context& io_;
    Instant now_{std::chrono::hours(1)};
    Events events_;
};

}  // namespace fota::test
