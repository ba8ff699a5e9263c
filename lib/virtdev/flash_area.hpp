// A range of a flash part as a slot, and as the firmware core's `fota_flash`.
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "core/flash.h"
#include "virtdev/nor_flash.hpp"

namespace fota::virtdev {

/// Offsets are from the area's start. The part must outlive the area. Not movable: the core keeps a pointer to it.
class FlashArea {
  public:
    /// `offset` and `size` are whole smallest sectors of the part.
    FlashArea(NorFlash& flash, std::uint32_t offset, std::uint32_t size);
    FlashArea(const FlashArea&) = delete;
    FlashArea& operator=(const FlashArea&) = delete;

    std::uint32_t size() const noexcept { return core_.size; }
    std::uint32_t sector_size() const noexcept { return core_.erase_size; }
    std::uint32_t offset() const noexcept { return offset_; }
    NorFlash& flash() noexcept { return flash_; }

    Result<void> read(std::uint32_t offset, std::span<std::uint8_t> out) const;
    Result<Bytes> read(std::uint32_t offset, std::uint32_t size) const;
    Result<void> program(std::uint32_t offset, BytesView data);
    Result<void> erase(std::uint32_t offset, std::uint32_t size);

    /// For the core's functions; valid as long as the area.
    const fota_flash& core() const noexcept { return core_; }

  private:
    bool inside(std::uint64_t offset, std::uint64_t size) const noexcept {
        return offset <= core_.size && size <= core_.size - offset;
    }

    NorFlash& flash_;
    std::uint32_t offset_;
    fota_flash core_{};
};

/// The core's status as an Error, or success. `doing` reads as "writing the image_ok flag".
Result<void> check(fota_status status, const char* doing);

}  // namespace fota::virtdev
