#include "virtdev/flash_area.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>

namespace fota::virtdev {

namespace {

FlashArea& area(void* context) {
    return *static_cast<FlashArea*>(context);
}

int core_read(void* context, std::uint32_t offset, void* data, std::size_t size) {
    return area(context).read(offset, std::span(static_cast<std::uint8_t*>(data), size)) ? 0 : -1;
}
int core_write(void* context, std::uint32_t offset, const void* data, std::size_t size) {
    return area(context).program(offset, {static_cast<const std::uint8_t*>(data), size}) ? 0 : -1;
}
int core_erase(void* context, std::uint32_t offset, std::size_t size) {
    return area(context).erase(offset, static_cast<std::uint32_t>(size)) ? 0 : -1;
}

Failure outside(std::uint64_t offset, std::uint64_t size, std::uint32_t limit) {
    return fail(Errc::internal, fmt::format("expected an access inside the slot's {:#x} bytes, found {:#x} + {:#x}",
                                            limit, offset, size));
}

}  // namespace

FlashArea::FlashArea(NorFlash& flash, std::uint32_t offset, std::uint32_t size) : flash_(flash), offset_(offset) {
    const auto& part = flash.part();
    assert(std::uint64_t{offset} + size <= part.size);
    // The trailer's write size is that of the pair of slots: the larger one, 4 on this board (Zephyr's MCUboot port).
    core_ = {.context = this,
             .read = core_read,
             .write = core_write,
             .erase = core_erase,
             .size = size,
             .erase_size = part.erase_types.front().size,
             .write_size = std::max<std::uint32_t>(part.write_size, 4)};
}

Result<void> FlashArea::read(std::uint32_t offset, std::span<std::uint8_t> out) const {
    if (!inside(offset, out.size())) return outside(offset, out.size(), core_.size);
    return flash_.read(offset_ + offset, out);
}

Result<Bytes> FlashArea::read(std::uint32_t offset, std::uint32_t size) const {
    if (!inside(offset, size)) return outside(offset, size, core_.size);
    Bytes bytes(size);
    TRY_VOID(flash_.read(offset_ + offset, bytes));
    return bytes;
}

Result<void> FlashArea::program(std::uint32_t offset, BytesView data) {
    if (!inside(offset, data.size())) return outside(offset, data.size(), core_.size);
    return flash_.program(offset_ + offset, data);
}

Result<void> FlashArea::erase(std::uint32_t offset, std::uint32_t size) {
    if (!inside(offset, size)) return outside(offset, size, core_.size);
    return flash_.erase(offset_ + offset, size);
}

Result<void> check(fota_status status, const char* doing) {
    const char* found = "";
    switch (status) {
        case FOTA_OK:
            return {};
        case FOTA_ERR_IO:
            found = "the flash failed";
            break;
        case FOTA_ERR_RANGE:
            found = "it does not fit";
            break;
        case FOTA_ERR_ARGUMENT:
            found = "the flash geometry cannot be served";
            break;
        case FOTA_ERR_FORMAT:
            return fail(Errc::image_malformed, fmt::format("{}: expected an MCUboot image, found none", doing));
        case FOTA_ERR_STATE:
            return fail(Errc::device_refused,
                        fmt::format("{}: the trailer or the writer does not allow it now", doing));
        case FOTA_ERR_MISMATCH:
            return fail(Errc::image_rejected,
                        fmt::format("{}: expected the hash the image states, found another", doing));
        case FOTA_ERR_UNSUPPORTED:
            found = "this kind of image cannot be judged here";
            break;
    }
    return fail(status == FOTA_ERR_RANGE ? Errc::image_too_large : Errc::device_refused,
                fmt::format("{}: {}", doing, found));
}

}  // namespace fota::virtdev
