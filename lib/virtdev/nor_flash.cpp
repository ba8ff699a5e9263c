#include "virtdev/nor_flash.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>

#include "core/sfdp.h"

namespace fota::virtdev {

namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr std::uint8_t erased = 0xff;
/// Enough to see the pattern of a driver's mistake; more would only fill memory.
constexpr std::size_t max_violations = 1000;

/// SFDP space of one revision with one parameter header: the basic table, of 16 double words, at `offset`.
Bytes sfdp_space(std::uint8_t minor, std::uint8_t offset, BytesView table) {
    Bytes space = {'S', 'F', 'D', 'P', minor, 1, 0, erased, 0, minor, 1, 16, offset, 0, 0, erased};
    space.resize(offset, erased);
    append(space, table);
    return space;
}

/// A SPI part whose sizes and times are those that its basic table states.
FlashPart spi_part(std::string name, Bytes jedec_id, std::uint8_t minor, std::uint8_t offset, BytesView table) {
    FlashPart part{.name = std::move(name),
                   .size = 0,
                   .page_size = 0,
                   .write_size = 1,
                   .program_time = {},
                   .erase_types = {},
                   .jedec_id = std::move(jedec_id),
                   .sfdp = sfdp_space(minor, offset, table),
                   .bfp = to_bytes(table)};
    fota_sfdp stated{};
    [[maybe_unused]] const auto status = fota_bfp_decode(table.data(), table.size(), &stated);
    assert(status == FOTA_OK);
    part.size = static_cast<std::uint32_t>(stated.size);
    part.page_size = stated.page_size;
    part.program_time = microseconds(stated.page_program_us);
    for (const auto& type : stated.erase) {
        if (type.size != 0) part.erase_types.push_back({type.size, type.opcode, milliseconds(type.typical_ms)});
    }
    std::ranges::sort(part.erase_types, {}, &EraseType::size);
    return part;
}

// Every byte of a package goes through here more than once: by words where that makes no difference.
using Word = std::uint64_t;

Word load_word(const std::uint8_t* bytes) {
    Word out = 0;
    std::memcpy(&out, bytes, sizeof(out));
    return out;
}

/// Where programming `data` meets a cell that should have been erased, or data.size(). 0xff leaves a cell as it is.
std::size_t first_not_erased(BytesView cells, BytesView data) {
    std::size_t i = 0;
    while (data.size() - i >= sizeof(Word) && load_word(cells.data() + i) == ~Word{0}) i += sizeof(Word);
    while (i < data.size() && (data[i] == erased || cells[i] == erased)) i++;
    return i;
}

}  // namespace

bool Power::fails_in_this_operation() {
    const bool fails = fails_at_ && operations_ >= *fails_at_;
    operations_++;
    if (fails) {
        on_ = false;
        fails_at_.reset();
    }
    return fails;
}

// The tables that boards with these parts state in their devicetree (`sfdp-bfp`), and what the parts answer.

FlashPart mx25r6435f() {
    static constexpr std::array<std::uint8_t, 64> table = {
        0xe5, 0x20, 0xf1, 0xff, 0xff, 0xff, 0xff, 0x03, 0x44, 0xeb, 0x08, 0x6b, 0x08, 0x3b, 0x04, 0xbb,
        0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0xff, 0xff, 0xff, 0x00, 0xff, 0x0c, 0x20, 0x0f, 0x52,
        0x10, 0xd8, 0x00, 0xff, 0x23, 0x72, 0xf5, 0x00, 0x82, 0xed, 0x04, 0xcc, 0x44, 0x83, 0x68, 0x44,
        0x30, 0xb0, 0x30, 0xb0, 0xf7, 0xc4, 0xd5, 0x5c, 0x00, 0xbe, 0x29, 0xff, 0xf0, 0xd0, 0xff, 0xff};
    return spi_part("MX25R6435F", {0xc2, 0x28, 0x17}, 6, 0x30, table);
}

