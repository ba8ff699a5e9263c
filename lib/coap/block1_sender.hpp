// The sending side of a Block1 transfer (RFC 7959 section 2.5) as a pure state machine: which block is next, and what
// an answer means. It knows what real LwM2M clients answer and why, but never asks which client it talks to.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.hpp"
#include "coap/message.hpp"

namespace fota::coap {

class Block1Sender {
  public:
    struct Config {
        std::string path;  ///< "/5/0/0"
        Format format = Format::opaque;
        BytesView body;                 ///< what is sent, owned by the caller; not empty
        std::uint8_t szx = 5;           ///< first block size to try
        std::uint32_t first_block = 0;  ///< continue an earlier transfer here, in blocks of `szx`
        Token token;                    ///< one for the whole transfer: some clients find their place by it
    };

    /// What to do after an answer.
    enum class Step : std::uint8_t {
        send,         ///< send request() now: the next block, or this one again
        wait,         ///< the device is busy: send request() again after retry_after()
        done,         ///< the last block was acknowledged
        check_state,  ///< the device ended it in a way that only its State explains (an error on the last block, 2.04
                      ///< early)
        lost_place,   ///< the device does not continue here (4.08, 4.04, wrong echo): start over or resume
        refused,      ///< it does not take this transfer at all
    };

    explicit Block1Sender(Config config);

    /// The current block: PUT, Content-Format, Block1, Size1 on every block, the transfer's token. No message id.
    Message request() const;
    /// The answer to request(); `resends` as the message layer counted them for this exchange.
    Step on_reply(const Message& reply, int resends);
    /// No answer to request(): the block may have been taken nevertheless. The next request() is the same block.
    void on_timeout() { in_doubt_ = true; }

    Milliseconds retry_after() const noexcept { return retry_after_; }
    std::uint8_t szx() const noexcept { return szx_; }
    std::uint32_t block() const noexcept { return static_cast<std::uint32_t>(offset_ / size()); }
    std::uint32_t blocks() const noexcept {
        return static_cast<std::uint32_t>((config_.body.size() + size() - 1) / size());
    }
    /// Bytes acknowledged so far.
    std::uint64_t acknowledged() const noexcept { return offset_; }
    /// Longest body a block size can carry: 2^20 blocks (RFC 7959 section 2.2).
    static std::uint64_t capacity(std::uint8_t szx) noexcept { return (std::uint64_t{max_block_num} + 1) << (szx + 4); }

  private:
    std::uint64_t size() const noexcept { return std::uint64_t{1} << (szx_ + 4); }
    bool last() const noexcept { return offset_ + size() >= config_.body.size(); }
    Step advance();
    Step on_continue(const Message& reply);
    Step on_too_large(const Message& reply);
    Step on_busy(const Message& reply, int resends);

    Config config_;
    std::uint8_t szx_;
    std::uint64_t offset_ = 0;
    bool in_doubt_ = false;
    bool finished_ = false;
    int stale_answers_ = 0;
    Milliseconds retry_after_{0};
};

}  // namespace fota::coap
