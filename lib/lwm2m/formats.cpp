#include "lwm2m/formats.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace fota::lwm2m {
namespace {

Result<std::vector<Entry>> decode_any(Format format, const Path& path, BytesView payload) {
    switch (format) {
        case Format::text:
            return decode_text(path, payload);
        case Format::opaque:
            return decode_opaque(path, payload);
        case Format::cbor:
            return decode_cbor(path, payload);
        case Format::senml_json:
            return decode_senml_json(payload);
        case Format::senml_cbor:
            return decode_senml_cbor(payload);
        case Format::tlv:
            return decode_tlv(path, payload);
        case Format::lwm2m_json:
            return decode_lwm2m_json(path, payload);
        case Format::link:
        case Format::lwm2m_cbor:
            break;
    }
    return fail(Errc::internal, "a format without values was to be decoded");
}

Failure not_expressible(const Path& path, std::string why) {
    return fail(Errc::usage, fmt::format("writing {}: {}", path.text(), why));
}

}  // namespace

std::optional<Format> format_of(std::uint32_t number) noexcept {
    switch (number) {
        case 0:
        case 42:
        case 60:
        case 110:
        case 112:
        case 11542:
        case 11543:
            return static_cast<Format>(number);
        case 1542:
            return Format::tlv;
        case 1543:
            return Format::lwm2m_json;
        default:
            return std::nullopt;
    }
}

std::string format_name(std::uint32_t number) {
    const auto named = [&](std::string_view name) { return fmt::format("{} ({})", name, number); };
    if (number == static_cast<std::uint32_t>(Format::link)) return named("link-format");
    const auto format = format_of(number);
    if (!format) return std::to_string(number);
    switch (*format) {
        case Format::text:
            return named("text");
        case Format::opaque:
            return named("opaque");
        case Format::cbor:
            return named("CBOR");
        case Format::senml_json:
            return named("SenML JSON");
        case Format::senml_cbor:
            return named("SenML CBOR");
        case Format::tlv:
            return named("TLV");
        case Format::lwm2m_json:
            return named("LwM2M JSON");
        default:
            return std::to_string(number);
    }
}

Result<std::vector<Entry>> decode(const Path& path, std::optional<std::uint32_t> format, BytesView payload) {
    const auto known = format_of(format.value_or(0));
    if (!known)
        return fail(Errc::message_malformed,
                    fmt::format("value of {}: expected Content-Format 0 (text), 42 (opaque), 60 (CBOR), 110 or 112 "
                                "(SenML), 11542 (TLV) or 11543 (JSON), found {}",
                                path.text(), *format));
    if (payload.size() > longest_payload)
        return fail(Errc::message_malformed, fmt::format("value of {}: expected at most {} bytes, found {}",
                                                         path.text(), longest_payload, payload.size()));
    TRY(auto entries, in_context(decode_any(*known, path, payload), fmt::format("value of {}", path.text())));
    const bool some = !entries.empty();
    std::erase_if(entries, [&](const Entry& entry) { return !path.covers(entry.path); });
    if (entries.empty() && some)
        return fail(Errc::message_malformed,
                    fmt::format("value of {}: expected values at this path, found others", path.text()));
    return entries;
}

Result<Bytes> encode(Format format, const Path& path, std::span<const Entry> entries) {
    for (const auto& entry : entries) {
        if (!path.covers(entry.path) || !entry.path.resource)
            return not_expressible(path,
                                   fmt::format("expected a resource at or below it, found {}", entry.path.text()));
        if (std::holds_alternative<Untyped>(entry.value))
            return not_expressible(path, fmt::format("expected a typed value of {}", entry.path.text()));
    }
    const bool single = format == Format::text || format == Format::opaque || format == Format::cbor;
    if (single && (entries.size() != 1 || entries[0].path != path))
        return not_expressible(path, fmt::format("expected one value of one resource in {}, found {} entries",
                                                 format_name(static_cast<std::uint32_t>(format)), entries.size()));
    switch (format) {
        case Format::text:
            return encode_text(entries[0].value);
        case Format::opaque:
            return encode_opaque(entries[0].value);
        case Format::cbor:
            return encode_cbor(entries[0].value);
        case Format::tlv:
            return encode_tlv(path, entries);
        case Format::senml_json:
            return encode_senml_json(path, entries);
        case Format::senml_cbor:
            return encode_senml_cbor(path, entries);
        default:
            return not_expressible(path, fmt::format("expected a format that can be written, found {}",
                                                     format_name(static_cast<std::uint32_t>(format))));
    }
}

}  // namespace fota::lwm2m
