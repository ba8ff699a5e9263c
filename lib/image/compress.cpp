#include "image/compress.hpp"

#include <fmt/format.h>
#include <lzma.h>

#include <algorithm>
#include <array>

namespace fota::image {
namespace {

constexpr std::uint32_t smallest_dictionary = 4096;
constexpr std::uint32_t largest_dictionary = 64U << 20;

/// The coder's filters point into `lzma`: the chain stays where it was made.
struct Chain {
    lzma_options_lzma lzma{};
    std::array<lzma_filter, 3> filters{};

    explicit Chain(bool arm_thumb) {
        std::size_t at = 0;
        if (arm_thumb) filters[at++] = {LZMA_FILTER_ARMTHUMB, nullptr};
        filters[at++] = {LZMA_FILTER_LZMA2, &lzma};
        filters[at] = {LZMA_VLI_UNKNOWN, nullptr};
    }
    Chain(const Chain&) = delete;
    Chain& operator=(const Chain&) = delete;
};

struct Encoder {
    lzma_stream stream = LZMA_STREAM_INIT;

    Encoder() = default;
    Encoder(const Encoder&) = delete;
    Encoder& operator=(const Encoder&) = delete;
    ~Encoder() { lzma_end(&stream); }
};

/// The dictionary size of the header's first byte (LZMA2's properties byte): 2 or 3 times a power of two.
std::uint32_t dictionary_of(unsigned code) {
    return (2U | (code & 1U)) << (code / 2 + 11);
}

Result<> check(const Compression& options) {
    if (options.dictionary < smallest_dictionary || options.dictionary > largest_dictionary)
        return fail(Errc::usage, fmt::format("expected a dictionary of {} to {} bytes, found {}", smallest_dictionary,
                                             largest_dictionary, options.dictionary));
    if (options.lc > 4 || options.lp > 4 || options.lc + options.lp > 4 || options.pb > 4)
        return fail(Errc::usage, fmt::format("expected lc + lp and pb of at most 4, found lc {}, lp {} and pb {}",
                                             options.lc, options.lp, options.pb));
    if (options.preset > 9)
        return fail(Errc::usage, fmt::format("expected a compression preset of 0 to 9, found {}", options.preset));
    return {};
}

}  // namespace

Result<Bytes> compress(BytesView payload, const Compression& options) {
    TRY_VOID(check(options));
    Chain chain(options.arm_thumb);
    if (lzma_lzma_preset(&chain.lzma, options.preset) != 0)
        return fail(Errc::internal, "expected liblzma to know its preset, it does not");
    chain.lzma.dict_size = options.dictionary;
    chain.lzma.lc = options.lc;
    chain.lzma.lp = options.lp;

    Bytes out;
    unsigned code = 0;
    while (dictionary_of(code) < options.dictionary) ++code;
    out.push_back(static_cast<std::uint8_t>(code));
    out.push_back(static_cast<std::uint8_t>((options.pb * 5 + options.lp) * 9 + options.lc));

    // LZMA2 stores what it cannot shrink, with three bytes for each chunk of 64 KiB; the last step may begin just
    // before the end of that. What is only reserved costs nothing: memory is taken as the stream grows, beside an
    // encoder that needs 2.5 MiB itself.
    constexpr std::size_t step = 64 * 1024;
    out.reserve(compression_header_bytes + payload.size() + payload.size() / 1024 + 1024 + step);
    Encoder encoder;
    auto result = lzma_raw_encoder(&encoder.stream, chain.filters.data());
    encoder.stream.next_in = payload.data();
    encoder.stream.avail_in = payload.size();
    while (result == LZMA_OK) {
        const auto used = out.size();
        out.resize(used + step);
        encoder.stream.next_out = out.data() + used;
        encoder.stream.avail_out = step;
        result = lzma_code(&encoder.stream, LZMA_FINISH);
        out.resize(out.size() - encoder.stream.avail_out);
    }
    if (result != LZMA_STREAM_END)
        return fail(Errc::internal,
                    fmt::format("expected liblzma to compress, found its error {}", static_cast<int>(result)));
    return out;
}

Result<Bytes> decompress(BytesView compressed, bool arm_thumb, std::uint64_t size) {
    const auto rejected = [](std::string message) { return fail(Errc::image_rejected, std::move(message)); };
    if (compressed.size() < compression_header_bytes)
        return rejected(fmt::format("expected {} bytes of compression header, found {} bytes in all",
                                    compression_header_bytes, compressed.size()));
    const unsigned code = compressed[0];
    if (code > 40 || dictionary_of(std::min(code, 39U)) > largest_dictionary)
        return rejected(fmt::format("expected a dictionary of at most {} bytes, found the code 0x{:02x}",
                                    largest_dictionary, code));
    if (compressed[1] >= 9 * 5 * 5)
        return rejected(fmt::format("expected LZMA parameters below 0xe1, found 0x{:02x}", compressed[1]));
    Chain chain(arm_thumb);
    chain.lzma.dict_size = dictionary_of(code);

    const auto stream = compressed.subspan(compression_header_bytes);
    // A stream can at best stand for some 7,000 times its size: a claim beyond that is no reason to take the memory.
    if (size > 8192 * (stream.size() + 1))
        return rejected(fmt::format(
            "expected at most 8192 times {} bytes from the compressed payload, found {} claimed", stream.size(), size));
    Bytes out(static_cast<std::size_t>(size));
    std::uint8_t nothing = 0;
    auto* target = out.empty() ? &nothing : out.data();  // liblzma takes no null pointer
    std::size_t in_used = 0;
    std::size_t out_used = 0;
    const auto result = lzma_raw_buffer_decode(chain.filters.data(), nullptr, stream.data(), &in_used, stream.size(),
                                               target, &out_used, out.size());
    if (result == LZMA_BUF_ERROR)
        return rejected(fmt::format("expected {} bytes from the compressed payload, found more", size));
    if (result != LZMA_OK) return rejected("expected an LZMA2 stream, found a damaged one");
    if (out_used != size)
        return rejected(fmt::format("expected {} bytes from the compressed payload, found {}", size, out_used));
    if (in_used != stream.size())
        return rejected(fmt::format("expected the compressed payload to end after {} bytes, found {}",
                                    in_used + compression_header_bytes, compressed.size()));
    return out;
}

}  // namespace fota::image
