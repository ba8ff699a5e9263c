// A strict SerialLine: the test says what will be written and what answers; anything else, and anything left over, is a
// failure.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <functional>
#include <string>

#include "base/text.hpp"
#include "ports/serial_line.hpp"
#include "tests/support/virtual_clock.hpp"

namespace fota::test {

class FakeSerialLine final : public ports::SerialLine {
  public:
    /// Chunks that arrive after a write, each after its pause.
    struct Arrival {
        Milliseconds after{0};
        std::string bytes;
    };

    explicit FakeSerialLine(VirtualClock& clock, std::string name = "fake0") : clock_(clock), name_(std::move(name)) {}
    ~FakeSerialLine() override {
        for (const auto& step : script_) ADD_FAILURE() << name_ << ": never written: " << printable(step.expected);
        if (!received_.empty()) ADD_FAILURE() << name_ << ": never read: " << printable(received_);
    }

    /// The next write has exactly these bytes; then these answers arrive.
    FakeSerialLine& expect(std::string written, std::vector<Arrival> answers = {}) {
        script_.push_back({std::move(written), std::move(answers), false});
        return *this;
    }
    FakeSerialLine& expect(std::string written, std::string answer) {
        return expect(std::move(written), std::vector<Arrival>{{Milliseconds(0), std::move(answer)}});
    }
    /// The next write has these bytes, and with it the port vanishes.
    FakeSerialLine& expect_and_vanish(std::string written) {
        script_.push_back({std::move(written), {}, true});
        return *this;
    }
    /// Arrives without having been asked for.
    void arrive(std::string bytes, Milliseconds after = Milliseconds(0)) {
        clock_.at(clock_.now() + after, [this, bytes = std::move(bytes)] {
            received_ += bytes;
            wake();
        });
    }
    void vanish() {
        vanished_ = true;
        wake();
    }
    /// Forget what nobody will read: a boot banner, say.
    void discard_received() { received_.clear(); }

    const std::string& name() const override { return name_; }

    boost::asio::awaitable<Result<Bytes>> read(Instant deadline) override {
        while (received_.empty() && !vanished_) {
            if (clock_.now() >= deadline) co_return fail(Errc::timed_out, "expected bytes, found silence");
            bool expired = false;
            const auto event = clock_.at(deadline, [this, &expired] {
                expired = true;
                wake();
            });
            boost::asio::steady_timer timer(co_await boost::asio::this_coro::executor,
                                            boost::asio::steady_timer::time_point::max());
            waiting_ = &timer;
            woken_ = false;
            co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
            waiting_ = nullptr;
            if (!expired) clock_.cancel(event);
            if (!woken_) co_return fail(Errc::cancelled, "the read was cancelled");
        }
        if (!received_.empty()) {
            const auto out = to_bytes(as_bytes(received_));
            received_.clear();
            co_return out;
        }
        co_return fail(Errc::port_unavailable, "expected the port to stay, found it gone");
    }

    boost::asio::awaitable<Result<>> write(Bytes bytes) override {
        const std::string text(as_text(bytes));
        if (vanished_) co_return fail(Errc::port_unavailable, "expected the port to stay, found it gone");
        if (script_.empty()) {
            ADD_FAILURE() << name_ << ": written without having been expected: " << printable(text);
            co_return Result<>{};
        }
        const auto step = std::move(script_.front());
        script_.pop_front();
        EXPECT_EQ(printable(text, 4096), printable(step.expected, 4096)) << name_;
        auto after = Milliseconds(0);
        for (const auto& answer : step.answers) arrive(answer.bytes, after += answer.after);
        if (step.vanishes) vanish();
        co_return Result<>{};
    }

  private:
    struct Step {
        std::string expected;
        std::vector<Arrival> answers;
        bool vanishes = false;
    };

    void wake() {
        woken_ = true;
        if (waiting_ != nullptr) waiting_->cancel();
    }

    VirtualClock& clock_;
    std::string name_;
    std::deque<Step> script_;
    std::string received_;
    bool vanished_ = false;
    bool woken_ = false;
    boost::asio::steady_timer* waiting_ = nullptr;
};

}  // namespace fota::test
