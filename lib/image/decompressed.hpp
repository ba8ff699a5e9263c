// A compressed image as it will be in the primary slot.
// Source: Nordic's MCUboot tree, boot/zephyr/decompression.c (bootutil_img_hash_decompress).
#pragma once

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "image/image.hpp"

namespace fota::image {

/// What the bootloader hashes after decompression: the header with the sizes of the decompressed image and without
/// compression flags, the header space, the decompressed payload, and the protected TLVs but for those about
/// compression. The payload must be in clear. image_rejected: a TLV that tells its size is missing or wrong, a kind of
/// compression no bootloader has, or a stream that does not decompress to that size.
Result<Bytes> decompressed_region(BytesView file, const Parsed& parsed);

}  // namespace fota::image
