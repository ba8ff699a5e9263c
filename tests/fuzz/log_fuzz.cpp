// Boot logs and what they are taken to mean: any bytes.
#include <cstddef>
#include <cstdint>

#include "base/bytes.hpp"
#include "layout/explain.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto log = fota::layout::read_boot_log(fota::as_text({data, size}), "fuzz");
    (void)fota::layout::explain(log, nullptr);
    return 0;
}
