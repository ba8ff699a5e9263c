#include "server/estimate.hpp"

#include "coap/block1_sender.hpp"
#include "lwm2m/firmware.hpp"

namespace fota::server {
namespace {

constexpr std::uint64_t ip_and_udp = 20 + 8;
/// Record header 13, explicit nonce 8, CCM_8 tag 8 (RFC 6347 section 4.1, RFC 6655).
constexpr std::uint64_t dtls_record = 13 + 8 + 8;

}  // namespace

Estimate estimate_push(BytesView image, std::uint32_t block_size, bool secure, Milliseconds round_trip) {
    Estimate out;
    const auto szx = coap::szx_of(block_size);
    if (!szx || image.empty()) return out;
    const coap::Token token(Bytes(8, 1));
    coap::Block1Sender sender({lwm2m::firmware::package.text(), coap::Format::opaque, image, *szx, 0, token});
    const auto per_datagram = ip_and_udp + (secure ? dtls_record : 0);
    out.blocks = sender.blocks();
    for (;;) {
        const auto request = sender.request();
        coap::Message answer;
        answer.type = coap::Type::ack;
        answer.code = request.block1()->more ? coap::Code::continue_ : coap::Code::changed;
        answer.token = token;
        answer.set_block(coap::OptionNumber::block1, *request.block1());
        const auto there = coap::encode(request);
        const auto back = coap::encode(answer);
        if (!there || !back) return out;
        out.billed_bytes += there->size() + back->size() + 2 * per_datagram;
        if (sender.on_reply(answer, 0) != coap::Block1Sender::Step::send) break;
    }
    out.duration = round_trip * out.blocks;
    return out;
}

}  // namespace fota::server
