// What a device does about one request: the answer, and what happens afterwards. Decided without I/O; the device's
// coroutine carries it out.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.hpp"
#include "coap/message_layer.hpp"

namespace fota::virtdev {

enum class Afterwards : std::uint8_t {
    nothing,
    reboot,      ///< after the answer has left
    reboot_now,  ///< at once; the answer is silence
    vanish,      ///< after the answer has left, for ever
    fetch,       ///< begin to fetch the package at the URI that was written
    update,      ///< send a registration Update (its lifetime changed, or it was asked to)
    check,       ///< look at the package that is complete, after a while
};

struct BlockTaken {
    std::uint32_t num = 0;
    std::uint64_t bytes = 0;  ///< of the package, so far, the start offset included
    std::uint64_t total = 0;  ///< 0: unknown
};

struct Reaction {
    coap::Answer answer;
    /// With an empty ACK: the response that follows, `later_after` after it. Its token is set by whoever sends it.
    std::optional<coap::Message> later;
    Milliseconds later_after{0};
    Afterwards afterwards = Afterwards::nothing;
    std::optional<BlockTaken> block;

    static Reaction reply(coap::Code code) {
        Reaction reaction;
        reaction.answer.message.code = code;
        return reaction;
    }
    static Reaction silence(Afterwards afterwards = Afterwards::nothing) {
        Reaction reaction;
        reaction.answer.kind = coap::Answer::Kind::silence;
        reaction.afterwards = afterwards;
        return reaction;
    }
};

}  // namespace fota::virtdev
