#include "coap/block1_sender.hpp"

#include <algorithm>

namespace fota::coap {
namespace {

/// Answers that belong to an earlier block (a late separate response) are skipped this often before the place counts as
/// lost.
constexpr int stale_limit = 3;
/// RFC 7252 section 5.10.5: Max-Age defaults to 60 s, which is long for a device that is only erasing a sector.
constexpr std::uint32_t default_busy_seconds = 2;
constexpr std::uint32_t longest_busy_seconds = 60;

}  // namespace

Block1Sender::Block1Sender(Config config) : config_(std::move(config)), szx_(config_.szx) {
    // A stored block number never points behind the last block, whatever the journal says.
    const auto first = blocks() == 0 ? 0 : std::min(config_.first_block, blocks() - 1);
    offset_ = first * size();
}

Message Block1Sender::request() const {
    auto out = make_request(Code::put, config_.path);
    out.token = config_.token;
    out.set_format(config_.format);
    out.set_block(OptionNumber::block1, {block(), !last(), szx_});
    // Exact and on every block: Zephyr drops data silently where it is missing, and a restarted client sees any block
    // first.
    out.add_uint(OptionNumber::size1, static_cast<std::uint32_t>(config_.body.size()));
    const auto length = std::min<std::uint64_t>(size(), config_.body.size() - offset_);
    out.payload = to_bytes(config_.body.subspan(static_cast<std::size_t>(offset_), static_cast<std::size_t>(length)));
    return out;
}

Block1Sender::Step Block1Sender::advance() {
    stale_answers_ = 0;
    in_doubt_ = false;
    if (last()) {
        offset_ = config_.body.size();
        finished_ = true;
        return Step::done;
    }
    offset_ += size();
    return Step::send;
}

Block1Sender::Step Block1Sender::on_continue(const Message& reply) {
    const auto echo = reply.block1();
    if (!echo) return advance();
    const bool here = echo->num == block() || echo->offset() == offset_;
    if (!here) {
        if (echo->offset() < offset_ && ++stale_answers_ < stale_limit) return Step::send;
        return Step::lost_place;
    }
    // A smaller size in the answer is the size the device prefers from now on; the block itself was taken whole
    // (RFC 7959 section 2.5).
    const auto step = advance();
    if (step == Step::send && echo->szx < szx_) szx_ = echo->szx;
    return step;
}

Block1Sender::Step Block1Sender::on_too_large(const Message& reply) {
    // Size1 in a 4.13 is the largest body it takes (RFC 7959 section 4): smaller blocks would not help.
    if (const auto most = reply.uint_option(OptionNumber::size1); most && *most < config_.body.size() && *most > size())
        return Step::refused;
    const auto hint = reply.block1();
    if (hint && hint->szx < szx_) {
        szx_ = hint->szx;
    } else if (szx_ == 0) {
        return Step::refused;
    } else {
        --szx_;
    }
    if (config_.body.size() > capacity(szx_)) return Step::refused;
    offset_ = 0;
    in_doubt_ = false;
    return Step::send;
}

Block1Sender::Step Block1Sender::on_busy(const Message& reply, int resends) {
    // 5.03 after a repetition: a client whose message cache is off has taken the block and answers the copy so.
    if (resends > 0 || in_doubt_) return last() ? Step::check_state : advance();
    const auto seconds = reply.uint_option(OptionNumber::max_age).value_or(default_busy_seconds);
    retry_after_ = std::chrono::seconds(std::clamp<std::uint32_t>(seconds, 1, longest_busy_seconds));
    return Step::wait;
}

Block1Sender::Step Block1Sender::on_reply(const Message& reply, int resends) {
    if (finished_) return Step::done;
    switch (reply.code) {
        case Code::continue_:
            return on_continue(reply);
        case Code::changed:
        case Code::created:
            return last() ? advance() : Step::check_state;
        case Code::request_entity_too_large:
            return on_too_large(reply);
        case Code::service_unavailable:
            return on_busy(reply, resends);
        default:
            break;
    }
    // The context may be gone because the last block was taken and its acknowledgement lost: State knows.
    if (last()) return Step::check_state;
    if (reply.code == Code::request_entity_incomplete || reply.code == Code::not_found) return Step::lost_place;
    return Step::refused;
}

}  // namespace fota::coap
