// What imgtool's dumpinfo finds in an image, and its three ways to write it down.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fota::cli::imgtool {

struct DumpTlv {
    std::uint16_t type = 0;
    std::uint16_t length = 0;
    Bytes data;  ///< shorter than `length` where the file ends
};

struct DumpArea {
    std::uint16_t magic = 0;
    std::uint16_t total = 0;
    std::vector<DumpTlv> tlvs;
};

struct DumpTrailer {
    Bytes magic;
    struct Fields {
        std::uint8_t image_ok = 0;
        std::uint8_t copy_done = 0;
        std::uint8_t swap_info = 0;
        std::uint32_t swap_size = 0;
        std::optional<std::uint32_t> key_field_length;  ///< of an encrypted image
    };
    std::optional<Fields> fields;  ///< none behind a magic that is no trailer's
};

struct Dump {
    std::string file_name;
    std::uint32_t magic = 0;
    std::uint32_t load_address = 0;
    std::uint16_t header_size = 0;
    std::uint16_t protected_size = 0;
    std::uint32_t image_size = 0;
    std::uint32_t flags = 0;
    std::string version;
    std::optional<DumpArea> protected_area;
    DumpArea area;
    std::optional<DumpTrailer> trailer;
};

/// Reads header, TLV areas and trailer; the magic of the header may be any. image_malformed where the file ends too
/// early.
Result<Dump> read_dump(BytesView file, std::string file_name);

std::string dump_human(const Dump& dump);
std::string dump_yaml(const Dump& dump);
/// Without a newline at the end.
std::string dump_json(const Dump& dump);

}  // namespace fota::cli::imgtool
