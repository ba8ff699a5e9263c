#include "virtdev/package_receiver.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/area.h"

namespace fota::virtdev {

CoreHash::CoreHash() {
    core_ = {.context = &sha_,
             .start =
                 [](void* context) {
                     *static_cast<Sha256*>(context) = Sha256();
                     return 0;
                 },
             .update =
                 [](void* context, const void* data, std::size_t size) {
                     static_cast<Sha256*>(context)->update({static_cast<const std::uint8_t*>(data), size});
                     return 0;
                 },
             .digest =
                 [](void* context, std::uint8_t* out) {
                     std::ranges::copy(static_cast<Sha256*>(context)->digest(), out);
                     return 0;
                 }};
}

PackageReceiver::PackageReceiver(FlashArea& slot, FlashArea& secondary, FlashArea& record, std::uint32_t limit)
    : slot_(slot), secondary_(secondary), record_(record), limit_(limit) {}

Result<std::optional<fota_package>> PackageReceiver::newest_record() {
    TRY(auto sector, record_.read(0, record_.sector_size()));
    std::optional<fota_package> newest;
    record_offset_ = 0;
    for (std::uint32_t at = 0; at + FOTA_PACKAGE_RECORD_SIZE <= sector.size(); at += FOTA_PACKAGE_RECORD_SIZE) {
        const BytesView record = BytesView(sector).subspan(at, FOTA_PACKAGE_RECORD_SIZE);
        if (std::ranges::all_of(record, [](auto byte) { return byte == FOTA_ERASED; })) continue;
        record_offset_ = at + FOTA_PACKAGE_RECORD_SIZE;
        fota_package package{};
        if (fota_package_decode(record.data(), &package) == FOTA_OK) newest = package;
    }
    return newest;
}

// Power lost while the full sector is erased costs the record, hence one resume, never the truth of what is stored.
Result<void> PackageReceiver::append_record(const fota_package& package) {
    if (record_offset_ + FOTA_PACKAGE_RECORD_SIZE > record_.sector_size()) {
        TRY_VOID(record_.erase(0, record_.sector_size()));
        record_offset_ = 0;
    }
    Bytes record(FOTA_PACKAGE_RECORD_SIZE);
    fota_package_encode(&package, record.data());
    const auto at = record_offset_;
    record_offset_ += FOTA_PACKAGE_RECORD_SIZE;
    TRY_VOID(record_.program(at, record));
    saved_length_ = package.length;
    return {};
}

Result<std::uint32_t> PackageReceiver::restore() {
    writer_ = {};
    TRY(auto package, newest_record());
    saved_length_ = package ? package->length : 0;
    if (saved_length_ == 0) return 0;
    const auto status =
        saved_length_ <= limit_ ? fota_package_restore(&*package, &slot_.core(), &hash_.core()) : FOTA_ERR_RANGE;
    if (status == FOTA_OK) {
        writer_.programmed = package->length;
        writer_.checksum = package->checksum;
        return saved_length_;
    }
    if (status == FOTA_ERR_IO) return fail(Errc::device_refused, "the stored package cannot be read back");
    TRY_VOID(discard());
    return 0;
}

Result<void> PackageReceiver::begin(std::uint32_t offset) {
    if (offset == 0) {
        TRY_VOID(discard());
        const auto mode = slot_.offset() == secondary_.offset() ? FOTA_BOOT_MOVE : FOTA_BOOT_OFFSET;
        TRY_VOID(check(fota_area_clear_header(&secondary_.core(), mode), "clearing the previous image's header"));
    } else if (offset != stored()) {
        return fail(
            Errc::device_refused,
            fmt::format("expected a start at 0 or at the {} bytes that are stored, found {}", stored(), offset));
    } else if (writer_.open) {
        return check(fota_slot_writer_rewind(&writer_), "going on with the package");
    }
    return check(fota_slot_writer_begin(&writer_, &slot_.core(), &hash_.core(), limit_, offset, writer_.checksum),
                 "preparing the secondary slot");
}

Result<void> PackageReceiver::write(BytesView chunk) {
    TRY_VOID(check(fota_slot_writer_write(&writer_, chunk.data(), chunk.size()), "writing the secondary slot"));
    const auto package = fota_package_of(&writer_);
    return package.length != saved_length_ ? append_record(package) : Result<void>{};
}

Result<void> PackageReceiver::prepare() {
    return check(fota_slot_writer_prepare(&writer_), "erasing the next sector");
}

Result<fota_image_extent> PackageReceiver::finish() {
    TRY_VOID(check(fota_slot_writer_finish(&writer_), "writing the secondary slot"));
    CoreHash hash;
    fota_image_extent extent{};
    const auto status = fota_image_check(&slot_.core(), std::min(limit_, stored()), &hash.core(), &extent);
    if (status != FOTA_ERR_UNSUPPORTED) TRY_VOID(check(status, "checking the package"));
    TRY_VOID(append_record({0, 0}));
    return extent;
}

Result<void> PackageReceiver::discard() {
    writer_ = {};
    hash_.core().start(hash_.core().context);
    TRY(auto package, newest_record());
    saved_length_ = 0;
    return package && package->length != 0 ? append_record({0, 0}) : Result<void>{};
}

}  // namespace fota::virtdev
