#include "virtdev/security_counter.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/mcuboot.h"

namespace fota::virtdev {

namespace {

constexpr std::uint16_t protected_magic = 0x6908;
constexpr std::uint16_t counter_type = 0x50;
constexpr std::uint32_t page = 4096;
constexpr std::uint32_t word_size = 4;
constexpr std::uint32_t largest = 0xffff;

}  // namespace

std::optional<std::uint32_t> security_counter(BytesView image) {
    fota_image_header header{};
    if (image.size() < FOTA_IMAGE_HEADER_SIZE || fota_image_parse_header(image.data(), &header) != FOTA_OK)
        return std::nullopt;
    const auto area = slice(image, std::uint64_t{header.header_size} + header.image_size, header.protected_size);
    if (!area || area->size() < 4 || load_le16(area->data()) != protected_magic) return std::nullopt;
    for (std::uint64_t at = 4; const auto head = slice(*area, at, 4);) {
        const std::uint16_t size = load_le16(head->data() + 2);
        const auto value = slice(*area, at + 4, size);
        if (!value) break;
        if (load_le16(head->data()) == counter_type && size == 4) return load_le32(value->data());
        at += 4u + size;
    }
    return std::nullopt;
}

MonotonicCounter::MonotonicCounter(NorFlash& internal, std::uint32_t slots)
    : area_(internal, flash_offset, page), slots_(std::min(slots, page / word_size)) {}

Result<MonotonicCounter::Reading> MonotonicCounter::read() const {
    TRY(const auto words, area_.read(0, slots_ * word_size));
    Reading reading;
    for (std::uint32_t slot = 0; slot < slots_; slot++) {
        const std::uint32_t word = load_le32(words.data() + slot * word_size);
        if (word == 0xffffffff) break;
        reading.used = slot + 1;
        const std::uint32_t value = word & largest;
        if (word >> 16 == (~value & largest)) reading.value = std::max(reading.value, value);
    }
    return reading;
}

Result<std::uint32_t> MonotonicCounter::value() const {
    TRY(const auto reading, read());
    return reading.value;
}

Result<bool> MonotonicCounter::can_rise_to(std::uint32_t value) const {
    TRY(const auto reading, read());
    return value <= reading.value || (value <= largest && reading.used < slots_);
}

Result<void> MonotonicCounter::raise(std::uint32_t value) {
    TRY(const auto reading, read());
    if (value <= reading.value) return {};
    if (value > largest || reading.used == slots_) {
        return fail(Errc::device_refused,
                    fmt::format("expected a free slot for the security counter {}, found {} of {} used", value,
                                reading.used, slots_));
    }
    Bytes word;
    append_le32(word, value | (~value & largest) << 16);
    return area_.program(reading.used * word_size, word);
}

}  // namespace fota::virtdev
