// fotactl imgtool dumpinfo: reading an image, and the command.
#include "cli/imgtool_dumpinfo.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <filesystem>

#include "base/text.hpp"
#include "cli/imgtool.hpp"
#include "cli/imgtool_files.hpp"
#include "image/image.hpp"

namespace fota::cli::imgtool {
namespace {

constexpr std::uint64_t header_read = 28;  // all but the padding behind the version
constexpr std::uint64_t info_bytes = 4;
constexpr std::uint8_t boot_magic[16] = {0x77, 0xc2, 0x95, 0xf3, 0x60, 0xd2, 0xef, 0x7f,
                                         0x35, 0x52, 0x50, 0x0f, 0x2c, 0xb6, 0x79, 0x80};
/// Behind two bytes with the alignment, where that is not 8.
constexpr std::uint8_t wide_magic[14] = {0x2d, 0xe1, 0x5d, 0x29, 0x41, 0x0b, 0x8d,
                                         0x77, 0x67, 0x9c, 0x11, 0x0f, 0x1f, 0x8a};

Failure cut_short(std::string_view what, std::uint64_t offset, std::uint64_t size) {
    return fail(Errc::image_malformed,
                fmt::format("expected {} at offset 0x{:x}, found the end of the image at 0x{:x}", what, offset, size));
}

BytesView clipped(BytesView file, std::uint64_t begin, std::uint64_t end) {
    begin = std::min<std::uint64_t>(begin, file.size());
    end = std::clamp<std::uint64_t>(end, begin, file.size());
    return file.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
}

/// The area at `offset`, which moves behind it.
Result<DumpArea> read_area(BytesView file, std::uint64_t& offset) {
    DumpArea area;
    const auto info = slice(file, offset, info_bytes);
    if (!info) return cut_short("a TLV area", offset, file.size());
    area.magic = load_le16(info->data());
    area.total = load_le16(info->data() + 2);
    const auto end = offset + area.total;
    offset += info_bytes;
    while (offset < end) {
        const auto head = slice(file, offset, info_bytes);
        if (!head) return cut_short("a TLV", offset, file.size());
        DumpTlv tlv{load_le16(head->data()), load_le16(head->data() + 2), {}};
        offset += info_bytes;
        tlv.data = to_bytes(clipped(file, offset, offset + tlv.length));
        offset += tlv.length;
        area.tlvs.push_back(std::move(tlv));
    }
    return area;
}

Result<DumpTrailer::Fields> read_fields(BytesView file, std::uint64_t max_align, bool encrypted) {
    const std::uint64_t size = file.size();
    // Backwards from the end: each field is as long as the alignment.
    std::uint64_t back = std::max<std::uint64_t>(sizeof boot_magic, max_align);
    DumpTrailer::Fields out;
    for (auto* field : {&out.image_ok, &out.copy_done, &out.swap_info}) {
        back += max_align;
        if (back > size) return cut_short(fmt::format("a trailer with fields of {} bytes", max_align), 0, size);
        *field = file[static_cast<std::size_t>(size - back)];
    }
    back += max_align;
    const auto swap_size = clipped(file, size > back ? size - back : 0, size + 4 > back ? size + 4 - back : 0);
    for (std::size_t i = 0; i < swap_size.size(); ++i)
        out.swap_size |= static_cast<std::uint32_t>(swap_size[i]) << (8 * i);
    if (encrypted) {
        if (!std::has_single_bit(max_align))
            return fail(
                Errc::image_malformed,
                fmt::format("expected an alignment that is a power of two in the trailer, found {}", max_align));
        out.key_field_length = static_cast<std::uint32_t>(2 * std::max<std::uint64_t>(16, max_align));
    }
    return out;
}

Result<DumpTrailer> read_trailer(BytesView file, bool encrypted) {
    DumpTrailer out;
    const auto magic = file.last(sizeof boot_magic);
    out.magic = to_bytes(magic);
    if (std::ranges::equal(magic, boot_magic)) {
        TRY(out.fields, read_fields(file, 8, encrypted));
    } else if (std::ranges::equal(magic.last(sizeof wide_magic), wide_magic)) {
        TRY(out.fields, read_fields(file, load_le16(magic.data()), encrypted));
    }
    return out;
}

Result<int> run(const Arguments& arguments, Streams& streams) {
    const auto path = arguments.text("IMGFILE");
    const auto out_path = arguments.text("--outfile");
    auto format = arguments.text("--format");
    if (format.empty()) format = arguments.has("--outfile") ? "yaml" : "human";
    TRY(const auto file, read_image(path, fmt::format("Image file not found ({})", printable(path))));
    TRY(const auto dump, read_dump(file.bytes, std::filesystem::path(path).filename().string()));
    if (dump.trailer && !dump.trailer->fields) streams.out = "Warning: the trailer magic value is invalid!\n";
    auto text = format == "json" ? dump_json(dump) : format == "yaml" ? dump_yaml(dump) : dump_human(dump);
    if (!out_path.empty()) {
        TRY_VOID(write_plain(out_path, as_bytes(text)));
        return 0;
    }
    streams.out += text;
    if (format == "json") streams.out += '\n';
    return 0;
}

}  // namespace

Result<Dump> read_dump(BytesView file, std::string file_name) {
    if (file.size() < header_read) return cut_short("a header of 32 bytes", 0, file.size());
    const auto* header = file.data();
    Dump out;
    out.file_name = std::move(file_name);
    out.magic = load_le32(header);
    out.load_address = load_le32(header + 4);
    out.header_size = load_le16(header + 8);
    out.protected_size = load_le16(header + 10);
    out.image_size = load_le32(header + 12);
    out.flags = load_le32(header + 16);
    out.version = image::Version{header[20], header[21], load_le16(header + 22), load_le32(header + 24)}.full();
    std::uint64_t offset = std::uint64_t{out.header_size} + out.image_size;
    if (out.protected_size != 0) {
        TRY(out.protected_area, read_area(file, offset));
    }
    const auto begin = offset;
    TRY(out.area, read_area(file, offset));
    const bool encrypted = (out.flags & (image::flag::encrypted_aes128 | image::flag::encrypted_aes256)) != 0;
    if (begin + out.area.total != file.size()) {
        TRY(out.trailer, read_trailer(file, encrypted));
    }
    return out;
}

Command dumpinfo_command() {
    return {"dumpinfo",
            "Show header, TLVs and trailer of an image",
            {{{"-s", "--silent"}, Kind::flag, "accepted for older builds; has no effect"},
             {{"-f", "--format"}, Kind::choice, "form; human, or yaml with -o", {"human", "yaml", "json"}},
             {{"-o", "--outfile"}, Kind::text, "file to write; standard output without it"},
             {{"IMGFILE"}, Kind::argument, ""}},
            run};
}

}  // namespace fota::cli::imgtool
