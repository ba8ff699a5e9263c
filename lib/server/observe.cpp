// Observations of a device (RFC 7641).
#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <memory>

#include "server/device.hpp"

namespace fota::server {

using boost::asio::awaitable;
using namespace boost::asio::experimental::awaitable_operators;

namespace {

/// Of all observations of one device; each is asked for by a person or a step.
constexpr std::size_t most_observations = 64;

/// RFC 7641 section 3.4: 24-bit serial numbers, which say nothing after 128 seconds.
bool is_newer(std::uint32_t sequence, std::uint32_t known, bool long_ago) {
    constexpr std::uint32_t half = 1u << 23;
    return long_ago || (known < sequence && sequence - known < half) || (known > sequence && known - sequence > half);
}

}  // namespace

awaitable<Result<ports::Answer>> Device::observe(lwm2m::Path path, coap::Format accept, Told told, coap::Token token) {
    if (observations_.size() >= most_observations)
        co_return fail(Errc::internal,
                       fmt::format("expected at most {} observations of a device, found more", most_observations));
    auto message = coap::make_request(coap::Code::get, full_path(path));
    message.token = token;
    message.add_uint(coap::OptionNumber::observe, 0);
    message.add_uint(coap::OptionNumber::accept, static_cast<std::uint32_t>(accept));
    // Before the answer: a notification may overtake it.
    observations_.push_back({path, accept, token, std::move(told), std::nullopt, clock_.now()});
    const auto serial = registrations_;
    auto reply = co_await request(std::move(message));
    const auto mine = std::ranges::find(observations_, token, &Observation::token);
    const auto sequence =
        reply ? reply->message.uint_option(coap::OptionNumber::observe) : std::optional<std::uint32_t>();
    // Without the option the device has answered a Read: it does not observe this.
    if (mine != observations_.end()) {
        if (!sequence || registrations_ != serial) {
            observations_.erase(mine);
        } else if (!mine->sequence) {
            mine->sequence = sequence;
        }
    }
    if (!reply) co_return Failure(std::move(reply.error()));
    if (coap::is_success(reply->message.code) && !sequence)
        co_return fail(Errc::device_refused,
                       fmt::format("expected {} to observe {}, it only answered once", name_, path.text()));
    co_return answer_of(reply->message);
}

bool Device::notified(const coap::Message& message) {
    const auto found = std::ranges::find(observations_, message.token, &Observation::token);
    if (found == observations_.end()) return false;
    heard(clock_.now());
    const auto sequence = message.uint_option(coap::OptionNumber::observe);
    if (!coap::is_success(message.code) || !sequence) {
        const auto told = std::move(found->told);
        observations_.erase(found);
        told(answer_of(message));  // the device has ended it
        return true;
    }
    constexpr auto reordering = std::chrono::seconds(128);
    if (found->sequence && !is_newer(*sequence, *found->sequence, clock_.now() - found->last > reordering)) return true;
    found->sequence = *sequence;
    found->last = clock_.now();
    const auto block = message.block2();
    const auto told = found->told;  // it may end the observation
    told(block && block->more ? std::nullopt : std::optional(answer_of(message)));
    return true;
}

awaitable<void> Device::stop_observing(lwm2m::Path path) {
    const auto found = std::ranges::find(observations_, path, &Observation::path);
    if (found == observations_.end()) co_return;
    const auto token = found->token;
    co_await stop_observing(token);
}

awaitable<void> Device::stop_observing(coap::Token token) {
    const auto found = std::ranges::find(observations_, token, &Observation::token);
    if (found == observations_.end()) co_return;
    auto message = coap::make_request(coap::Code::get, full_path(found->path));
    message.token = found->token;
    message.add_uint(coap::OptionNumber::observe, 1);
    message.add_uint(coap::OptionNumber::accept, static_cast<std::uint32_t>(found->accept));
    observations_.erase(found);
    // Best effort: a device that does not hear it learns from the reset that its next notification is answered with.
    (void)co_await exchange(std::move(message), {Milliseconds(1'000), 0, Milliseconds(1'000)});
}

bool Device::observes(const coap::Token& token) const {
    return std::ranges::find(observations_, token, &Observation::token) != observations_.end();
}

class Device::OwnWatch final : public ports::Watch {
  public:
    OwnWatch(Device& device, coap::Token token, std::shared_ptr<const std::uint64_t> told)
        : device_(device), token_(std::move(token)), told_(std::move(told)) {}
    ~OwnWatch() override {
        std::erase_if(device_.observations_, [this](const auto& each) { return each.token == token_; });
    }
    bool alive() const override { return device_.observes(token_); }
    std::uint64_t told() const override { return *told_; }
    awaitable<void> await_told(std::uint64_t after, Instant deadline) override {
        const auto awake = device_.awake_serial_;
        while (*told_ <= after && alive() && device_.awake_serial_ == awake && device_.clock_.now() < deadline) {
            co_await (device_.signal_.wait() || device_.clock_.sleep_until(deadline));
            const auto cancellation = co_await boost::asio::this_coro::cancellation_state;
            if (cancellation.cancelled() != boost::asio::cancellation_type::none) co_return;
        }
    }
    awaitable<void> end() override { return device_.stop_observing(token_); }

  private:
    Device& device_;
    coap::Token token_;
    std::shared_ptr<const std::uint64_t> told_;
};

awaitable<Result<std::unique_ptr<ports::Watch>>> Device::watch(lwm2m::Path path) {
    const auto token = coap::Token::of(random_());
    auto count = std::make_shared<std::uint64_t>(0);
    // Named, since GCC 12 destroys temporaries of an awaited expression twice.
    Told told = [this, count](const auto&) {
        ++*count;
        signal_.notify();
    };
    auto observing = observe(path, coap::Format::text, std::move(told), token);
    const auto answer = co_await std::move(observing);
    if (!answer) co_return Failure(answer.error());
    if (!answer->ok())
        co_return fail(Errc::device_refused, fmt::format("expected {} to observe {}, found {}", name_, path.text(),
                                                         lwm2m::status_text(answer->code)));
    co_return std::unique_ptr<ports::Watch>(std::make_unique<OwnWatch>(*this, token, std::move(count)));
}

}  // namespace fota::server
