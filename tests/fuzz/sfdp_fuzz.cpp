// Recordings of a flash: probe files, SFDP dumps in binary and as text, and the tables in them: any bytes.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/bytes.hpp"
#include "layout/probe.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const auto probe = fota::layout::parse_probe({data, size}, "fuzz");
    if (!probe) return 0;
    // What was understood once is understood again from the file it was kept in.
    const auto again = fota::layout::parse_probe(fota::as_bytes(fota::layout::to_json(*probe).dump()), "again");
    if (!again || again->bfp != probe->bfp || again->id != probe->id) std::abort();
    return 0;
}
