// A coroutine that waits for one thing and goes on within the call that says so: no timer is armed, and no turn of the
// event loop lies between the two. For waits that are over many thousand times a second.
#pragma once

#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <utility>

namespace fota::adapters {

/// Waited for by at most one coroutine, once, on the one thread that runs its executor. Destroyed while it is waited
/// for, it destroys the coroutine.
class Resumption {
  public:
    Resumption() = default;
    Resumption(const Resumption&) = delete;

    /// Until it is due, or the operation is cancelled. Never throws.
    boost::asio::awaitable<void> wait() {
        namespace this_coro = boost::asio::this_coro;
        if (due_) co_return;
        const auto state = co_await this_coro::cancellation_state;
        if (state.cancelled() != boost::asio::cancellation_type::none) co_return;
        const bool throws = co_await this_coro::throw_if_cancelled();
        co_await this_coro::throw_if_cancelled(false);
        co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void()>(
            [this](auto handler) { keep(std::move(handler)); }, boost::asio::use_awaitable);
        co_await this_coro::throw_if_cancelled(throws);
    }

    /// The coroutine goes on before this returns: to be called where nothing that it may change or destroy is in use.
    void resume_now() {
        due_ = true;
        if (auto waiting = std::exchange(waiting_, nullptr)) waiting(false);
    }
    /// It goes on in a later turn of the event loop.
    void resume_later() {
        due_ = true;
        if (auto waiting = std::exchange(waiting_, nullptr)) waiting(true);
    }

  private:
    template <class Handler>
    void keep(Handler handler) {
        auto slot = boost::asio::get_associated_cancellation_slot(handler);
        if (slot.is_connected())
            slot.assign([this](boost::asio::cancellation_type) {
                // What is waited for may be over already, and its coroutine on the way to go on.
                if (auto waiting = std::exchange(waiting_, nullptr)) waiting(true);
            });
        waiting_ = [handler = std::move(handler)](bool later) mutable {
            if (later) {
                boost::asio::post(std::move(handler));  // on its own executor
            } else {
                std::move(handler)();  // it forgets what was assigned to its cancellation slot
            }
        };
    }

    bool due_ = false;
    std::move_only_function<void(bool later)> waiting_;
};

}  // namespace fota::adapters