FlashPart gd25le255e() {
    static constexpr std::array<std::uint8_t, 64> table = {
        0xe5, 0x20, 0xf3, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x44, 0xeb, 0x08, 0x6b, 0x08, 0x3b, 0x42, 0xbb,
        0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0xff, 0xff, 0xff, 0x42, 0xeb, 0x0c, 0x20, 0x0f, 0x52,
        0x10, 0xd8, 0x00, 0xff, 0xd4, 0x31, 0xa5, 0xfe, 0x84, 0xdf, 0x14, 0x4f, 0xec, 0x62, 0x16, 0x33,
        0x7a, 0x75, 0x7a, 0x75, 0x04, 0xb3, 0xd5, 0x5c, 0x19, 0x06, 0x14, 0x00, 0x08, 0x50, 0x00, 0x01};
    return spi_part("GD25LE255E", {0xc8, 0x60, 0x19}, 6, 0x30, table);
}

FlashPart gd25wb256e() {
    static constexpr std::array<std::uint8_t, 64> table = {
        0xe5, 0x20, 0xf3, 0xff, 0xff, 0xff, 0xff, 0x0f, 0x44, 0xeb, 0x08, 0x6b, 0x08, 0x3b, 0x42, 0xbb,
        0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0xff, 0xff, 0xff, 0x00, 0xff, 0x0c, 0x20, 0x0f, 0x52,
        0x10, 0xd8, 0x00, 0xff, 0x44, 0x7a, 0xc9, 0xfe, 0x83, 0x67, 0x26, 0x62, 0xec, 0x82, 0x18, 0x44,
        0x7a, 0x75, 0x7a, 0x75, 0x04, 0xc4, 0xd5, 0x5c, 0x00, 0x06, 0x74, 0x00, 0x08, 0x50, 0x00, 0x01};
    return spi_part("GD25WB256E3IR", {0xc8, 0x65, 0x19}, 6, 0x30, table);
}

// Double words 1 to 9 as a part answered; 10 to 16, with the times, as its larger sisters W25Q64JV and W25Q128JV do,
// the chip erase (which nobody here uses) by the datasheet's 10 s.
FlashPart w25q32jv() {
    static constexpr std::array<std::uint8_t, 64> table = {
        0xe5, 0x20, 0xf9, 0xff, 0xff, 0xff, 0xff, 0x01, 0x44, 0xeb, 0x08, 0x6b, 0x08, 0x3b, 0x42, 0xbb,
        0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0xff, 0xff, 0x40, 0xeb, 0x0c, 0x20, 0x0f, 0x52,
        0x10, 0xd8, 0x00, 0x00, 0x36, 0x02, 0xa6, 0x00, 0x82, 0xea, 0x14, 0xc2, 0xe9, 0x63, 0x76, 0x33,
        0x7a, 0x75, 0x7a, 0x75, 0xf7, 0xa2, 0xd5, 0x5c, 0x19, 0xf7, 0x4d, 0xff, 0xe9, 0x30, 0xf8, 0x80};
    return spi_part("W25Q32JV", {0xef, 0x40, 0x16}, 5, 0x80, table);
}

FlashPart nrf9160_internal() {
    return {.name = "nRF9160 flash",
            .size = 1u << 20,
            .page_size = 4096,
            .write_size = 4,
            .program_time = microseconds(41),
            .program_time_per_block = true,
            .erase_types = {{4096, 0, milliseconds(85)}},
            .jedec_id = {},
            .sfdp = {},
            .bfp = {}};
}

NorFlash::NorFlash(FlashPart part, FlashStore store, std::shared_ptr<Power> power)
    : part_(std::move(part)), store_(std::move(store)), power_(std::move(power)) {
    assert(store_.bytes().size() == part_.size);
}

Result<void> NorFlash::power_lost() const {
    return fail(Errc::device_absent, fmt::format("expected {} to have power, found it off", part_.name));
}

Result<void> NorFlash::ready(std::uint64_t offset, std::uint64_t size) const {
    if (!power_->on()) return power_lost();
    if (offset > part_.size || size > part_.size - offset) {
        return fail(Errc::internal, fmt::format("{}: expected an access below {:#x}, found {:#x} + {:#x}", part_.name,
                                                part_.size, offset, size));
    }
    return {};
}

