#include "coap/block1_receiver.hpp"

#include <utility>

namespace fota::coap {

Block1Receiver::Outcome Block1Receiver::receive(const Message& request) {
    if (!request.option(OptionNumber::block1)) {
        body_.clear();
        if (request.payload.size() > limit_) return {Code::request_entity_too_large, {}, {}};
        return {Code::content, {}, request.payload};
    }
    const auto block = request.block1();
    if (!block || (block->more && request.payload.size() != block->size())) return {Code::bad_request, {}, {}};
    if (block->num == 0) body_.clear();
    // A repeated block (its message id forgotten) is acknowledged again and not stored twice.
    if (block->offset() + request.payload.size() == body_.size() && block->more && block->num != 0)
        return {Code::continue_, block, {}};
    if (block->offset() != body_.size()) return {Code::request_entity_incomplete, block, {}};
    if (request.payload.size() > limit_ - body_.size()) {
        body_.clear();
        return {Code::request_entity_too_large, block, {}};
    }
    append(body_, request.payload);
    if (block->more) return {Code::continue_, block, {}};
    return {Code::content, block, std::exchange(body_, {})};
}

}  // namespace fota::coap
