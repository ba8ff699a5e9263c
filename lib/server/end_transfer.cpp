// The end of a push that an earlier run left in the middle.
#include "server/device.hpp"

namespace fota::server {

using boost::asio::awaitable;

awaitable<Result<bool>> Device::end_transfer(ports::UnfinishedTransfer left) {
    const auto szx = coap::szx_of(left.block_size);
    if (!szx) co_return false;
    for (std::uint32_t i = 0; i < left.candidates && left.first_block + i <= coap::max_block_num; ++i) {
        auto message = coap::make_request(coap::Code::put, full_path(left.package));
        message.token = coap::Token(left.token);
        message.set_format(coap::Format::opaque);
        message.set_block(coap::OptionNumber::block1, {left.first_block + i, false, *szx});
        message.payload = {0xff};  // one byte, and not the NUL that is a reset
        const auto reply = co_await request(std::move(message));
        if (!reply) co_return Failure(reply.error());
        if (reply->message.code != coap::Code::service_unavailable) co_return true;
    }
    co_return false;
}

}  // namespace fota::server
