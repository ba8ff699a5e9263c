// A serial line in virtual time with the fake modem at its other end.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/cancellation_state.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <functional>
#include <optional>
#include <string>

#include "ports/serial_line.hpp"
#include "tests/support/virtual_clock.hpp"
#include "virtdev/modem.hpp"

namespace fota::test {

class ModemLine final : public ports::SerialLine {
  public:
    ModemLine(boost::asio::io_context& io, VirtualClock& clock, virtdev::Modem& modem)
        : clock_(clock), modem_(modem), event_(io, boost::asio::steady_timer::time_point::max()) {}

    /// Sees what is written before the modem does; false unplugs the cable there.
    std::function<bool(const std::string& text)> filter;
    std::string written;  ///< everything, for looking for what must not be there

    const std::string& name() const override { return name_; }

    boost::asio::awaitable<Result<Bytes>> read(Instant deadline) override {
        for (;;) {
            if (!arrived_.empty()) co_return std::exchange(arrived_, {});
            if (unplugged_) co_return fail(Errc::port_unavailable, "expected /dev/modem, found it unplugged");
            if (clock_.now() >= deadline) co_return fail(Errc::timed_out, "nothing arrived");
            const auto timeout = clock_.at(deadline, [this] { event_.cancel(); });
            const auto before = clock_.now();
            co_await event_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
            if (clock_.now() < deadline || before >= deadline) clock_.cancel(timeout);
            const auto state = co_await boost::asio::this_coro::cancellation_state;
            if (state.cancelled() != boost::asio::cancellation_type::none)
                co_return fail(Errc::cancelled, "the read was cancelled");
        }
    }

    boost::asio::awaitable<Result<>> write(Bytes bytes) override {
        const std::string text(as_text(bytes));
        written += text;
        if (filter && !filter(text)) unplugged_ = true;
        if (unplugged_) co_return fail(Errc::port_unavailable, "expected /dev/modem, found it unplugged");
        auto when = clock_.now();
        for (auto& part : modem_.feed(bytes)) {
            when += part.after;
            clock_.at(when, [this, part = std::move(part.text)] {
                append(arrived_, as_bytes(part));
                event_.cancel();
            });
        }
        co_return Result<>{};
    }

  private:
    VirtualClock& clock_;
    virtdev::Modem& modem_;
    boost::asio::steady_timer event_;
    std::string name_ = "/dev/modem";
    Bytes arrived_;
    bool unplugged_ = false;
};

}  // namespace fota::test