void NorFlash::violation(std::string text) {
    if (violations_.size() < max_violations) violations_.push_back(part_.name + ": " + std::move(text));
}

Result<void> NorFlash::read(std::uint32_t offset, std::span<std::uint8_t> out) const {
    TRY_VOID(ready(offset, out.size()));
    // Not std::ranges::copy: libstdc++ 12 goes byte by byte from one kind of iterator to another.
    if (!out.empty()) std::memcpy(out.data(), store_.bytes().data() + offset, out.size());
    return {};
}

Result<void> NorFlash::read_sfdp(std::uint32_t offset, std::span<std::uint8_t> out) const {
    if (!power_->on()) return power_lost();
    for (std::size_t i = 0; i < out.size(); i++) {
        const std::uint64_t at = std::uint64_t{offset} + i;
        out[i] = at < part_.sfdp.size() ? part_.sfdp[static_cast<std::size_t>(at)] : erased;
    }
    return {};
}

void NorFlash::clear_bits(std::uint32_t offset, BytesView data) {
    auto cells = store_.bytes().subspan(offset, data.size());
    std::size_t i = 0;
    for (; data.size() - i >= sizeof(Word); i += sizeof(Word)) {
        const Word before = load_word(cells.data() + i);
        const Word after = before & load_word(data.data() + i);
        if (after != before) std::memcpy(cells.data() + i, &after, sizeof(after));  // an untouched page stays shared
    }
    for (; i < data.size(); i++) {
        const auto after = static_cast<std::uint8_t>(cells[i] & data[i]);
        if (after != cells[i]) cells[i] = after;
    }
    apply_stuck_bits(offset, static_cast<std::uint32_t>(data.size()));
}

void NorFlash::stick_bits(std::uint32_t offset, std::uint8_t mask, std::uint8_t value) {
    assert(offset < part_.size);
    stuck_.push_back({offset, mask, value});
    apply_stuck_bits(offset, 1);
}

void NorFlash::apply_stuck_bits(std::uint32_t start, std::uint32_t size) {
    for (const auto& bits : stuck_) {
        if (bits.offset < start || bits.offset - start >= size) continue;
        auto& cell = store_.bytes()[bits.offset];
        cell = static_cast<std::uint8_t>((cell & ~bits.mask) | (bits.value & bits.mask));
    }
}

// The bytes before a random one are done, that one has some of its bits, the rest none.
void NorFlash::tear_program(std::uint32_t offset, BytesView data) {
    auto& random = power_->random();
    const std::size_t at = random() % data.size();
    const auto half = static_cast<std::uint8_t>(data[at] | (random() & 0xff));
    clear_bits(offset, data.first(at));
    clear_bits(offset + static_cast<std::uint32_t>(at), {&half, 1});
}

// An erase raises all bits together; stopped early, some are still low. Stopped very early or late it looks untouched
// or complete.
void NorFlash::tear_erase(std::uint32_t start, std::uint32_t size) {
    auto& random = power_->random();
    auto cells = store_.bytes().subspan(start, size);
    switch (random() % 4) {
        case 0:
            break;
        case 1:
            std::ranges::fill(cells, erased);
            break;
        case 2:
            std::ranges::fill(cells.first(random() % size), erased);
            break;
        default:
            for (auto& cell : cells) cell = static_cast<std::uint8_t>(cell | (random() & 0xff));
            break;
    }
    apply_stuck_bits(start, size);
}

