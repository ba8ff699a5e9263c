// Image versions: major.minor.revision+build, as in struct image_version (MCUboot
// boot/bootutil/include/bootutil/image.h).
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace fota::image {

struct Version {
    std::uint8_t major = 0;
    std::uint8_t minor = 0;
    std::uint16_t revision = 0;
    std::uint32_t build = 0;

    /// "1.2.3+4", and "1.2.3" when build is 0: for people.
    std::string text() const;
    /// "1.2.3+4" and "1.2.3+0": for machines and for comparing with imgtool's output.
    std::string full() const;
    /// imgtool's `-s auto`: major << 24 | minor << 16 | revision, without build.
    std::uint32_t security_counter() const noexcept;

    /// "1", "1.2", "1.2.3" or "1.2.3+4"; absent parts are 0. No signs, no spaces, no leading zeros, as imgtool.
    /// Errc::usage names the part that is out of range.
    static Result<Version> parse(std::string_view text);

    friend constexpr auto operator<=>(const Version&, const Version&) = default;
};

}  // namespace fota::image
