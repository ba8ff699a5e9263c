#include "layout/probe.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/text.hpp"
#include "layout/text.hpp"

namespace fota::layout {
namespace {

constexpr std::size_t most_dump = 4096;
constexpr std::string_view signature = "SFDP";

Result<> take_bfp(Probe& probe, Bytes bfp) {
    TRY(auto geometry, flash::decode_bfp(bfp));
    probe.bfp = std::move(bfp);
    probe.geometry = std::move(geometry);
    return {};
}

Result<> take_sfdp(Probe& probe, BytesView dump) {
    TRY(auto bfp, flash::find_bfp(dump));
    return take_bfp(probe, std::move(bfp));
}

bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// Two-digit words at the start of `text`, separated by blanks; stops at anything else ("|" before the characters).
Bytes leading_bytes(std::string_view text) {
    Bytes out;
    for (text = trim(text); !text.empty(); text = trim(text)) {
        auto word = text.substr(0, text.find_first_of(" ,\t|]"));
        text.remove_prefix(word.size());
        if (text.starts_with(',')) text.remove_prefix(1);
        if (word.starts_with("0x") || word.starts_with("0X")) word.remove_prefix(2);
        if (word.size() != 2 || !is_hex(word[0]) || !is_hex(word[1])) break;
        out.push_back((*from_hex(word))[0]);
    }
    return out;
}

/// Recorded text, line by line.
struct TextReader {
    std::optional<flash::JedecId> id;
    Bytes dump;  ///< of lines "00000000: 53 46 44 50 .."
    Bytes bfp;
    bool in_bfp = false;
    std::optional<std::uint8_t> status;

    void line(std::string_view raw) {
        auto low = std::string(trim(raw));
        for (auto& c : low)
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
        if (in_bfp) {
            add(bfp, leading_bytes(low));
            in_bfp = low.find(']') == std::string::npos;
            return;
        }
        if (const auto at = low.find("sfdp-bfp"); at != std::string::npos && bfp.empty()) {
            const auto open = low.find('[', at);
            in_bfp = true;
            if (open == std::string::npos) return;
            add(bfp, leading_bytes(std::string_view(low).substr(open + 1)));
            in_bfp = low.find(']', open) == std::string::npos;
            return;
        }
        for (const char* key : {"jedec-id", "jedec id", "jedec_id", "device id"}) {
            const auto at = id ? std::string::npos : low.find(key);
            if (at == std::string::npos) continue;
            const auto digits = low.find_first_not_of(" =:[<", at + std::string_view(key).size());
            if (digits == std::string::npos) continue;
            const auto rest = std::string_view(low).substr(digits);
            const auto bytes = leading_bytes(rest);
            if (bytes.size() >= 3) {
                id = flash::JedecId{bytes[0], bytes[1], bytes[2]};
            } else if (auto word = rest.substr(rest.starts_with("0x") ? 2 : 0); word.size() >= 6) {
                id = flash::parse_jedec_id(word.substr(0, 6));
            }
        }
        if (const auto at = low.find("status"); at != std::string::npos && !status) {
            const auto digits = low.find("0x", at);
            if (digits != std::string::npos)
                if (const auto value = parse_number(low.substr(digits, 4))) status = static_cast<std::uint8_t>(*value);
        }
        const auto colon = low.find(':');
        const auto offset = colon == std::string::npos || colon < 2
                                ? std::nullopt
                                : parse_number("0x" + low.substr(low.starts_with("0x") ? 2 : 0,
                                                                 colon - (low.starts_with("0x") ? 2 : 0)));
        if (offset && *offset == dump.size()) add(dump, leading_bytes(std::string_view(low).substr(colon + 1)));
    }

