// What the explanation of a log knows of each sign and of each rule.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include "layout/boot_log.hpp"

namespace fota::layout {

struct SignAdvice {
    Sign sign;
    std::string_view reading;
    std::array<std::string_view, 6> rules{};  ///< causes, most likely first; "" ends the list
};

struct RuleAdvice {
    std::string_view rule;
    std::string_view why;
    std::string_view check;
};

/// Never nullptr: every sign has an entry.
const SignAdvice& advice(Sign sign);
/// nullptr for a rule that no log suggests.
const RuleAdvice* advice(std::string_view rule);

std::span<const SignAdvice> all_sign_advice();

}  // namespace fota::layout
