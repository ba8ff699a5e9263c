#include "adapters/libcoap_types.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

namespace fota::adapters {

coap_address_t to_libcoap(const Address& address) {
    coap_address_t out;
    coap_address_init(&out);
    out.size = static_cast<socklen_t>(address.size());
    std::memcpy(&out.addr, address.data(), address.size());
    return out;
}

Address from_libcoap(const coap_address_t& address) {
    Address out;
    out.resize(address.size);
    std::memcpy(out.data(), &address.addr, address.size);
    return out;
}

coap::Message to_message(const coap_pdu_t* pdu) {
    coap::Message message;
    message.type = static_cast<coap::Type>(coap_pdu_get_type(pdu));
    message.code = static_cast<coap::Code>(coap_pdu_get_code(pdu));
    message.id = static_cast<std::uint16_t>(coap_pdu_get_mid(pdu));
    const auto token = coap_pdu_get_token(pdu);
    message.token = coap::Token(BytesView(token.s, token.length));
    coap_opt_iterator_t iterator;
    if (coap_option_iterator_init(pdu, &iterator, COAP_OPT_ALL) != nullptr) {
        while (const coap_opt_t* option = coap_option_next(&iterator))
            message.options.push_back(
                {iterator.number, to_bytes(BytesView(coap_opt_value(option), coap_opt_length(option)))});
    }
    std::size_t size = 0;
    const std::uint8_t* data = nullptr;
    if (coap_get_data(pdu, &size, &data) != 0) message.payload.assign(data, data + size);
    return message;
}

bool fill(coap_pdu_t* pdu, const coap::Message& message) {
    // By number, then by place in the message. (std::stable_sort of libstdc++ 12 is deprecated code to clang 19.)
    std::vector<const coap::Option*> options;
    for (const auto& option : message.options) options.push_back(&option);
    std::ranges::sort(options, {}, [](const coap::Option* option) { return std::pair(option->number, option); });
    for (const auto* option : options)
        if (coap_add_option(pdu, option->number, option->value.size(), option->value.data()) == 0) return false;
    return message.payload.empty() || coap_add_data(pdu, message.payload.size(), message.payload.data()) != 0;
}

}  // namespace fota::adapters
