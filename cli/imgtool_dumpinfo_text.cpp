// The three forms of dumpinfo, byte for byte as imgtool writes them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "cli/imgtool_dumpinfo.hpp"
#include "cli/imgtool_files.hpp"

namespace fota::cli::imgtool {
namespace {

constexpr std::size_t width = 60;

struct Name {
    std::uint32_t value;
    std::string_view name;
};

// imgtool's names; the image module's own differ in a few.
constexpr std::array<Name, 25> tlv_names{{
    {0x01, "KEYHASH"},          {0x02, "PUBKEY"},        {0x10, "SHA256"},           {0x11, "SHA384"},
    {0x12, "SHA512"},           {0x20, "RSA2048"},       {0x22, "ECDSASIG"},         {0x23, "RSA3072"},
    {0x24, "ED25519"},          {0x25, "SIG_PURE"},      {0x30, "ENCRSA2048"},       {0x31, "ENCKW"},
    {0x32, "ENCEC256"},         {0x33, "ENCX25519"},     {0x34, "ENCX25519_SHA512"}, {0x40, "DEPENDENCY"},
    {0x50, "SEC_CNT"},          {0x60, "BOOT_RECORD"},   {0x70, "DECOMP_SIZE"},      {0x71, "DECOMP_SHA"},
    {0x72, "DECOMP_SIGNATURE"}, {0x73, "COMP_DEC_SIZE"}, {0x74, "UUID_VID"},         {0x75, "UUID_CID"},
    {0x76, "MANIFEST"},
}};

constexpr std::array<Name, 9> flag_names{{
    {0x1, "PIC"},
    {0x4, "ENCRYPTED_AES128"},
    {0x8, "ENCRYPTED_AES256"},
    {0x10, "NON_BOOTABLE"},
    {0x20, "RAM_LOAD"},
    {0x100, "ROM_FIXED"},
    {0x200, "COMPRESSED_LZMA1"},
    {0x400, "COMPRESSED_LZMA2"},
    {0x800, "COMPRESSED_ARM_THUMB"},
}};

std::string_view tlv_name(std::uint16_t type) {
    const auto* it = std::ranges::find(tlv_names, type, &Name::value);
    return it == tlv_names.end() ? "UNKNOWN" : it->name;
}

std::string bar(std::string_view text) {
    auto out = fmt::format("#### {} ", text);
    if (out.size() < width) out.append(width - out.size(), '#');
    return out + "\n";
}

std::string rule() {
    return std::string(width, '#') + "\n";
}

std::string framed(std::string_view title, std::string_view content) {
    const auto blank = "|" + std::string(width - 2, ' ') + "|\n";
    std::string line = "|" + std::string((width - content.size()) / 2 - 1, ' ');
    line += content;
    line += std::string(width - line.size() - 1, ' ') + "|\n";
    return bar(title) + blank + line + blank + rule();
}

std::string flags_text(std::uint32_t flags) {
    if (flags == 0) return "0x0";
    std::string out;
    for (const auto& [bit, name] : flag_names) {
        if ((flags & bit) == 0) continue;
        if (!out.empty()) out += "\n" + std::string(20, ' ');
        out += fmt::format("{} (0x{:x})", name, bit);
    }
    return out;
}

/// Eight to a line.
std::string hex_bytes(BytesView bytes, std::string_view between_lines) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        out += fmt::format("0x{:02x} ", bytes[i]);
        if ((i + 1) % 8 == 0 && i + 1 != bytes.size()) out += between_lines;
    }
    return out;
}

std::string area_text(const DumpArea& area, std::string_view title, std::uint64_t offset) {
    auto out = bar(fmt::format("{} (offset: 0x{:x})", title, offset));
    out += fmt::format("magic:     0x{:x}\narea size: 0x{:x}\n", area.magic, area.total);
    for (const auto& tlv : area.tlvs)
        out += fmt::format("        {}\n        type: {} (0x{:x})\n        len:  0x{:x}\n        data: {}\n",
                           std::string(45, '-'), tlv_name(tlv.type), tlv.type, tlv.length,
                           hex_bytes(tlv.data, "\n" + std::string(14, ' ')));
    if (area.tlvs.empty()) out += "\n";
    return out + rule();
}

