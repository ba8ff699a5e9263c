// Any bytes as an Intel HEX file: what is read can be written and reads the same again.
#include "image/hex.hpp"

using namespace fota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto file = image::parse_hex(BytesView(data, size));
    // The same in two pieces.
    image::HexReader reader;
    reader.expect(size);
    const auto cut = size == 0 ? 0 : data[size / 2] % size;
    const bool fed = reader.feed(BytesView(data, cut)) && reader.feed(BytesView(data, size).subspan(cut));
    if ((fed && reader.finish()) != file.has_value()) __builtin_trap();
    if (!file) return 0;
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
    if (!again || again->start != file->start || again->segments.size() != file->segments.size()) __builtin_trap();
    for (std::size_t i = 0; i < again->segments.size(); ++i)
        if (again->segments[i].address != file->segments[i].address ||
            again->segments[i].bytes != file->segments[i].bytes)
            __builtin_trap();
    if (const auto flat = file->flat(0xff, 1 << 20); flat && flat->size() != end - file->first_address())
        __builtin_trap();
    return 0;
}
