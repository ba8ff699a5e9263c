// Security counters: the one that an image states and the one that the device holds. Part of the model of MCUboot:
// bootloader.hpp. Source: MCUboot boot/bootutil/src/image_validate.c, loader.c (HW_ROLLBACK_PROT).
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "virtdev/flash_area.hpp"

namespace fota::virtdev {

/// The image's TLV SEC_CNT, which counts only among the protected TLVs; nothing if it has none or cannot be walked.
std::optional<std::uint32_t> security_counter(BytesView image);

/// A counter that can only rise, as often as there are slots. Stands for the one in the SoC's one-time-programmable
/// memory (16 bits, as Nordic's): here in the last page before the primary slot, a word for each rise, its value and
/// the complement. A word that power loss has torn counts as none.
class MonotonicCounter {
  public:
    static constexpr std::uint32_t flash_offset = 0xf000;

    MonotonicCounter(NorFlash& internal, std::uint32_t slots);

    /// 0 before the first rise.
    Result<std::uint32_t> value() const;
    Result<bool> can_rise_to(std::uint32_t value) const;
    /// Nothing happens when it is there already, or above. device_refused: can_rise_to says no.
    Result<void> raise(std::uint32_t value);

  private:
    struct Reading {
        std::uint32_t value = 0;
        std::uint32_t used = 0;  ///< slots
    };
    Result<Reading> read() const;

    FlashArea area_;
    std::uint32_t slots_;
};

}  // namespace fota::virtdev
