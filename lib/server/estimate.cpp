#include "server/estimate.hpp"

#include <fmt/format.h>

#include "coap/block1_sender.hpp"
#include "coap/block2_server.hpp"
#include "lwm2m/firmware.hpp"
#include "server/package_source.hpp"

namespace fota::server {
namespace {

constexpr std::uint64_t ip_and_udp = 20 + 8;
/// Record header 13, explicit nonce 8, CCM_8 tag 8 (RFC 6347 section 4.1, RFC 6655).
constexpr std::uint64_t dtls_record = 13 + 8 + 8;

constexpr std::size_t token_bytes = 8;

/// Both messages of one block, with what is around them.
std::uint64_t billed(const coap::Message& there, const coap::Message& back, bool secure) {
    const auto one = coap::encode(there);
    const auto other = coap::encode(back);
    if (!one || !other) return 0;
    return one->size() + other->size() + 2 * (ip_and_udp + (secure ? dtls_record : 0));
}

}  // namespace

Estimate estimate_push(BytesView image, std::uint32_t block_size, bool secure, Milliseconds round_trip) {
    Estimate out;
    const auto szx = coap::szx_of(block_size);
    if (!szx || image.empty()) return out;
    const coap::Token token(Bytes(token_bytes, 1));
    coap::Block1Sender sender({lwm2m::firmware::package.text(), coap::Format::opaque, image, *szx, 0, token});
    out.blocks = sender.blocks();
    for (;;) {
        const auto request = sender.request();
        coap::Message answer;
        answer.type = coap::Type::ack;
        answer.code = request.block1()->more ? coap::Code::continue_ : coap::Code::changed;
        answer.token = token;
        answer.set_block(coap::OptionNumber::block1, *request.block1());
        out.billed_bytes += billed(request, answer, secure);
        if (sender.on_reply(answer, 0) != coap::Block1Sender::Step::send) break;
    }
    out.duration = round_trip * out.blocks;
    return out;
}

Estimate estimate_pull(BytesView image, std::uint32_t block_size, bool secure, Milliseconds round_trip) {
    Estimate out;
    const auto szx = coap::szx_of(block_size);
    if (!szx || image.empty()) return out;
    const Bytes etag(PackageSource::etag_bytes, 1);
    const auto path = fmt::format("/{}/{}", PackageSource::folder, std::string(PackageSource::name_characters, '0'));
    for (bool more = true; more; ++out.blocks) {
        auto request = coap::make_request(coap::Code::get, path);
        request.token = coap::Token(Bytes(token_bytes, 1));
        request.set_block(coap::OptionNumber::block2, {out.blocks, false, *szx});
        auto served = coap::serve_block2(request, {image, etag, coap::Format::opaque});
        if (!served.block) return out;
        served.message.type = coap::Type::ack;
        served.message.token = request.token;
        out.billed_bytes += billed(request, served.message, secure);
        more = served.block->more;
    }
    out.duration = round_trip * out.blocks;
    return out;
}

}  // namespace fota::server
