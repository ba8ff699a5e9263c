// Kconfig fragments and .config files: any bytes.
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "layout/kconfig.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto config = fota::layout::Kconfig::parse(fota::as_text({data, size}), "fuzz");
    if (config) (void)config->number("CONFIG_BOOT_MAX_IMG_SECTORS", 128);
    return 0;
}
