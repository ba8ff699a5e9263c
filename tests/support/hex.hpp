// Bytes of a test, written in hexadecimal.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace fota::test {

/// The bytes that `digits` spells; blanks may part them as a reader likes.
/// Throws std::invalid_argument for anything else: a slip of the pen fails its test and reads no value that is not
/// there.
inline Bytes hex(std::string_view digits) {
    std::string packed(digits);
    std::erase(packed, ' ');
    auto bytes = from_hex(packed);
    if (!bytes) throw std::invalid_argument("no hexadecimal: " + packed);
    return *std::move(bytes);
}

}  // namespace fota::test
