// What a serial line may carry among SMP frames: any bytes, in any cut, through both framings; what comes out is
// decoded, and a frame of ours put behind the noise is found again.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "smp/framing.hpp"
#include "smp/message.hpp"

using namespace fota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    const std::size_t cut = data[0] % 32 + 1u;
    const BytesView noise(data + 1, size - 1);
    smp::ConsoleReader console;
    smp::RawReader raw((data[0] & 0x80) != 0 ? smp::RawReader::Side::server : smp::RawReader::Side::client);
    for (auto rest = noise; !rest.empty();) {
        const auto piece = rest.first(std::min(cut, rest.size()));
        console.feed(piece);
        raw.feed(piece);
        rest = rest.subspan(piece.size());
    }
    while (const auto message = console.next()) (void)smp::decode(*message);
    while (const auto message = raw.next()) (void)smp::decode(*message);

    // Resynchronisation: whatever came before, a frame on a line of its own arrives.
    smp::Message ours;
    ours.op = smp::Op::read_response;
    ours.body = Bytes(size % 300, 0x5a);
    const auto sent = smp::encode(ours).value();
    console.feed(as_bytes("\n"));
    console.feed(smp::encode_console(sent).value());
    bool found = false;
    while (const auto message = console.next()) found = *message == sent;
    if (!found) std::abort();
    return 0;
}