std::string status_text(std::uint8_t value) {
    static constexpr std::array<std::string_view, 5> names{"", "SET", "BAD", "UNSET", "ANY"};
    return fmt::format("{} (0x{:x})", value >= 1 && value <= 4 ? names[value] : "INVALID", value);
}

std::string trailer_text(const DumpTrailer& trailer) {
    auto out = bar("Image trailer (offset: unknown)");
    out += "(Note: some fields may not be used, depending on the update \nstrategy)\n\n";
    out += "swap status: (len: unknown)\nenc. keys:   ";
    const auto& fields = trailer.fields;
    out += fields && fields->key_field_length
               ? fmt::format("(len: 0x{:x}, if BOOT_SWAP_SAVE_ENCTLV is unset)\n", *fields->key_field_length)
               : "Image not encrypted\n";
    if (fields) {
        out += fields->swap_size == 0xffff'ffff
                   ? "swap size:   unknown\n"
                   : fmt::format("swap size:   0x{:x} octal: {}\n", fields->swap_size, fields->swap_size);
        out += fmt::format("swap_info:   {}\ncopy_done:   {}\nimage_ok:    {}\n", status_text(fields->swap_info),
                           status_text(fields->copy_done), status_text(fields->image_ok));
    }
    return out + fmt::format("boot magic:  {}\n\n", hex_bytes(trailer.magic, "\n" + std::string(13, ' ')));
}

// YAML as PyYAML writes it.

/// A plain scalar where YAML 1.1 reads it back as the same text, else a quoted one.
std::string yaml_text(const std::string& text) {
    static constexpr std::array<std::string_view, 12> words{"y",    "n",     "yes",  "no", "on", "off",
                                                            "true", "false", "null", "~",  "=",  "<<"};
    auto lower = text;
    std::ranges::transform(lower, lower.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
    const bool printable_ascii = std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~'; });
    if (!printable_ascii) return nlohmann::json(text).dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
    const bool number = text.find_first_not_of("0123456789_.+-:eExXabcdefABCDEF") == std::string::npos &&
                        text.find_first_of("0123456789") != std::string::npos &&
                        (text.find_first_not_of("0123456789_.+-:") == std::string::npos || lower.starts_with("0x"));
    const bool one_dot_name = number && std::ranges::count(text, '.') > 1;
    const bool plain = !text.empty() && text.front() != ' ' && text.back() != ' ' &&
                       std::string_view("-?:,[]{}#&*!|>'\"%@`").find(text.front()) == std::string_view::npos &&
                       text.find(": ") == std::string::npos && text.find(" #") == std::string::npos &&
                       text.back() != ':' && std::ranges::find(words, lower) == words.end() &&
                       (!number || one_dot_name);
    if (plain) return text;
    std::string out = "'";
    for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
    return out + "'";
}

std::string yaml_binary(BytesView bytes, std::size_t indent) {
    static constexpr std::size_t line = 57;  // 76 digits
    if (bytes.empty()) return "!!binary \"\"\n";
    std::string out = "!!binary |\n";
    for (std::size_t i = 0; i < bytes.size(); i += line)
        out += std::string(indent, ' ') + to_base64(bytes.subspan(i, std::min(line, bytes.size() - i))) + "\n";
    return out;
}

std::string yaml_area(std::string_view suffix, const DumpArea* area) {
    if (area == nullptr) return fmt::format("  tlv_hdr{}: {{}}\n  tlvs{}: []\n", suffix, suffix);
    auto out = fmt::format("  tlv_hdr{}:\n    magic: {}\n    tlv_tot: {}\n  tlvs{}:", suffix, area->magic, area->total,
                           suffix);
    if (area->tlvs.empty()) return out + " []\n";
    out += "\n";
    for (const auto& tlv : area->tlvs)
        out += fmt::format("  - type: {}\n    type_name: {}\n    len: {}\n    data: {}", tlv.type, tlv_name(tlv.type),
                           tlv.length, yaml_binary(tlv.data, 6));
    return out;
}

// JSON.

using Json = nlohmann::ordered_json;

Json json_tlvs(const DumpArea& area) {
    auto out = Json::array();
    for (const auto& tlv : area.tlvs)
        out.push_back(
            {{"type", tlv.type}, {"type_name", tlv_name(tlv.type)}, {"len", tlv.length}, {"data", to_hex(tlv.data)}});
    return out;
}

}  // namespace

