// Release manifests: any bytes as a payload and as a signed document. What is read is written back byte for byte, and
// is what validate() allows.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "base/bytes.hpp"
#include "release/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace fota;
    const auto text = as_text({data, size});
    if (const auto manifest = release::parse_manifest(text))
        if (release::canonical_text(*manifest) != text || !release::validate(*manifest)) std::abort();
    if (const auto unchecked = release::read_manifest(text))
        if (!release::parse_manifest(release::canonical_text(unchecked->manifest))) std::abort();
    return 0;
}
