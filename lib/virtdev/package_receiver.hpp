// How the virtual device stores a package while it arrives: the firmware core's slot writer and resume bookkeeping on
// its flash.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/sha256.hpp"
#include "core/package.h"
#include "core/slot_writer.h"
#include "virtdev/flash_area.hpp"

namespace fota::virtdev {

/// SHA-256 for the core, on libcrypto. Not movable: the core keeps a pointer to it.
class CoreHash {
  public:
    CoreHash();
    CoreHash(const CoreHash&) = delete;
    CoreHash& operator=(const CoreHash&) = delete;
    const fota_hash& core() const noexcept { return core_; }
    Digest256 digest() const { return sha_.digest(); }

  private:
    Sha256 sha_;
    fota_hash core_{};
};

/// Receives a package into the secondary slot through the core's slot writer, and survives a reset of the board: what
/// the External Flash object reports as stored (its resources 8 to 10) comes from here.
class PackageReceiver {
  public:
    /// `slot` is where the package goes: `secondary` or, with swap-using-offset, what follows its first sector.
    /// `record` is one sector of internal flash, where the resume records of sixteen bytes are appended.
    PackageReceiver(FlashArea& slot, FlashArea& secondary, FlashArea& record, std::uint32_t limit);

    /// After a reset: reads the record, reads the prefix back and stands ready to go on. The number of bytes stored; 0
    /// when there is nothing to go on with.
    Result<std::uint32_t> restore();
    /// A transfer that starts at `offset` of the package: 0 for a new one, or stored() to go on. device_refused
    /// otherwise.
    Result<void> begin(std::uint32_t offset);
    Result<void> write(BytesView chunk);
    /// Between chunks: erases the next sector, so that no chunk waits for it.
    Result<void> prepare();
    /// The whole package has arrived: programs the rest and checks the image's hash (images that cannot be judged
    /// pass).
    Result<fota_image_extent> finish();
    /// Forgets the package.
    Result<void> discard();

    bool open() const noexcept { return writer_.open; }
    /// Bytes taken since the package's start, those short of a write block included: where the next chunk goes.
    std::uint32_t received() const noexcept { return fota_slot_writer_received(&writer_); }
    /// Bytes of the package that are on flash. After a reset: those that survived it.
    std::uint32_t stored() const noexcept { return writer_.programmed; }
    /// SHA-256 of exactly those bytes.
    Digest256 digest() const { return hash_.digest(); }
    std::uint32_t limit() const noexcept { return limit_; }

  private:
    Result<std::optional<fota_package>> newest_record();
    Result<void> append_record(const fota_package& package);

    FlashArea& slot_;
    FlashArea& secondary_;
    FlashArea& record_;
    std::uint32_t limit_;
    CoreHash hash_;
    fota_slot_writer writer_{};
    std::uint32_t saved_length_ = 0;   ///< of the newest record
    std::uint32_t record_offset_ = 0;  ///< where the next record goes
};

}  // namespace fota::virtdev
