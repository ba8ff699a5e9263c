// Two ends of a serial line as bytes, in virtual time: a byte takes as long as the line's speed makes it take. Either
// end is a SerialLine that a channel may own, and open again after the cable was pulled.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <memory>
#include <string>
#include <utility>

#include "ports/serial_line.hpp"
#include "tests/support/virtual_clock.hpp"

namespace fota::test {

class VirtualWire {
  public:
    VirtualWire(boost::asio::io_context& io, VirtualClock& clock, std::uint32_t baud)
        : client(io, clock, baud), server(io, clock, baud) {
        client.other = &server;
        server.other = &client;
    }

    class End {
      public:
        End(boost::asio::io_context& io, VirtualClock& clock, std::uint32_t baud)
            : clock_(clock), baud_(baud), arrival_(io, boost::asio::steady_timer::time_point::max()) {}

        /// port_unavailable while it is unplugged.
        Result<std::unique_ptr<ports::SerialLine>> open() {
            if (!plugged_) return fail(Errc::port_unavailable, "expected the wire, found it unplugged");
            return std::make_unique<Line>(*this);
        }
        void plug(bool in) {
            plugged_ = in;
            received_.clear();
            arrival_.cancel();
        }
        End* other = nullptr;

      private:
        class Line final : public ports::SerialLine {
          public:
            explicit Line(End& end) : end_(end) {}
            const std::string& name() const override { return name_; }
            boost::asio::awaitable<Result<Bytes>> read(Instant deadline) override { return end_.read(deadline); }
            boost::asio::awaitable<Result<>> write(Bytes bytes) override { return end_.write(std::move(bytes)); }

          private:
            End& end_;
            std::string name_ = "/dev/wire";
        };

        boost::asio::awaitable<Result<Bytes>> read(Instant deadline) {
            for (;;) {
                if (!plugged_) co_return fail(Errc::port_unavailable, "expected the wire, found it unplugged");
                if (!received_.empty()) co_return std::exchange(received_, {});
                if (clock_.now() >= deadline) co_return fail(Errc::timed_out, "expected bytes, found silence");
                auto expired = std::make_shared<bool>(false);
                const auto event = clock_.at(deadline, [this, expired] {
                    *expired = true;
                    arrival_.cancel();
                });
                co_await arrival_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
                if (!*expired) clock_.cancel(event);
                const auto state = co_await boost::asio::this_coro::cancellation_state;
                if (state.cancelled() != boost::asio::cancellation_type::none)
                    co_return fail(Errc::cancelled, "the read was cancelled");
            }
        }
        boost::asio::awaitable<Result<>> write(Bytes bytes) {
            if (!plugged_) co_return fail(Errc::port_unavailable, "expected the wire, found it unplugged");
            busy_until_ =
                std::max(busy_until_, clock_.now()) + std::chrono::microseconds(bytes.size() * 10'000'000 / baud_);
            clock_.at(busy_until_, [this, bytes = std::move(bytes)] {
                if (!plugged_ || !other->plugged_) return;
                append(other->received_, bytes);
                other->arrival_.cancel();
            });
            co_return Result<>{};
        }

        VirtualClock& clock_;
        std::uint32_t baud_;
        boost::asio::steady_timer arrival_;
        Bytes received_;
        Instant busy_until_{};
        bool plugged_ = true;
    };

    End client;
    End server;
};

}  // namespace fota::test
