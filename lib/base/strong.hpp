// Integers which cannot be mixed up: a block number is not a session number.
#pragma once

#include <compare>
#include <cstddef>
#include <functional>

namespace fota {

/// `using SessionId = StrongInt<struct SessionIdTag, std::uint64_t>;`
template <class Tag, class Rep>
struct StrongInt {
    Rep value{};

    constexpr StrongInt() = default;
    constexpr explicit StrongInt(Rep v) noexcept : value(v) {}
    friend constexpr auto operator<=>(StrongInt, StrongInt) = default;
};

}  // namespace fota

template <class Tag, class Rep>
struct std::hash<fota::StrongInt<Tag, Rep>> {
    std::size_t operator()(fota::StrongInt<Tag, Rep> id) const noexcept { return std::hash<Rep>{}(id.value); }
};
