// What a modem's refusals mean, in plain words. Sources: 3GPP TS 27.007 section 9.2 (below 513), Nordic's nRF9160 AT
// commands reference (513 to 528).
#pragma once

#include <string>

#include "modem/dialogue.hpp"

namespace fota::modem {

/// "the modem's credential store is full"; for a number that neither source has: that it has no meaning there.
std::string cme_text(int code);

/// OK as success. Else device_refused (restarted: not_proven) which says what was asked for and what the answer means;
/// with the detail "cme" where there is a number, for the advice.
Result<> expect_ok(const Answer& answer, const std::string& asked);

}  // namespace fota::modem