    static void add(Bytes& to, const Bytes& more) {
        if (to.size() + more.size() <= most_dump) append(to, more);
    }
};

Result<Probe> of_text(std::string_view text, Probe probe) {
    TextReader reader;
    for_each_line(text, [&](unsigned, std::string_view line) { reader.line(line.substr(0, 4096)); });
    probe.id = reader.id;
    probe.status = reader.status;
    if (!reader.bfp.empty()) {
        TRY_VOID(take_bfp(probe, std::move(reader.bfp)));
    } else if (as_text(reader.dump).starts_with(signature)) {
        TRY_VOID(take_sfdp(probe, reader.dump));
    }
    if (!probe.id && probe.bfp.empty())
        return fail(Errc::message_malformed,
                    "expected a JEDEC id (jedec-id = [..]) or an SFDP table (sfdp-bfp = [..], a dump that begins with "
                    "53 46 44 50), found neither");
    return probe;
}

Result<Probe> of_json(const nlohmann::json& document, Probe probe) {
    const auto text = [&](const char* key) {
        const auto it = document.find(key);
        return it != document.end() && it->is_string() ? it->get<std::string>() : std::string();
    };
    if (text("format") != probe_format)
        return fail(Errc::message_malformed, fmt::format("expected a probe file of format {}, found {}", probe_format,
                                                         printable(text("format"), 40)));
    if (const auto id = text("jedec_id"); !id.empty()) {
        probe.id = flash::parse_jedec_id(id);
        if (!probe.id)
            return fail(Errc::message_malformed,
                        fmt::format("expected jedec_id of three bytes, found {}", printable(id, 40)));
    }
    if (const auto bfp = text("bfp"); !bfp.empty()) {
        auto bytes = from_hex(bfp);
        if (!bytes || bytes->size() > most_dump)
            return fail(Errc::message_malformed, "expected bfp in hexadecimal, found something else");
        TRY_VOID(take_bfp(probe, std::move(*bytes)));
    }
    if (const auto it = document.find("status"); it != document.end() && it->is_number_unsigned())
        probe.status = static_cast<std::uint8_t>(it->get<std::uint64_t>() & 0xffU);
    if (!probe.id && probe.bfp.empty())
        return fail(Errc::message_malformed, "expected jedec_id or bfp in the probe file, found neither");
    return probe;
}

}  // namespace

Result<Probe> parse_probe(BytesView recorded, std::string name) {
    Probe probe;
    probe.name = std::move(name);
    const auto text = as_text(recorded);
    if (text.starts_with(signature)) {
        TRY_VOID(take_sfdp(probe, recorded));
        return probe;
    }
    if (text.size() > 7 && text.substr(3).starts_with(signature)) {
        probe.id = flash::JedecId{recorded[0], recorded[1], recorded[2]};
        TRY_VOID(take_sfdp(probe, recorded.subspan(3)));
        return probe;
    }
    if (recorded.size() == 3) {
        probe.id = flash::JedecId{recorded[0], recorded[1], recorded[2]};
        return probe;
    }
    if (trim(text.substr(0, 64)).starts_with('{')) {
        const auto document = nlohmann::json::parse(text, nullptr, false);
        if (document.is_object()) return of_json(document, std::move(probe));
    }
    return of_text(text, std::move(probe));
}

Result<Probe> live_probe(BytesView jedec_id, Bytes bfp, std::string name) {
    Probe probe;
    probe.name = std::move(name);
    if (!jedec_id.empty()) {
        if (jedec_id.size() != 3)
            return fail(Errc::message_malformed,
                        fmt::format("expected a JEDEC id of three bytes, found {}", jedec_id.size()));
        probe.id = flash::JedecId{jedec_id[0], jedec_id[1], jedec_id[2]};
    }
    if (bfp.size() > most_dump)
        return fail(Errc::message_malformed,
                    fmt::format("expected an SFDP table of at most {} bytes, found {}", most_dump, bfp.size()));
    if (!bfp.empty()) {
        TRY_VOID(take_bfp(probe, std::move(bfp)));
    }
    if (!probe.id && probe.bfp.empty())
        return fail(Errc::message_malformed,
                    "expected a JEDEC id or an SFDP table, found that the device tells neither");
    return probe;
}

nlohmann::json to_json(const Probe& probe) {
    nlohmann::json out = {{"format", probe_format}};
    if (probe.id) {
        out["jedec_id"] = flash::jedec_text(*probe.id);
        if (const auto* part = flash::find_part(*probe.id)) out["part"] = part->name;
    }
    if (probe.geometry) {
        out["size"] = probe.geometry->size;
        out["page_size"] = probe.geometry->page_size;
        out["page_program_us"] = probe.geometry->page_program_us;
        out["address_mode"] = flash::address_mode_name(probe.geometry->address_mode);
        auto& erase = out["erase"] = nlohmann::json::array();
        for (const auto& one : probe.geometry->erase)
            erase.push_back({{"size", one.size}, {"opcode", one.opcode}, {"typical_ms", one.typical_ms}});
        out["bfp"] = to_hex(probe.bfp);
    }
    if (probe.status) out["status"] = *probe.status;
    return out;
}

}  // namespace fota::layout
