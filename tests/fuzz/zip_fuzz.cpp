// Any bytes as a DFU package: unpacked within its bounds, or refused.
#include "image/dfu_zip.hpp"

using namespace fota;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const BytesView bytes(data, size);
    const auto package = image::read_dfu_zip(bytes);
    if (!package) return 0;
    if (package->images.empty() || package->images.size() > image::zip_entry_limit) __builtin_trap();
    std::uint64_t total = 0;
    for (const auto& each : package->images) total += each.bytes.size();
    if (total > image::zip_size_limit) __builtin_trap();
    if (const auto application = package->application(); application && (*application)->file.empty()) __builtin_trap();
    return 0;
}
