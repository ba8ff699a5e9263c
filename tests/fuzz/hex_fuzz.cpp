// Any bytes as an Intel HEX file: what is read can be written and reads the same again.
#include <algorithm>

#include "image/hex.hpp"

using namespace fota;

namespace {

bool alike(const image::HexFile& a, const image::HexFile& b) {
    return a.start == b.start && std::ranges::equal(a.segments, b.segments, [](const auto& one, const auto& other) {
               return one.address == other.address && one.bytes == other.bytes;
           });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto file = image::parse_hex(BytesView(data, size));
    // The same in two pieces, cut anywhere.
    image::HexReader reader;
    reader.expect(size);
    std::size_t cut = 0;
    for (std::size_t i = 0; i < std::min<std::size_t>(size, 64); ++i) cut = cut * 31 + data[size - 1 - i];
    if (size > 0) cut %= size;
    const bool fed = reader.feed(BytesView(data, cut)) && reader.feed(BytesView(data, size).subspan(cut));
    const auto pieces = fed ? reader.finish() : Result<image::HexFile>(fail(Errc::image_malformed, "refused"));
    if (pieces.has_value() != file.has_value()) __builtin_trap();
    if (!file) return 0;
    if (!alike(*pieces, *file)) __builtin_trap();
    std::uint64_t end = 0;
    std::uint64_t total = 0;
    for (const auto& each : file->segments) {
        // In order, apart from each other, not empty, and no more than the text can hold.
        if (each.bytes.empty() || (total > 0 && each.address <= end)) __builtin_trap();
        end = std::uint64_t{each.address} + each.bytes.size();
        total += each.bytes.size();
    }
    if (file->segments.empty() || end != file->end_address() || total > size / 2) __builtin_trap();
    const auto text = image::write_hex(*file);
    const auto again = image::parse_hex(as_bytes(text));
    if (!again || !alike(*again, *file)) __builtin_trap();
    if (const auto flat = file->flat(0xff, 1 << 20); flat && flat->size() != end - file->first_address())
        __builtin_trap();
    return 0;
}
