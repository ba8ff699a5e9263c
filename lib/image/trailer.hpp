// Where a padded image says to the bootloader what is to be done with it.
// Source: MCUboot boot/bootutil/src/bootutil_misc.c (trailer layout), bootutil_public.c (boot_img_magic).
#pragma once

#include <cstdint>

#include "base/result.hpp"
#include "image/builder.hpp"

namespace fota::image {

/// BOOT_MAX_ALIGN as given, or the larger of 8 and the alignment.
std::uint32_t max_align(const SignOptions& options) noexcept;
/// Whether the slot is filled: pad, test or confirm.
bool is_padded(const SignOptions& options) noexcept;
/// Bytes imgtool reserves. `key_bytes`: of the TLV with the encrypted key, 0 when nothing is encrypted.
std::uint64_t trailer_size(const SignOptions& options, std::uint64_t key_bytes) noexcept;

}  // namespace fota::image
