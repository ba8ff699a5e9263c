#include "coap/message.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace fota::coap {
namespace {

constexpr std::uint8_t version = 1;
constexpr std::uint8_t payload_marker = 0xff;
/// The longest value that delta and length of RFC 7252 section 3.1 can express.
constexpr std::size_t longest_option = 269 + 0xffff;

Failure malformed(std::string what) {
    return fail(Errc::message_malformed, "CoAP message: " + std::move(what));
}

/// Nibble and extension bytes of an option delta or length.
std::uint8_t put_extended(std::uint32_t value, Bytes& extension) {
    if (value < 13) return static_cast<std::uint8_t>(value);
    if (value < 269) {
        extension.push_back(static_cast<std::uint8_t>(value - 13));
        return 13;
    }
    const auto rest = value - 269;
    extension.push_back(static_cast<std::uint8_t>(rest >> 8));
    extension.push_back(static_cast<std::uint8_t>(rest & 0xff));
    return 14;
}

struct Reader {
    BytesView rest;

    std::optional<std::uint32_t> extended(std::uint8_t nibble) {
        if (nibble < 13) return nibble;
        const std::size_t length = nibble == 13 ? 1 : 2;
        if (nibble == 15 || rest.size() < length) return std::nullopt;
        const std::uint32_t value =
            length == 1 ? rest[0] + 13u : (static_cast<std::uint32_t>(rest[0]) << 8 | rest[1]) + 269u;
        rest = rest.subspan(length);
        return value;
    }
};

}  // namespace

std::string code_text(Code code) {
    const auto value = static_cast<unsigned>(code);
    return fmt::format("{}.{:02}", value >> 5, value & 0x1f);
}

Token::Token(BytesView bytes) : size_(static_cast<std::uint8_t>(std::min<std::size_t>(bytes.size(), bytes_.size()))) {
    std::copy_n(bytes.begin(), size_, bytes_.begin());
}

Token Token::of(std::uint64_t random) {
    std::array<std::uint8_t, 8> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(random >> (8 * i));
    return Token(bytes);
}

std::optional<std::uint8_t> szx_of(std::uint64_t block_size) noexcept {
    for (std::uint8_t szx = 0; szx <= 6; ++szx)
        if (block_size == (1u << (szx + 4))) return szx;
    return std::nullopt;
}

std::optional<BytesView> Message::option(OptionNumber number) const {
    for (const auto& each : options)
        if (each.number == static_cast<std::uint16_t>(number)) return BytesView(each.value);
    return std::nullopt;
}

std::optional<std::uint32_t> Message::uint_option(OptionNumber number) const {
    const auto value = option(number);
    if (!value || value->size() > 4) return std::nullopt;
    std::uint32_t out = 0;
    for (auto byte : *value) out = out << 8 | byte;
    return out;
}

std::vector<std::string> Message::texts(OptionNumber number) const {
    std::vector<std::string> out;
    for (const auto& each : options)
        if (each.number == static_cast<std::uint16_t>(number)) out.emplace_back(as_text(each.value));
    return out;
}

void Message::add(OptionNumber number, BytesView value) {
    options.push_back({static_cast<std::uint16_t>(number), to_bytes(value)});
}

void Message::add_uint(OptionNumber number, std::uint32_t value) {
    Bytes bytes;
    for (int shift = 24; shift >= 0; shift -= 8)
        if (const auto byte = static_cast<std::uint8_t>(value >> shift); byte != 0 || !bytes.empty())
            bytes.push_back(byte);
    add(number, bytes);
}

void Message::remove(OptionNumber number) {
    std::erase_if(options, [&](const Option& each) { return each.number == static_cast<std::uint16_t>(number); });
}

void Message::set_path(std::string_view path) {
    remove(OptionNumber::uri_path);
    while (!path.empty()) {
        if (path.front() == '/') path.remove_prefix(1);
        const auto segment = path.substr(0, path.find('/'));
        if (!segment.empty()) add(OptionNumber::uri_path, segment);
        path.remove_prefix(segment.size());
    }
}

std::string Message::path() const {
    std::string out;
    for (const auto& segment : texts(OptionNumber::uri_path)) out += "/" + segment;
    return out.empty() ? "/" : out;
}

std::optional<Block> Message::block(OptionNumber number) const {
    const auto value = option(number);
    if (!value || value->size() > 3) return std::nullopt;
    std::uint32_t bits = 0;
    for (auto byte : *value) bits = bits << 8 | byte;
    if ((bits & 7) == 7) return std::nullopt;
    return Block{bits >> 4, (bits & 8) != 0, static_cast<std::uint8_t>(bits & 7)};
}

