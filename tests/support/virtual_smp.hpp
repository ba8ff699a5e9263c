// Two ends of a serial line that carries SMP messages, in virtual time: a message takes as long as its bytes need at
// the line's speed, one after the other; the client's end can be unplugged.
#pragma once

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <string>

#include "ports/smp_channel.hpp"
#include "smp/framing.hpp"
#include "tests/support/virtual_clock.hpp"

namespace fota::test {

class VirtualSmpLine {
  public:
    VirtualSmpLine(boost::asio::io_context& io, VirtualClock& clock, std::uint32_t baud, Milliseconds latency = {})
        : client(*this, io, clock, "client"), server(*this, io, clock, "server"), baud_(baud), latency_(latency) {
        client.other = &server;
        server.other = &client;
    }

    class End final : public ports::SmpChannel {
      public:
        End(VirtualSmpLine& line, boost::asio::io_context& io, VirtualClock& clock, std::string name)
            : line_(line),
              clock_(clock),
              name_(std::move(name)),
              changed_(io, boost::asio::steady_timer::time_point::max()) {}

        const std::string& name() const override { return name_; }
        std::size_t longest_message() const override { return 4'096; }
        Milliseconds wire_time(std::size_t message) const override {
            return Milliseconds(smp::console_size(message) * 10'000 / line_.baud_ + 1);
        }
        boost::asio::awaitable<Result<>> send(Bytes message) override {
            if (!plugged) co_return fail(Errc::port_unavailable, "the cable was pulled");
            bytes += smp::console_size(message.size());
            // In microseconds, since a frame at a megabaud is a fraction of a millisecond longer or shorter.
            const auto size = smp::console_size(message.size()) * 10'000'000 / line_.baud_;
            busy_until_ = std::max(busy_until_, clock_.now()) + std::chrono::microseconds(size);
            clock_.at(busy_until_ + line_.latency_, [to = other, bytes = std::move(message), lost = !other->plugged] {
                if (lost || !to->plugged) return;
                to->received_.push_back(bytes);
                to->changed_.cancel();
            });
            co_return Result<>{};
        }
        boost::asio::awaitable<Result<Bytes>> receive(Instant deadline) override {
            using namespace boost::asio::experimental::awaitable_operators;
            for (;;) {
                if (!plugged) co_return fail(Errc::port_unavailable, "the cable was pulled");
                if (!received_.empty()) {
                    auto message = std::move(received_.front());
                    received_.pop_front();
                    co_return message;
                }
                if (clock_.now() >= deadline) co_return fail(Errc::timed_out, "expected a message, found silence");
                co_await (change() || clock_.sleep_until(deadline));
                const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
                if (cancellation.cancelled() != boost::asio::cancellation_type::none)
                    co_return fail(Errc::cancelled, "receiving was cancelled");
            }
        }
        boost::asio::awaitable<Result<>> reopen(Instant deadline) override {
            using namespace boost::asio::experimental::awaitable_operators;
            received_.clear();
            while (!plugged) {
                if (clock_.now() >= deadline)
                    co_return fail(Errc::port_unavailable, "expected the device back, it is not");
                co_await (change() || clock_.sleep_until(deadline));
                const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
                if (cancellation.cancelled() != boost::asio::cancellation_type::none)
                    co_return fail(Errc::cancelled, "waiting for the port was cancelled");
            }
            co_return Result<>{};
        }
        void plug(bool in) {
            plugged = in;
            received_.clear();
            changed_.cancel();
        }

        End* other = nullptr;
        bool plugged = true;
        std::uint64_t bytes = 0;  ///< sent, framing included

      private:
        boost::asio::awaitable<void> change() {
            co_await changed_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
        }

        VirtualSmpLine& line_;
        VirtualClock& clock_;
        std::string name_;
        boost::asio::steady_timer changed_;
        std::deque<Bytes> received_;
        Instant busy_until_{};
    };

    End client;
    End server;

  private:
    std::uint32_t baud_;
    Milliseconds latency_;
};

}  // namespace fota::test
