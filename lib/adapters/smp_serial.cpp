#include "adapters/smp_serial.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace fota::adapters {

using boost::asio::awaitable;

Result<std::unique_ptr<SmpSerial>> SmpSerial::open(ports::Clock& clock, Opener opener, Options options) {
    TRY(auto line, opener());
    return std::unique_ptr<SmpSerial>(new SmpSerial(clock, std::move(opener), options, std::move(line)));
}

SmpSerial::SmpSerial(ports::Clock& clock, Opener opener, Options options, std::unique_ptr<ports::SerialLine> line)
    : clock_(clock),
      opener_(std::move(opener)),
      options_(options),
      framing_(options.framing == SmpFraming::raw ? SmpFraming::raw : SmpFraming::console),
      learning_(options.framing == SmpFraming::learnt),
      name_(line->name()),
      line_(std::move(line)),
      raw_(options.side) {
    if (options.after_other_bytes) foreign_ = clock.now();
}

Milliseconds SmpSerial::wire_time(std::size_t message) const {
    const auto bytes = framing_ == SmpFraming::console ? smp::console_size(message) : message;
    return Milliseconds(bytes * 10'000 / std::max(options_.baud, 1U) + 1);
}

awaitable<Result<>> SmpSerial::send(Bytes message) {
    if (framing_ == SmpFraming::console) {
        CO_TRY(message, smp::encode_console(message));
        if (std::exchange(after_noise_, false)) message.insert(message.begin(), '\n');
        foreign_ = clock_.now();
    } else if (foreign_) {
        const bool waited = co_await clock_.sleep_until(*foreign_ + smp::raw_input_timeout + Milliseconds(100));
        if (!waited) co_return fail(Errc::cancelled, "sending was cancelled");
        foreign_.reset();
    }
    if (!line_) co_return fail(Errc::port_unavailable, fmt::format("expected {} to be open", printable(name_)));
    sent_ = clock_.now();
    co_return co_await line_->write(std::move(message));
}

awaitable<Result<Bytes>> SmpSerial::receive(Instant deadline) {
    for (;;) {
        auto message = framing_ == SmpFraming::console ? console_.next() : raw_.next();
        if (message) {
            learning_ = false;
            co_return std::move(*message);
        }
        if (!line_) co_return fail(Errc::port_unavailable, fmt::format("expected {} to be open", printable(name_)));
        auto bytes = co_await line_->read(deadline);
        if (!bytes) {
            // A raw message is not continued after a silence: its length may have been noise.
            if (options_.side == smp::RawReader::Side::client || clock_.now() - arrived_ >= smp::raw_input_timeout)
                raw_.forget();
            after_silence();
            if (learning_ && bytes.error().code() == Errc::timed_out) try_the_other_framing();
            co_return fail(std::move(bytes.error()));
        }
        arrived_ = clock_.now();
        if (framing_ == SmpFraming::console)
            console_.feed(*bytes);
        else
            raw_.feed(*bytes);
    }
}

/// A raw server that got half a message takes the next one for its rest, again and again, unless it is given the time
/// to forget.
void SmpSerial::after_silence() {
    if (framing_ == SmpFraming::raw && options_.side == smp::RawReader::Side::client) foreign_ = sent_;
}

void SmpSerial::device_was_reset() {
    // Before anything was heard the reset may have been asked in the wrong framing.
    if (!learning_) foreign_.reset();
}

void SmpSerial::try_the_other_framing() {
    after_noise_ = framing_ == SmpFraming::raw;
    framing_ = after_noise_ ? SmpFraming::console : SmpFraming::raw;
}

awaitable<Result<>> SmpSerial::reopen(Instant deadline) {
    after_silence();
    line_.reset();  // before the next attempt: the lock is ours
    console_ = {};
    raw_.forget();
    for (;;) {
        auto line = opener_();
        if (line) {
            line_ = std::move(*line);
            co_return Result<>{};
        }
        if (line.error().code() != Errc::port_unavailable || clock_.now() >= deadline)
            co_return fail(std::move(line.error()));
        const bool slept = co_await clock_.sleep_until(std::min(deadline, clock_.now() + options_.reopen_pause));
        if (!slept) co_return fail(Errc::cancelled, "waiting for the port was cancelled");
    }
}

}  // namespace fota::adapters
