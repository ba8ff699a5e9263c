// Observations of a device (RFC 7641).
#include <fmt/format.h>

#include <algorithm>

#include "server/device.hpp"

namespace fota::server {

using boost::asio::awaitable;

namespace {

/// Of all observations of one device; each is asked for by a person or a step.
constexpr std::size_t most_observations = 64;

/// RFC 7641 section 3.4: 24-bit serial numbers, which say nothing after 128 seconds.
bool is_newer(std::uint32_t sequence, std::uint32_t known, bool long_ago) {
    constexpr std::uint32_t half = 1u << 23;
    return long_ago || (known < sequence && sequence - known < half) || (known > sequence && known - sequence > half);
}

}  // namespace

awaitable<Result<ports::Answer>> Device::observe(lwm2m::Path path, coap::Format accept, Told told) {
    if (observations_.size() >= most_observations)
        co_return fail(Errc::internal,
                       fmt::format("expected at most {} observations of a device, found more", most_observations));
    const auto token = coap::Token::of(random_());
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
    auto message = coap::make_request(coap::Code::get, full_path(path));
    message.token = found->token;
    message.add_uint(coap::OptionNumber::observe, 1);
    message.add_uint(coap::OptionNumber::accept, static_cast<std::uint32_t>(found->accept));
    observations_.erase(found);
    // Best effort: a device that does not hear it learns from the reset that its next notification is answered with.
    (void)co_await exchange(std::move(message), {Milliseconds(1'000), 0, Milliseconds(1'000)});
}

}  // namespace fota::server