void Message::set_block(OptionNumber number, Block block) {
    remove(number);
    add_uint(number, block.num << 4 | (block.more ? 8u : 0u) | block.szx);
}

bool understands(const Message& message, std::span<const OptionNumber> known) {
    const auto fits = [&](const Option& option) {
        if (!is_critical(option.number)) return true;
        const auto number = static_cast<OptionNumber>(option.number);
        if (std::ranges::find(known, number) == known.end()) return false;
        const bool repeatable =
            number == OptionNumber::if_match || number == OptionNumber::uri_path || number == OptionNumber::uri_query;
        return repeatable || std::ranges::count(message.options, option.number, &Option::number) == 1;
    };
    return std::ranges::all_of(message.options, fits);
}

Message make_request(Code method, std::string_view path) {
    Message out;
    out.code = method;
    out.set_path(path);
    return out;
}

Result<Bytes> encode(const Message& message) {
    const auto token = message.token.view();
    Bytes out{static_cast<std::uint8_t>(version << 6 | static_cast<unsigned>(message.type) << 4 | token.size()),
              static_cast<std::uint8_t>(message.code), static_cast<std::uint8_t>(message.id >> 8),
              static_cast<std::uint8_t>(message.id & 0xff)};
    append(out, token);
    // By number, repeated options in their order; the index makes a plain sort stable.
    std::vector<std::pair<std::uint16_t, std::size_t>> sorted;
    sorted.reserve(message.options.size());
    for (const auto& each : message.options) sorted.emplace_back(each.number, sorted.size());
    std::ranges::sort(sorted);
    std::uint16_t previous = 0;
    for (const auto& [number, index] : sorted) {
        const auto& value = message.options[index].value;
        if (value.size() > longest_option)
            return malformed(
                fmt::format("expected an option value of at most {} bytes, found {}", longest_option, value.size()));
        Bytes delta_extension;
        Bytes length_extension;
        const auto delta = put_extended(static_cast<std::uint32_t>(number - previous), delta_extension);
        const auto length = put_extended(static_cast<std::uint32_t>(value.size()), length_extension);
        out.push_back(static_cast<std::uint8_t>(delta << 4 | length));
        append(out, delta_extension);
        append(out, length_extension);
        append(out, value);
        previous = number;
    }
    if (!message.payload.empty()) {
        out.push_back(payload_marker);
        append(out, message.payload);
    }
    return out;
}

std::optional<Header> peek(BytesView datagram) noexcept {
    if (datagram.size() < 4 || datagram[0] >> 6 != version) return std::nullopt;
    return Header{static_cast<Type>(datagram[0] >> 4 & 3), static_cast<std::uint16_t>(datagram[2] << 8 | datagram[3]),
                  static_cast<Code>(datagram[1])};
}

Result<Message> decode(BytesView datagram) {
    const auto header = peek(datagram);
    if (!header) return malformed("expected at least 4 bytes of version 1, found something else");
    const std::size_t token_length = datagram[0] & 15;
    if (token_length > 8) return malformed(fmt::format("expected a token of at most 8 bytes, found {}", token_length));
    const auto token = slice(datagram, 4, token_length);
    if (!token) return malformed("the token is cut short");
    Message out;
    out.type = header->type;
    out.code = header->code;
    out.id = header->id;
    out.token = Token(*token);
    Reader reader{datagram.subspan(4 + token_length)};
    if (out.code == Code::empty && (token_length != 0 || !reader.rest.empty()))
        return malformed("expected nothing after the header of an empty message");
    std::uint32_t number = 0;
    while (!reader.rest.empty()) {
        const auto lead = reader.rest[0];
        reader.rest = reader.rest.subspan(1);
        if (lead == payload_marker) {
            if (reader.rest.empty()) return malformed("expected a payload after its marker, found none");
            out.payload = to_bytes(reader.rest);
            break;
        }
        const auto delta = reader.extended(lead >> 4);
        const auto length = delta ? reader.extended(lead & 15) : std::nullopt;
        if (!delta || !length) return malformed("an option's delta or length is reserved or cut short");
        number += *delta;
        if (number > std::numeric_limits<std::uint16_t>::max())
            return malformed(fmt::format("expected an option number of at most 65535, found {}", number));
        const auto value = slice(reader.rest, 0, *length);
        if (!value)
            return malformed(
                fmt::format("expected {} bytes of option {}, found {}", *length, number, reader.rest.size()));
        out.options.push_back({static_cast<std::uint16_t>(number), to_bytes(*value)});
        reader.rest = reader.rest.subspan(*length);
    }
    return out;
}

}  // namespace fota::coap
