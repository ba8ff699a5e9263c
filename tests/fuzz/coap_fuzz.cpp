// CoAP datagrams through the whole message layer: decoding, de-duplication, matching, and answers of every kind. The
// input is a sequence of datagrams, each behind one length byte; the first byte of the input seeds the time that
// passes.
#include <cstdint>
#include <cstdlib>

#include "coap/block1_receiver.hpp"
#include "coap/message_layer.hpp"

using namespace fota;
using namespace fota::coap;

namespace {

struct Peer final : MessageLayer::Sink {
    Block1Receiver receiver{512};
    std::uint64_t completions = 0;

    void transmit(SessionId, BytesView datagram) override {
        // Whatever we send must be readable by our own decoder.
        if (!decode(datagram)) std::abort();
    }
    void completed(ExchangeId, Result<Reply>) override { ++completions; }
    Answer request(SessionId, const Message& request) override {
        Answer answer;
        const auto outcome = receiver.receive(request);
        answer.kind = static_cast<Answer::Kind>(request.payload.size() % 3);
        answer.message.code = outcome.code;
        if (outcome.block) answer.message.set_block(OptionNumber::block1, *outcome.block);
        if (outcome.body.size() > 512) std::abort();
        return answer;
    }
    bool notification(SessionId, const Message& message) override { return message.payload.empty(); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Peer peer;
    MessageLayer layer(peer, 1);
    Instant now{std::chrono::hours(1)};
    BytesView rest(data, size);
    std::uint64_t started = 0;
    while (!rest.empty()) {
        const auto length = std::min<std::size_t>(rest[0], rest.size() - 1);
        const auto datagram = rest.subspan(1, length);
        if (length % 5 == 0) {
            auto request = make_request(Code::put, "/5/0/0");
            request.token = Token(datagram.first(std::min<std::size_t>(length, 2)));
            layer.start(now, SessionId{length % 2}, request, {});
            ++started;
        }
        layer.receive(now, SessionId{length % 2}, datagram);
        now += std::chrono::milliseconds(length * 40);
        layer.tick(now);
        rest = rest.subspan(1 + length);
    }
    layer.forget(SessionId{0});
    layer.forget(SessionId{1});
    // Every exchange ends exactly once.
    if (peer.completions != started || layer.exchanges() != 0) std::abort();
    return 0;
}
