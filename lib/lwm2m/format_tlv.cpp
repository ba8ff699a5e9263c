// TLV, 11542 (OMA LwM2M Core 1.1, section 7.4.3; types in appendix C).
#include <fmt/format.h>

#include <bit>
#include <limits>

#include "lwm2m/formats.hpp"

namespace fota::lwm2m {
namespace {

enum class Kind : std::uint8_t { object_instance = 0, resource_instance = 1, multiple_resource = 2, resource = 3 };

struct Tlv {
    Kind kind;
    std::uint16_t id;
    BytesView value;
};

std::uint32_t load_big_endian(BytesView bytes) {
    std::uint32_t value = 0;
    for (const auto byte : bytes) value = value << 8 | byte;
    return value;
}

/// Takes the next entry off `rest`; nullopt when it does not hold a whole one.
std::optional<Tlv> take(BytesView& rest) {
    if (rest.empty()) return std::nullopt;
    const auto type = rest[0];
    const std::size_t id_size = (type & 0x20) != 0 ? 2 : 1;
    const std::size_t length_size = (type >> 3) & 3;
    if (rest.size() < 1 + id_size + length_size) return std::nullopt;
    const auto id = load_big_endian(rest.subspan(1, id_size));
    const std::uint32_t length = length_size == 0 ? type & 7u : load_big_endian(rest.subspan(1 + id_size, length_size));
    const auto value = slice(rest, 1 + id_size + length_size, length);
    if (!value) return std::nullopt;
    rest = rest.subspan(1 + id_size + length_size + length);
    return Tlv{static_cast<Kind>(type >> 6), static_cast<std::uint16_t>(id), *value};
}

std::string_view kind_name(Kind kind) {
    switch (kind) {
        case Kind::object_instance:
            return "an object instance";
        case Kind::resource_instance:
            return "a resource instance";
        case Kind::multiple_resource:
            return "a multiple resource";
        case Kind::resource:
            break;
    }
    return "a resource";
}

class Reader {
  public:
    explicit Reader(const Path& asked) : asked_(asked) {}

    Result<> level(BytesView bytes, const Path& above) {
        while (!bytes.empty()) {
            const auto entry = take(bytes);
            if (!entry) return fail(Errc::message_malformed, "expected a whole TLV entry, found less");
            TRY_VOID(one(*entry, above));
        }
        return {};
    }

    std::vector<Entry> entries;

  private:
    Result<> one(const Tlv& tlv, const Path& above) {
        Path path = above;
        switch (tlv.kind) {
            case Kind::object_instance:
                if (above.instance) return misplaced(tlv, above);
                path.instance = tlv.id;
                return level(tlv.value, path);
            case Kind::multiple_resource:
            case Kind::resource:
                if (above.resource) return misplaced(tlv, above);
                // Read of a single-instance object: some clients leave the instance's wrapper out.
                path.instance = above.instance ? above.instance : asked_.instance.value_or(std::uint16_t{0});
                path.resource = tlv.id;
                if (tlv.kind == Kind::multiple_resource) return level(tlv.value, path);
                break;
            case Kind::resource_instance:
                if (!above.resource) {
                    // Read of a resource instance alone may come without its resource.
                    if (above.instance || !asked_.resource_instance) return misplaced(tlv, above);
                    path = asked_;
                }
                path.resource_instance = tlv.id;
                break;
        }
        if (entries.size() == most_entries)
            return fail(Errc::message_malformed,
                        fmt::format("expected at most {} values in TLV, found more", most_entries));
        entries.push_back({path, Untyped{false, to_bytes(tlv.value)}});
        return {};
    }

    static Failure misplaced(const Tlv& tlv, const Path& above) {
        return fail(Errc::message_malformed, fmt::format("expected no {} inside {}, found number {}",
                                                         kind_name(tlv.kind).substr(2), above.text(), tlv.id));
    }

