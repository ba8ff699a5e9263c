#include "flash/sfdp.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fota::flash {
namespace {

int read_dump(void* context, std::uint32_t offset, void* data, std::size_t size) {
    const auto& dump = *static_cast<const BytesView*>(context);
    const auto part = slice(dump, offset, size);
    if (!part) return -1;
    std::ranges::copy(*part, static_cast<std::uint8_t*>(data));
    return 0;
}

}  // namespace

std::string_view address_mode_name(fota_address_mode mode) {
    switch (mode) {
        case FOTA_ADDRESS_3:
            return "3-byte";
        case FOTA_ADDRESS_3_OR_4:
            return "3- or 4-byte";
        case FOTA_ADDRESS_4:
            return "4-byte";
    }
    return "";
}

Result<Bytes> find_bfp(BytesView sfdp) {
    fota_bfp_location where{};
    const auto status = fota_sfdp_find(read_dump, &sfdp, &where);
    if (status == FOTA_ERR_FORMAT)
        return fail(Errc::message_malformed,
                    "expected an SFDP header with a basic table of at least nine double words, "
                    "found no such header");
    const auto table = status == FOTA_OK ? slice(sfdp, where.offset, where.size) : std::nullopt;
    if (!table)
        return fail(Errc::message_malformed,
                    fmt::format("expected the whole basic table in the dump, found a dump of {} bytes", sfdp.size()));
    return to_bytes(*table);
}

Result<Geometry> decode_bfp(BytesView bfp) {
    fota_sfdp decoded{};
    if (fota_bfp_decode(bfp.data(), bfp.size(), &decoded) != FOTA_OK)
        return fail(Errc::message_malformed,
                    fmt::format("expected a basic flash parameter table (JESD216) of at least 36 bytes, found {} bytes "
                                "which are none",
                                bfp.size()));
    Geometry out{decoded.size, decoded.page_size, decoded.page_program_us, {}, decoded.address_mode};
    for (const auto& type : decoded.erase)
        if (type.size != 0) out.erase.push_back({type.size, type.opcode, type.typical_ms});
    return out;
}

}  // namespace fota::flash
