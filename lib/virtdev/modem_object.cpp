#include "virtdev/modem_object.hpp"

namespace fota::virtdev {

using coap::Code;
using lwm2m::State;
using lwm2m::UpdateResult;

void ModemObject::after_boot() {
    received_ = 0;
    if (state_ != State::updating) {
        to_idle(result_);
        return;
    }
    // The Result says what the client believes; only the version says what runs.
    if (!quirks_.has(Quirk::modem_unchanged)) version_ = "mfw_nrf9160_1.3.7";
    to_idle(UpdateResult::success);
}

void ModemObject::to_idle(UpdateResult result) {
    state_ = State::idle;
    result_ = result;
    received_ = 0;
}

Reaction ModemObject::write_package(const coap::Message& request) {
    if (state_ == State::downloaded || state_ == State::updating) {
        if (request.payload.size() != 1) return Reaction::reply(Code::method_not_allowed);
        to_idle(UpdateResult::initial);
        return Reaction::reply(Code::changed);
    }
    const auto block = request.block1().value_or(coap::Block{});
    if (block.num == 0 && received_ > 0 && quirks_.has(Quirk::modem_half_done))
        return Reaction::reply(Code::internal_server_error);
    if (block.num == 0) received_ = 0;
    if (block.num != 0 && state_ != State::downloading) return Reaction::reply(Code::not_found);
    if (block.offset() > received_) return Reaction::reply(Code::request_entity_incomplete);
    received_ = block.offset() + request.payload.size();
    result_ = UpdateResult::initial;
    state_ = block.more ? State::downloading : State::downloaded;
    auto reaction = Reaction::reply(block.more ? Code::continue_ : Code::changed);
    reaction.answer.message.set_block(coap::OptionNumber::block1, block);
    reaction.block = BlockTaken{block.num, received_, request.uint_option(coap::OptionNumber::size1).value_or(0)};
    return reaction;
}

Reaction ModemObject::handle(std::uint16_t resource, const coap::Message& request) {
    const auto text = [&](const std::string& value) {
        auto reaction = Reaction::reply(request.code == Code::get ? Code::content : Code::method_not_allowed);
        if (request.code != Code::get) return reaction;
        reaction.answer.message.set_format(coap::Format::text);
        reaction.answer.message.payload = to_bytes(as_bytes(value));
        return reaction;
    };
    if (resource == 0 && request.code == Code::put) return write_package(request);
    if (resource == 1 && request.code == Code::put && request.payload.empty() && state_ != State::updating) {
        to_idle(UpdateResult::initial);
        return Reaction::reply(Code::changed);
    }
    if (resource == 2 && request.code == Code::post) {
        if (state_ != State::downloaded) return Reaction::reply(Code::method_not_allowed);
        state_ = State::updating;
        auto reaction = Reaction::reply(Code::changed);
        reaction.afterwards = Afterwards::reboot;
        return reaction;
    }
    if (resource == 3) return text(std::to_string(static_cast<int>(state_)));
    if (resource == 5) return text(std::to_string(static_cast<int>(result_)));
    if (resource == 9) return text("1");
    if (resource == 14) return text("modem:nrf9160");
    if (resource == 15) return text(version_);
    return Reaction::reply(Code::not_found);
}

}  // namespace fota::virtdev
