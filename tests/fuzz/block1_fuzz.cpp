// The Block1 sender against a device that answers anything: it never sends outside the body, never goes back without
// being told to, and never calls a transfer done before its last block.
#include <cstdint>
#include <cstdlib>

#include "coap/block1_sender.hpp"

using namespace fota;
using namespace fota::coap;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 3) return 0;
    const Bytes body(static_cast<std::size_t>(data[0] * 16 + 1), 0x5a);
    Block1Sender sender(
        {"/5/0/0", Format::opaque, body, static_cast<std::uint8_t>(data[1] % 7), data[2], Token(Bytes{1})});
    for (std::size_t i = 3; i + 2 < size; i += 3) {
        const auto request = sender.request();
        const auto block = request.block1();
        if (!block || request.payload.empty() || block->offset() + request.payload.size() > body.size()) std::abort();
        const bool last = block->offset() + request.payload.size() == body.size();
        if (last == block->more) std::abort();
        Message reply;
        reply.code = static_cast<Code>(data[i]);
        if (data[i + 1] % 3 != 0)
            reply.set_block(OptionNumber::block1,
                            {static_cast<std::uint32_t>(data[i + 1] % 4 == 0 ? data[i + 2] : sender.block()), true,
                             static_cast<std::uint8_t>(data[i + 2] % 7)});
        if (data[i + 2] % 5 == 0) sender.on_timeout();
        const auto step = sender.on_reply(reply, data[i + 2] % 2);
        if (step == Block1Sender::Step::done && !last) std::abort();
        if (step != Block1Sender::Step::send && step != Block1Sender::Step::wait) break;
    }
    return 0;
}
