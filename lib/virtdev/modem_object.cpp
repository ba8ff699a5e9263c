#include "virtdev/modem_object.hpp"

namespace fota::virtdev {

using coap::Code;
using lwm2m::State;
using lwm2m::UpdateResult;

namespace {
constexpr const char* next_version = "mfw_nrf9160_1.3.7";
}  // namespace

void ModemObject::after_boot() {
    received_ = 0;
    if (state_ != State::updating) {
        to_idle(result_);
        return;
    }
    // The Result says what the client believes; only the version says what runs.
    if (!quirks_.has(Quirk::modem_unchanged)) version_ = next_version;
    to_idle(UpdateResult::success);
}

void ModemObject::to_idle(UpdateResult result) {
    state_ = State::idle;
    result_ = result;
    received_ = 0;
    along_ = false;
}

Reaction ModemObject::write_package(const coap::Message& request) {
    const bool nul = request.payload == Bytes(1) && request.block1().value_or(coap::Block{}) == coap::Block{};
    if (nul && state_ != State::updating) {
        to_idle(UpdateResult::initial);
        return Reaction::reply(Code::changed);
    }
    if (state_ == State::downloaded || state_ == State::updating) return Reaction::reply(Code::method_not_allowed);
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

Reaction ModemObject::write_uri(BytesView text) {
    if (!text.empty() || state_ == State::updating) return Reaction::reply(Code::method_not_allowed);
    to_idle(UpdateResult::initial);
    return Reaction::reply(Code::changed);
}

Reaction ModemObject::execute() {
    if (state_ != State::downloaded) return Reaction::reply(Code::method_not_allowed);
    state_ = State::updating;
    auto reaction = Reaction::reply(Code::changed);
    reaction.afterwards = Afterwards::reboot;
    return reaction;
}

std::string ModemObject::package_version() const {
    return state_ == State::downloaded || state_ == State::updating ? next_version : "";
}

std::vector<std::uint16_t> ModemObject::linked() const {
    if (!along_) return {};
    return {lwm2m::advanced_firmware::application};
}

void ModemObject::take_along() {
    state_ = State::downloaded;
    result_ = UpdateResult::initial;
    along_ = true;
}

void ModemObject::withdraw() {
    if (along_) to_idle(UpdateResult::initial);
}

}  // namespace fota::virtdev