Result<void> NorFlash::page_program(std::uint32_t offset, BytesView data) {
    TRY_VOID(ready(offset, data.size()));
    if (data.empty()) return {};
    if (offset % part_.write_size != 0 || data.size() % part_.write_size != 0) {
        return fail(Errc::internal, fmt::format("{}: expected a program operation in blocks of {}, found {:#x} + {}",
                                                part_.name, part_.write_size, offset, data.size()));
    }
    if (failing_operations_ > 0) {
        failing_operations_--;
        return fail(Errc::internal, fmt::format("{}: the part failed to program {:#x}", part_.name, offset));
    }
    // Past the page's end the address counter starts again at the page's begin; of more than a page only the last bytes
    // count.
    const std::uint32_t room = part_.page_size - offset % part_.page_size;
    if (data.size() > room) {
        violation(
            fmt::format("program of {} bytes at {:#x} wraps in its page of {}", data.size(), offset, part_.page_size));
        const Bytes wrapped =
            to_bytes(data.subspan(room).first(std::min<std::size_t>(data.size() - room, part_.page_size)));
        TRY_VOID(page_program(offset + room - part_.page_size, wrapped));
        data = data.first(room);
    }
    const auto at = first_not_erased(store_.bytes().subspan(offset, data.size()), data);
    if (at < data.size()) violation(fmt::format("program at {:#x} where {:#x} is not erased", offset, offset + at));
    if (power_->fails_in_this_operation()) {
        tear_program(offset, data);
        return power_lost();
    }
    busy_ += part_.program_time_per_block ? part_.program_time * static_cast<int>(data.size() / part_.write_size)
                                          : part_.program_time;
    if (lost_writes_ > 0) {
        lost_writes_--;
        return {};
    }
    if (power_->lost()) return {};
    clear_bits(offset, data);
    return {};
}

Result<void> NorFlash::sector_erase(std::uint8_t opcode, std::uint32_t offset) {
    TRY_VOID(ready(offset, 1));
    auto type = std::ranges::find(part_.erase_types, opcode, &EraseType::opcode);
    if (type == part_.erase_types.end()) {
        // A SPI part ignores an instruction it does not know; the driver never learns.
        violation(fmt::format("erase instruction {:02x} at {:#x} is unknown to the part", opcode, offset));
        return {};
    }
    if (failing_operations_ > 0) {
        failing_operations_--;
        return fail(Errc::internal, fmt::format("{}: the part failed to erase {:#x}", part_.name, offset));
    }
    if (offset % type->size != 0) {
        violation(fmt::format("erase of {} bytes at {:#x}, inside a sector", type->size, offset));
    }
    const std::uint32_t start = offset - offset % type->size;
    if (power_->fails_in_this_operation()) {
        tear_erase(start, type->size);
        return power_lost();
    }
    busy_ += type->time;
    if (power_->lost()) return {};
    auto cells = store_.bytes().subspan(start, type->size);
    const bool blank = cells.front() == erased && std::memcmp(cells.data(), cells.data() + 1, cells.size() - 1) == 0;
    if (!blank) std::ranges::fill(cells, erased);
    apply_stuck_bits(start, type->size);
    return {};
}

Result<void> NorFlash::program(std::uint32_t offset, BytesView data) {
    TRY_VOID(ready(offset, data.size()));
    while (!data.empty()) {
        const std::size_t part = std::min<std::size_t>(data.size(), part_.page_size - offset % part_.page_size);
        TRY_VOID(page_program(offset, data.first(part)));
        offset += static_cast<std::uint32_t>(part);
        data = data.subspan(part);
    }
    return {};
}

Result<void> NorFlash::erase(std::uint32_t offset, std::uint32_t size) {
    TRY_VOID(ready(offset, size));
    const std::uint32_t smallest = part_.erase_types.front().size;
    if (offset % smallest != 0 || size % smallest != 0) {
        return fail(Errc::internal, fmt::format("{}: expected an erase of whole {}-byte sectors, found {:#x} + {:#x}",
                                                part_.name, smallest, offset, size));
    }
    while (size > 0) {
        auto type = std::ranges::find_if(part_.erase_types.rbegin(), part_.erase_types.rend(),
                                         [&](const EraseType& t) { return offset % t.size == 0 && size >= t.size; });
        TRY_VOID(sector_erase(type->opcode, offset));
        offset += type->size;
        size -= type->size;
    }
    return {};
}

}  // namespace fota::virtdev
