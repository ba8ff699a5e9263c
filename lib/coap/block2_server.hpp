// The serving side of a Block2 transfer (RFC 7959 sections 2.3 and 2.4) of a body that is wholly in memory. It keeps no
// state at all: an answer depends on the request and the body alone, so that any number of peers fetch at once, in any
// order and block size, and go on after either side has been restarted.
#pragma once

#include <cstdint>
#include <optional>

#include "coap/message.hpp"

namespace fota::coap {

/// What is offered at one path. The views are owned by the caller.
struct Block2Body {
    BytesView bytes;  ///< not empty, at most 2^20 blocks of 16 bytes
    BytesView etag;   ///< 1 to 8 bytes; another body has another one (RFC 7252 section 5.10.6)
    Format format = Format::opaque;
};

struct Block2Answer {
    Message message;  ///< code, options and payload; token and id are the message layer's
    /// What was served: nothing for errors and 2.03.
    std::optional<Block> block;
};

/// The answer to a GET, in the size the client asks for; without Block2 in blocks of `preferred_szx`. 2.05 with ETag,
/// Block2 and, where it was asked for or the transfer begins, Size2; 2.03 when the client names this ETag. 4.00 for a
/// malformed Block2 or one behind the end, 4.02 for a critical option it does not know, 4.05 for other methods, 4.06
/// for another format.
Block2Answer serve_block2(const Message& request, const Block2Body& body, std::uint8_t preferred_szx = 5);

}  // namespace fota::coap
