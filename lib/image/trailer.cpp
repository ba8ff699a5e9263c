#include "image/trailer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace fota::image {
namespace {

constexpr std::uint64_t magic_bytes = 16;

/// End of the trailer when BOOT_MAX_ALIGN is 8; with a larger one the first two bytes are that alignment instead.
constexpr std::array<std::uint8_t, 16> magic_of_8{0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f,
                                                  0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80};
constexpr std::array<std::uint8_t, 14> magic_of_more{0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b, 0x8d,
                                                     0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a};

std::array<std::uint8_t, 16> magic_for(const SignOptions& options) {
    const auto align = max_align(options);
    if (align == 8) return magic_of_8;
    std::array<std::uint8_t, 16> out{static_cast<std::uint8_t>(align & 0xff), static_cast<std::uint8_t>(align >> 8)};
    if (options.byte_order == ByteOrder::big) std::swap(out[0], out[1]);
    std::ranges::copy(magic_of_more, out.begin() + 2);
    return out;
}

/// Distance of image_ok from the end of the slot.
std::uint64_t image_ok_distance(const SignOptions& options) {
    const std::uint64_t align = max_align(options);
    return (magic_bytes + align - 1) / align * align + align;
}

/// With overwrite-only there is nothing to confirm: nothing can be reverted.
bool has_image_ok(const SignOptions& options) {
    return options.boot_mode != FOTA_BOOT_OVERWRITE;
}

}  // namespace

std::uint32_t max_align(const SignOptions& options) noexcept {
    return options.max_align != 0 ? options.max_align : std::max<std::uint32_t>(8, options.align);
}

bool is_padded(const SignOptions& options) noexcept {
    return options.pad || options.test || options.confirm;
}

std::uint64_t trailer_size(const SignOptions& options, std::uint64_t key_bytes) noexcept {
    auto sectors = options.max_sectors;
    if (sectors == 0)
        sectors = options.rules == Rules::imgtool ? 128 : default_max_sectors(options.slot_size, options.sector_size);
    const bool overwrite = options.boot_mode == FOTA_BOOT_OVERWRITE;
    // imgtool counts 16 bytes of a key whatever its length, unless the whole TLV is kept.
    const auto kept = key_bytes == 0 || options.save_encrypted_key ? key_bytes : 16;
    return imgtool_trailer_size(overwrite, sectors, options.align, max_align(options), kept);
}

Bytes to_binary(const Built& built, const SignOptions& options) {
    auto out = built.image;
    if (!is_padded(options) || options.slot_size < out.size() + magic_bytes) return out;
    out.resize(static_cast<std::size_t>(options.slot_size), options.erased_value);
    std::ranges::copy(magic_for(options), out.end() - magic_bytes);
    if (options.confirm && has_image_ok(options)) {
        const auto distance = image_ok_distance(options);
        if (distance <= out.size()) out[out.size() - static_cast<std::size_t>(distance)] = 0x01;
    }
    return out;
}

Result<> write_hex(const Built& built, const SignOptions& options, std::uint32_t address, const HexWriter::Sink& sink) {
    constexpr std::uint64_t address_space = 1ULL << 32;
    const auto length = is_padded(options) ? std::max<std::uint64_t>(options.slot_size, built.image.size())
                                           : std::uint64_t{built.image.size()};
    if (length > address_space - address)
        return fail(Errc::usage, fmt::format("expected an image that ends below 0x100000000, found {} bytes at 0x{:x}",
                                             length, address));
    const auto distance = image_ok_distance(options);
    const bool magic = is_padded(options) && options.slot_size >= built.image.size() + distance;
    HexWriter writer(sink, address + (magic ? options.slot_size : std::uint64_t{built.image.size()}));
    const auto add = [&](std::uint64_t offset, BytesView bytes) {
        return writer.add(static_cast<std::uint32_t>(address + offset), bytes);
    };
    TRY_VOID(add(0, built.image));
    if (magic) {
        if ((options.test || options.confirm) && has_image_ok(options)) {
            Bytes image_ok(max_align(options), options.erased_value);
            if (options.confirm) image_ok[0] = 0x01;
            TRY_VOID(add(options.slot_size - distance, image_ok));
        }
        TRY_VOID(add(options.slot_size - magic_bytes, magic_for(options)));
    }
    return writer.finish();
}

}  // namespace fota::image
