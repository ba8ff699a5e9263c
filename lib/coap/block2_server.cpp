#include "coap/block2_server.hpp"

#include <algorithm>
#include <array>

namespace fota::coap {
namespace {

/// Critical options that a GET for a plain body may carry. If-Match and If-None-Match are not among them: they ask for
/// a decision that a body without versions cannot take.
constexpr std::array known_critical{OptionNumber::uri_host,  OptionNumber::uri_port, OptionNumber::uri_path,
                                    OptionNumber::uri_query, OptionNumber::accept,   OptionNumber::block2};

Block2Answer refusal(Code code) {
    Block2Answer out;
    out.message.code = code;
    return out;
}

bool names_etag(const Message& request, BytesView etag) {
    return std::ranges::any_of(request.options, [&](const Option& option) {
        return option.number == static_cast<std::uint16_t>(OptionNumber::etag) &&
               std::ranges::equal(option.value, etag);
    });
}

}  // namespace

Block2Answer serve_block2(const Message& request, const Block2Body& body, std::uint8_t preferred_szx) {
    if (request.code != Code::get) return refusal(Code::method_not_allowed);
    if (!understands(request, known_critical)) return refusal(Code::bad_option);
    const auto accept = request.uint_option(OptionNumber::accept);
    if (accept && *accept != static_cast<std::uint32_t>(body.format)) return refusal(Code::not_acceptable);
    Block block{0, false, preferred_szx};
    if (request.option(OptionNumber::block2)) {
        const auto wanted = request.block2();
        if (!wanted) return refusal(Code::bad_request);
        block = *wanted;
    }
    if (block.offset() >= body.bytes.size()) return refusal(Code::bad_request);
    Block2Answer out;
    auto& message = out.message;
    message.add(OptionNumber::etag, body.etag);
    if (block.num == 0 && names_etag(request, body.etag)) {
        message.code = Code::valid;
        return out;
    }
    message.code = Code::content;
    message.set_format(body.format);
    const auto offset = static_cast<std::size_t>(block.offset());
    const auto length = std::min<std::size_t>(block.size(), body.bytes.size() - offset);
    block.more = offset + length < body.bytes.size();
    message.set_block(OptionNumber::block2, block);
    if (block.num == 0 || request.option(OptionNumber::size2))
        message.add_uint(OptionNumber::size2, static_cast<std::uint32_t>(body.bytes.size()));
    message.payload = to_bytes(body.bytes.subspan(offset, length));
    out.block = block;
    return out;
}

}  // namespace fota::coap
