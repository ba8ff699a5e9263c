// SenML CBOR, 112 (RFC 8428 section 6; OMA LwM2M Core 1.1, section 7.4.6): labels are integers, text where there is
// none.
#include <fmt/format.h>

#include "lwm2m/cbor_stream.hpp"
#include "lwm2m/senml.hpp"

namespace fota::lwm2m {
namespace {

using cbor::Token;
using Kind = Token::Kind;

/// One map; `head` has been read.
Result<> read_record(cbor::Reader& reader, const Token& head, senml::Pack& pack) {
    if (head.kind != Kind::map) return cbor::unexpected(head, "a record as a map");
    for (std::uint64_t i = 0; head.flag || i < head.number; ++i) {
        TRY(const auto key, reader.next());
        if (head.flag && key.kind == Kind::end) break;
        auto label = senml::Label::other;
        if (key.kind == Kind::text) {
            TRY(label, senml::label_of(as_text(key.string)));
        } else if (key.kind == Kind::unsigned_integer && key.number < 64) {
            label = senml::label_of(static_cast<std::int64_t>(key.number));
        } else if (key.kind == Kind::negative_integer && key.number < 64) {
            label = senml::label_of(-1 - static_cast<std::int64_t>(key.number));
        } else if (key.kind != Kind::unsigned_integer && key.kind != Kind::negative_integer) {
            return cbor::unexpected(key, "an integer or text as label");
        }
        TRY(const auto token, reader.next());
        TRY(auto scalar, reader.scalar(token));
        if (!scalar && label != senml::Label::other)
            return cbor::unexpected(token, fmt::format("a value of \"{}\"", senml::label_text(label)));
        if (scalar) TRY_VOID(pack.field(label, std::move(*scalar)));
    }
    return pack.end_record();
}

void append_label(Bytes& out, senml::Label label) {
    if (const auto number = senml::label_number(label)) {
        cbor::append_integer(out, *number);
    } else {
        cbor::append_text(out, senml::label_text(label));
    }
}

senml::Label label_for(const Value& value) {
    struct Choose {
        senml::Label operator()(const Untyped&) const { return senml::Label::data_value; }
        senml::Label operator()(const std::string&) const { return senml::Label::string_value; }
        senml::Label operator()(std::int64_t) const { return senml::Label::value; }
        senml::Label operator()(std::uint64_t) const { return senml::Label::value; }
        senml::Label operator()(double) const { return senml::Label::value; }
        senml::Label operator()(bool) const { return senml::Label::boolean_value; }
        senml::Label operator()(const Bytes&) const { return senml::Label::data_value; }
        senml::Label operator()(const ObjectReference&) const { return senml::Label::object_link; }
    };
    return std::visit(Choose{}, value);
}

}  // namespace

Result<std::vector<Entry>> decode_senml_cbor(BytesView payload) {
    cbor::Reader reader(payload);
    senml::Pack pack;
    TRY(const auto list, reader.next());
    if (list.kind != Kind::array) return cbor::unexpected(list, "a list of records");
    for (std::uint64_t i = 0; list.flag || i < list.number; ++i) {
        TRY(const auto head, reader.next());
        if (list.flag && head.kind == Kind::end) break;
        TRY_VOID(read_record(reader, head, pack));
    }
    if (!reader.at_end()) return fail(Errc::message_malformed, "SenML: expected one list, found more behind it");
    return pack.take();
}

Result<Bytes> encode_senml_cbor(const Path& path, std::span<const Entry> entries) {
    const auto names = senml::names_of(path, entries);
    Bytes out;
    cbor::append_array(out, entries.size());
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const auto& name = names.names[i];
        cbor::append_map(out, 1u + (i == 0 ? 1u : 0u) + (name.empty() ? 0u : 1u));
        if (i == 0) {
            append_label(out, senml::Label::base_name);
            cbor::append_text(out, names.base);
        }
        if (!name.empty()) {
            append_label(out, senml::Label::name);
            cbor::append_text(out, name);
        }
        append_label(out, label_for(entries[i].value));
        cbor::append_value(out, entries[i].value);
    }
    return out;
}

}  // namespace fota::lwm2m