std::string dump_human(const Dump& dump) {
    auto out = fmt::format("Printing content of signed image: {} \n\n", dump.file_name);
    out += bar("Image header (offset: 0x0)");
    const auto row = [&](std::string_view name, std::string_view value) {
        out += fmt::format("{}:{}{}\n", name, std::string(19 - name.size(), ' '), value);
    };
    const auto hex = [](std::uint32_t value) { return fmt::format("0x{:x}", value); };
    row("magic", hex(dump.magic));
    row("load_addr", hex(dump.load_address));
    row("hdr_size", hex(dump.header_size));
    row("protected_tlv_size", hex(dump.protected_size));
    row("img_size", hex(dump.image_size));
    row("flags", flags_text(dump.flags));
    row("version", dump.version);
    out += rule();

    std::uint64_t offset = dump.header_size;
    out += framed(fmt::format("Payload (offset: 0x{:x})", offset),
                  fmt::format("FW image (size: 0x{:x} Bytes)", dump.image_size));
    offset += dump.image_size;
    if (dump.protected_area) out += area_text(*dump.protected_area, "Protected TLV area", offset);
    offset += dump.protected_size;
    out += area_text(dump.area, "TLV area", offset);
    if (dump.trailer) out += trailer_text(*dump.trailer);
    return out + bar("End of Image ");
}

std::string dump_yaml(const Dump& dump) {
    auto out = fmt::format("filename: {}\nheader:\n", yaml_text(dump.file_name));
    out += fmt::format(
        "  magic: {}\n  load_addr: {}\n  hdr_size: {}\n  protected_tlv_size: {}\n  img_size: {}\n  flags: {}\n",
        dump.magic, dump.load_address, dump.header_size, dump.protected_size, dump.image_size, dump.flags);
    out += fmt::format("  version: {}\ntlv_area:\n", dump.version);
    out += yaml_area("_prot", dump.protected_area ? &*dump.protected_area : nullptr);
    out += yaml_area("", &dump.area);
    if (!dump.trailer) return out + "trailer: {}\n";
    out += "trailer:\n  magic: " + yaml_binary(dump.trailer->magic, 4);
    if (const auto& fields = dump.trailer->fields) {
        out += fmt::format("  image_ok: {}\n  copy_done: {}\n  swap_info: {}\n  swap_size: {}\n", fields->image_ok,
                           fields->copy_done, fields->swap_info, fields->swap_size);
        if (fields->key_field_length) out += fmt::format("  key_field_len: {}\n", *fields->key_field_length);
    }
    return out;
}

std::string dump_json(const Dump& dump) {
    Json out;
    out["filename"] = dump.file_name;
    out["header"] = {{"magic", dump.magic},          {"load_addr", dump.load_address},
                     {"hdr_size", dump.header_size}, {"protected_tlv_size", dump.protected_size},
                     {"img_size", dump.image_size},  {"flags", dump.flags},
                     {"version", dump.version}};
    auto& area = out["tlv_area"];
    const auto& secured = dump.protected_area;
    area["tlv_hdr_prot"] = secured ? Json{{"magic", secured->magic}, {"tlv_tot", secured->total}} : Json::object();
    area["tlvs_prot"] = secured ? json_tlvs(*secured) : Json::array();
    area["tlv_hdr"] = {{"magic", dump.area.magic}, {"tlv_tot", dump.area.total}};
    area["tlvs"] = json_tlvs(dump.area);
    auto& trailer = out["trailer"] = Json::object();
    if (dump.trailer) {
        trailer["magic"] = to_hex(dump.trailer->magic);
        if (const auto& fields = dump.trailer->fields) {
            trailer["image_ok"] = fields->image_ok;
            trailer["copy_done"] = fields->copy_done;
            trailer["swap_info"] = fields->swap_info;
            trailer["swap_size"] = fields->swap_size;
            if (fields->key_field_length) trailer["key_field_len"] = *fields->key_field_length;
        }
    }
    return out.dump(2, ' ', true, Json::error_handler_t::replace);
}

}  // namespace fota::cli::imgtool
