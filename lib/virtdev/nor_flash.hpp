// A model of NOR flash that is stricter than the parts: every rule a driver could break is a recorded violation.
//
// Two kinds: a SPI NOR part (erase by opcode on exact sectors, 256-byte pages that wrap, SFDP) and the nRF9160's
// internal flash (4 KiB pages, 32-bit words). Time passes only as a number: what each operation would have taken is
// added up. Sources: MX25R6435F datasheet and its SFDP table; nRF9160 product specification, NVMC; JESD216.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "virtdev/flash_store.hpp"

namespace fota::virtdev {

/// The supply shared by all flash parts of one device. It counts their program and erase operations and can fail in one
/// of them: that operation is torn (some of its bits have changed, others not) and nothing works until power_on().
class Power {
  public:
    explicit Power(std::uint64_t seed = 1) : random_(seed) {}

    bool on() const noexcept { return on_; }
    /// Program and erase operations since construction, the torn one included.
    std::uint64_t operations() const noexcept { return operations_; }
    /// Fails in the n-th operation from now, counted from 0.
    void fail_in(std::uint64_t n) { fails_at_ = operations_ + n; }
    void power_off() noexcept { on_ = false; }
    void power_on() noexcept { on_ = true; }

    /// The n-th operation from now and `count` - 1 after it report success and do nothing: a supply too weak to
    /// program.
    void lose_operations(std::uint64_t n, std::uint64_t count) {
        lost_from_ = operations_ + n;
        lost_to_ = lost_from_ + count;
    }

    /// For the flash parts: counts one operation; true if the supply fails in it.
    bool fails_in_this_operation();
    /// For the flash parts, after the former: true if the operation counted last is lost.
    bool lost() const noexcept { return operations_ > lost_from_ && operations_ <= lost_to_; }
    std::mt19937_64& random() noexcept { return random_; }

  private:
    bool on_ = true;
    std::uint64_t operations_ = 0;
    std::optional<std::uint64_t> fails_at_;
    std::uint64_t lost_from_ = 0;
    std::uint64_t lost_to_ = 0;
    std::mt19937_64 random_;
};

struct EraseType {
    std::uint32_t size;  ///< bytes
    std::uint8_t opcode;
    std::chrono::microseconds time;
};

/// What a part is: its rules and its times.
struct FlashPart {
    std::string name;
    std::uint32_t size;                      ///< bytes
    std::uint32_t page_size;                 ///< bytes that one program operation can reach; it wraps inside
    std::uint32_t write_size;                ///< bytes: program operations are aligned to and a multiple of it
    std::chrono::microseconds program_time;  ///< of one page, or of one write block where `per_block`
    bool program_time_per_block = false;
    std::vector<EraseType> erase_types;  ///< ascending
    Bytes jedec_id;                      ///< empty: not a SPI part
    Bytes sfdp;                          ///< SFDP space from address 0; empty: none
    Bytes bfp;                           ///< its basic flash parameter table
};

/// MX25R6435F: 8 MiB, id c2 28 17, erase 4/32/64 KiB (20h, 52h, D8h), times as its SFDP table states them (48, 240, 480
/// ms).
FlashPart mx25r6435f();
/// GD25LE255E (Thingy:91 X), id c8 60 19, and GD25WB256E3IR (nRF9161-DK, nRF9151-DK), id c8 65 19: 32 MiB.
FlashPart gd25le255e();
FlashPart gd25wb256e();
/// W25Q32JV (nRF9160 Feather): 4 MiB, id ef 40 16.
FlashPart w25q32jv();
/// nRF9160: 1 MiB, 4 KiB pages, 32-bit words.
FlashPart nrf9160_internal();

/// One part. Failing operations (no power, out of range) return an Error and change nothing beyond a torn operation;
/// operations that break a rule are carried out as the part would and recorded.
class NorFlash {
  public:
    /// The store must have the part's size; both parts of a device share `power`.
    NorFlash(FlashPart part, FlashStore store, std::shared_ptr<Power> power);

    const FlashPart& part() const noexcept { return part_; }
    std::uint32_t size() const noexcept { return part_.size; }
    Power& power() noexcept { return *power_; }

    Result<void> read(std::uint32_t offset, std::span<std::uint8_t> out) const;

    /// One program instruction: at most a page; bytes past the page's end wrap to its start (a violation).
    Result<void> page_program(std::uint32_t offset, BytesView data);
    /// One erase instruction on the sector that holds `offset`; an offset inside a sector is a violation.
    Result<void> sector_erase(std::uint8_t opcode, std::uint32_t offset);

    /// As a driver does it: split at pages.
    Result<void> program(std::uint32_t offset, BytesView data);
    /// As a driver does it: the largest erase type that fits at each step. Offset and size must be whole smallest
    /// sectors, anything else is refused.
    Result<void> erase(std::uint32_t offset, std::uint32_t size);

    /// Reads SFDP space (5Ah); bytes past the table read 0xff.
    Result<void> read_sfdp(std::uint32_t offset, std::span<std::uint8_t> out) const;

    /// From now on this many program operations report success and do nothing: a part whose writes do not stick.
    void lose_writes(std::uint64_t count) { lost_writes_ = count; }
    /// A worn cell: the bits of `mask` read as those of `value` whatever is programmed or erased there.
    void stick_bits(std::uint32_t offset, std::uint8_t mask, std::uint8_t value);
    /// From now on this many operations of either kind fail with an error and do nothing.
    void fail_operations(std::uint64_t count) { failing_operations_ = count; }

    /// Time the part was busy with program and erase operations.
    std::chrono::microseconds busy_time() const noexcept { return busy_; }
    const std::vector<std::string>& violations() const noexcept { return violations_; }

    /// The cells, whatever the power: for a programmer (debug probe) and for tests.
    std::span<std::uint8_t> cells() noexcept { return store_.bytes(); }
    BytesView cells() const noexcept { return store_.bytes(); }

  private:
    Result<void> ready(std::uint64_t offset, std::uint64_t size) const;
    Result<void> power_lost() const;
    void violation(std::string text);
    void apply_stuck_bits(std::uint32_t start, std::uint32_t size);
    /// Programming can only clear bits.
    void clear_bits(std::uint32_t offset, BytesView data);
    void tear_program(std::uint32_t offset, BytesView data);
    void tear_erase(std::uint32_t start, std::uint32_t size);

    FlashPart part_;
    FlashStore store_;
    std::shared_ptr<Power> power_;
    std::chrono::microseconds busy_{0};
    std::vector<std::string> violations_;
    struct StuckBits {
        std::uint32_t offset;
        std::uint8_t mask;
        std::uint8_t value;
    };
    std::vector<StuckBits> stuck_;
    std::uint64_t lost_writes_ = 0;
    std::uint64_t failing_operations_ = 0;
};

}  // namespace fota::virtdev
