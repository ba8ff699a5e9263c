// The content formats of LwM2M payloads (OMA LwM2M Core 1.1, section 7.4, and 1.0, section 6.4): bytes to entries and
// back. One file per format; the numbers are CoAP's (coap::Format).
//
// All decoders are strict where a value could be taken for another, and bounded: 128 KiB of payload, 1,024 entries.
// Their errors are message_malformed. Paths in a payload are full ones, without the device's alternate root.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "coap/link_format.hpp"
#include "lwm2m/data.hpp"
#include "lwm2m/operation.hpp"

namespace fota::lwm2m {

constexpr std::size_t longest_payload = 128 * 1024;
constexpr std::size_t most_entries = 1'024;

/// The format of a Content-Format number, the unregistered numbers of old TLV and JSON implementations (1542, 1543)
/// included; nullopt for one that is not read here.
std::optional<Format> format_of(std::uint32_t number) noexcept;
/// "SenML CBOR (112)"; foreign numbers as they are.
std::string format_name(std::uint32_t number);

/// What a device answered to a Read of `path`, or told in a notification: the entries at or below it, in the order of
/// the payload. An absent format counts as text. Entries elsewhere are dropped; when nothing else came, or the format
/// is unknown, it is message_malformed.
Result<std::vector<Entry>> decode(const Path& path, std::optional<std::uint32_t> format, BytesView payload);
/// A payload for a Write to `path`. Values must be typed, paths at or below it. Text, opaque and CBOR hold one value of
/// one resource. Errc::usage for what the format cannot express.
Result<Bytes> encode(Format format, const Path& path, std::span<const Entry> entries);

// The single formats, for the two functions above and for tests. `path` is what was read or is written.
Result<std::vector<Entry>> decode_text(const Path& path, BytesView payload);
Result<Bytes> encode_text(const Value& value);
Result<std::vector<Entry>> decode_opaque(const Path& path, BytesView payload);
Result<Bytes> encode_opaque(const Value& value);
Result<std::vector<Entry>> decode_cbor(const Path& path, BytesView payload);
Result<Bytes> encode_cbor(const Value& value);
/// Values stay Untyped: TLV does not say what they are. An entry without an object instance is of instance 0.
Result<std::vector<Entry>> decode_tlv(const Path& path, BytesView payload);
Result<Bytes> encode_tlv(const Path& path, std::span<const Entry> entries);
/// SenML (RFC 8428): base name, time and value are resolved, units ignored, unknown labels that end in '_' refused.
Result<std::vector<Entry>> decode_senml_json(BytesView payload);
Result<Bytes> encode_senml_json(const Path& path, std::span<const Entry> entries);
Result<std::vector<Entry>> decode_senml_cbor(BytesView payload);
Result<Bytes> encode_senml_cbor(const Path& path, std::span<const Entry> entries);
/// The JSON of LwM2M 1.0 (11543), read only; its strings stay Untyped, because opaque values are strings there too.
Result<std::vector<Entry>> decode_lwm2m_json(const Path& path, BytesView payload);

/// One line of a Discover answer.
struct Discovered {
    Path path;
    std::map<std::string, std::string> attributes;  ///< dim, ver, pmin, ...; foreign text
};
/// Links below `root` (with its final slash) that are LwM2M paths; others, such as the root itself, are left out.
Result<std::vector<Discovered>> decode_links(const std::string& root, BytesView payload);

}  // namespace fota::lwm2m
