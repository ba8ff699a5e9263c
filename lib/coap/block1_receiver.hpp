// The receiving side of a Block1 transfer whose body is small (a Register's link list): bounded reassembly, in order.
#pragma once

#include <cstdint>

#include "coap/message.hpp"

namespace fota::coap {

class Block1Receiver {
  public:
    explicit Block1Receiver(std::size_t limit) : limit_(limit) {}

    /// The answer to send, or the whole body when this was its last part.
    struct Outcome {
        Code code;  ///< continue_ while more is to come; an error code; content when `body` is complete
        std::optional<Block> block;  ///< to be echoed
        Bytes body;
    };
    Outcome receive(const Message& request);

  private:
    std::size_t limit_;
    Bytes body_;
};

}  // namespace fota::coap
