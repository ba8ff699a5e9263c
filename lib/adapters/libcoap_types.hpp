// Our addresses and messages in libcoap's terms, and back.
#pragma once

#include <coap3/coap.h>

#include "adapters/net_address.hpp"
#include "coap/message.hpp"

namespace fota::adapters {

coap_address_t to_libcoap(const Address& address);
Address from_libcoap(const coap_address_t& address);

/// A copy: `pdu` may go.
coap::Message to_message(const coap_pdu_t* pdu);
/// Options (in ascending order, as libcoap wants them) and payload; false when they do not fit.
bool fill(coap_pdu_t* pdu, const coap::Message& message);

}  // namespace fota::adapters
