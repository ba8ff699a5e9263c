// Values for a device: in one message, or block by block (RFC 7959) where one does not hold them.
#include <fmt/format.h>

#include "server/device.hpp"

namespace fota::server {

using boost::asio::awaitable;

namespace {

/// What every LwM2M client takes in one message.
constexpr std::size_t longest_at_once = 1'024;
/// What may go to an address from which only a Register has come (coap::amplification_in_clear), with all around it.
constexpr std::size_t longest_to_stranger = 64;
constexpr std::uint8_t szx_of_writes = 5;  // 512, which Zephyr's clients take as they are configured
/// A device that loses its place is written to from the beginning again, this often.
constexpr int most_beginnings = 3;

}  // namespace

awaitable<Result<ports::Answer>> Device::write(lwm2m::Path path, Bytes value, coap::Format format) {
    if (value.size() > longest_to_stranger && is_stranger()) {
        const auto answer = co_await read(path, format);
        if (!answer) co_return Failure(answer.error());
    }
    if (value.size() > longest_at_once) co_return co_await write_blocks(path, value, format);
    auto message = coap::make_request(coap::Code::put, full_path(path));
    message.set_format(format);
    message.payload = std::move(value);
    auto reply = co_await request(std::move(message));
    if (!reply) co_return Failure(std::move(reply.error()));
    co_return answer_of(std::move(reply->message));
}

awaitable<Result<ports::Answer>> Device::write_blocks(lwm2m::Path path, BytesView value, coap::Format format) {
    using Step = coap::Block1Sender::Step;
    for (int beginning = 1;; ++beginning) {
        coap::Block1Sender sender({full_path(path), format, value, szx_of_writes, 0, coap::Token::of(random_())});
        for (;;) {
            auto reply = co_await request(sender.request());
            if (!reply) co_return Failure(std::move(reply.error()));
            const auto step = sender.on_reply(reply->message, reply->resends);
            if (step == Step::send) continue;
            if (step == Step::lost_place && beginning < most_beginnings) break;
            // Busy as well: whoever asked for it knows for how long that may go on.
            co_return answer_of(std::move(reply->message));
        }
    }
}

}  // namespace fota::server