    const Path& asked_;
};

void append_header(Bytes& out, Kind kind, std::uint16_t id, std::size_t length) {
    const std::size_t length_size = length < 8 ? 0 : length <= 0xff ? 1 : length <= 0xffff ? 2 : 3;
    const bool wide_id = id > 0xff;
    out.push_back(static_cast<std::uint8_t>(static_cast<unsigned>(kind) << 6 | (wide_id ? 0x20u : 0u) |
                                            length_size << 3 | (length_size == 0 ? length : 0)));
    if (wide_id) out.push_back(static_cast<std::uint8_t>(id >> 8));
    out.push_back(static_cast<std::uint8_t>(id & 0xff));
    for (auto i = length_size; i-- > 0;) out.push_back(static_cast<std::uint8_t>(length >> (8 * i)));
}

Bytes big_endian(std::uint64_t bits, std::size_t size) {
    Bytes out;
    for (auto i = size; i-- > 0;) out.push_back(static_cast<std::uint8_t>(bits >> (8 * i)));
    return out;
}

template <class Small>
bool fits(std::int64_t value) {
    return value >= std::numeric_limits<Small>::min() && value <= std::numeric_limits<Small>::max();
}

Bytes binary(const Value& value) {
    struct Binary {
        Bytes operator()(const Untyped& raw) const { return raw.bytes; }
        Bytes operator()(const std::string& text) const { return to_bytes(as_bytes(text)); }
        Bytes operator()(std::int64_t number) const {
            const std::size_t size = fits<std::int8_t>(number)    ? 1
                                     : fits<std::int16_t>(number) ? 2
                                     : fits<std::int32_t>(number) ? 4
                                                                  : 8;
            return big_endian(static_cast<std::uint64_t>(number), size);
        }
        Bytes operator()(std::uint64_t number) const {
            const std::size_t size = number <= 0xff ? 1 : number <= 0xffff ? 2 : number <= 0xffffffff ? 4 : 8;
            return big_endian(number, size);
        }
        Bytes operator()(double number) const { return big_endian(std::bit_cast<std::uint64_t>(number), 8); }
        Bytes operator()(bool flag) const { return {static_cast<std::uint8_t>(flag ? 1 : 0)}; }
        Bytes operator()(const Bytes& bytes) const { return bytes; }
        Bytes operator()(const ObjectReference& link) const {
            return big_endian(static_cast<std::uint64_t>(link.object) << 16 | link.instance, 4);
        }
    };
    return std::visit(Binary{}, value);
}

Result<> append_tlv(Bytes& out, Kind kind, std::uint16_t id, BytesView value) {
    if (value.size() > 0xffffff)
        return fail(Errc::usage, fmt::format("expected at most 16777215 bytes in TLV, found {}", value.size()));
    append_header(out, kind, id, value.size());
    append(out, value);
    return {};
}

}  // namespace

Result<std::vector<Entry>> decode_tlv(const Path& path, BytesView payload) {
    Reader reader(path);
    TRY_VOID(reader.level(payload, Path{path.object, std::nullopt, std::nullopt}));
    return std::move(reader.entries);
}

Result<Bytes> encode_tlv(const Path& path, std::span<const Entry> entries) {
    // Neighbours with the same parent share its wrapper; the order is the caller's.
    Bytes out;
    std::size_t i = 0;
    while (i < entries.size()) {
        const auto instance = entries[i].path.instance.value_or(std::uint16_t{0});
        Bytes resources;
        for (; i < entries.size() && entries[i].path.instance.value_or(std::uint16_t{0}) == instance;) {
            const auto resource = entries[i].path.resource.value_or(std::uint16_t{0});
            if (!entries[i].path.resource_instance) {
                TRY_VOID(append_tlv(resources, Kind::resource, resource, binary(entries[i].value)));
                ++i;
                continue;
            }
            Bytes instances;
            for (; i < entries.size() && entries[i].path.instance.value_or(std::uint16_t{0}) == instance &&
                   entries[i].path.resource == resource && entries[i].path.resource_instance;
                 ++i)
                TRY_VOID(append_tlv(instances, Kind::resource_instance, *entries[i].path.resource_instance,
                                    binary(entries[i].value)));
            TRY_VOID(append_tlv(resources, Kind::multiple_resource, resource, instances));
        }
        if (path.instance) {
            append(out, resources);
        } else {
            TRY_VOID(append_tlv(out, Kind::object_instance, instance, resources));
        }
    }
    return out;
}

}  // namespace fota::lwm2m
