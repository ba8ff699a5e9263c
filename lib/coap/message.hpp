// CoAP messages (RFC 7252 section 3): a value type, and its encoding for datagrams.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fota::coap {

enum class Type : std::uint8_t { con = 0, non = 1, ack = 2, rst = 3 };

/// Method and response codes, class in the upper three bits (RFC 7252 section 12.1; 8132 for FETCH and iPATCH).
enum class Code : std::uint8_t {
    empty = 0x00,
    get = 0x01,
    post = 0x02,
    put = 0x03,
    del = 0x04,
    fetch = 0x05,
    patch = 0x06,
    ipatch = 0x07,
    created = 0x41,
    deleted = 0x42,
    valid = 0x43,
    changed = 0x44,
    content = 0x45,
    continue_ = 0x5f,
    bad_request = 0x80,
    unauthorized = 0x81,
    bad_option = 0x82,
    forbidden = 0x83,
    not_found = 0x84,
    method_not_allowed = 0x85,
    not_acceptable = 0x86,
    request_entity_incomplete = 0x88,
    precondition_failed = 0x8c,
    request_entity_too_large = 0x8d,
    unsupported_content_format = 0x8f,
    internal_server_error = 0xa0,
    not_implemented = 0xa1,
    bad_gateway = 0xa2,
    service_unavailable = 0xa3,
    gateway_timeout = 0xa4,
    proxying_not_supported = 0xa5,
};

constexpr unsigned code_class(Code code) noexcept {
    return static_cast<unsigned>(code) >> 5;
}
constexpr bool is_request(Code code) noexcept {
    return code_class(code) == 0 && code != Code::empty;
}
constexpr bool is_success(Code code) noexcept {
    return code_class(code) == 2;
}
constexpr bool is_response(Code code) noexcept {
    return code_class(code) >= 2 && code_class(code) <= 5;
}
/// "4.08"
std::string code_text(Code code);

/// Option numbers (RFC 7252 section 12.2, RFC 7959 section 6, RFC 7641).
enum class OptionNumber : std::uint16_t {
    if_match = 1,
    uri_host = 3,
    etag = 4,
    if_none_match = 5,
    observe = 6,
    uri_port = 7,
    location_path = 8,
    uri_path = 11,
    content_format = 12,
    max_age = 14,
    uri_query = 15,
    accept = 17,
    location_query = 20,
    block2 = 23,
    block1 = 27,
    size2 = 28,
    proxy_uri = 35,
    proxy_scheme = 39,
    size1 = 60,
};
/// Odd numbers are critical (RFC 7252 section 5.4.1): a request with an unknown one is answered 4.02.
constexpr bool is_critical(std::uint16_t number) noexcept {
    return (number & 1) != 0;
}

/// 0 to 8 bytes.
class Token {
  public:
    Token() = default;
    /// Longer than 8 bytes: the rest is dropped.
    explicit Token(BytesView bytes);
    /// All eight bytes of a random number.
    static Token of(std::uint64_t random);
    BytesView view() const noexcept { return {bytes_.data(), size_}; }
    friend auto operator<=>(const Token&, const Token&) = default;

  private:
    std::array<std::uint8_t, 8> bytes_{};
    std::uint8_t size_ = 0;
};

/// Block1 or Block2 (RFC 7959 section 2.2).
struct Block {
    std::uint32_t num = 0;  ///< 20 bits
    bool more = false;
    std::uint8_t szx = 6;  ///< 0..6; the block holds 2^(szx+4) bytes, 16 to 1024

    std::uint32_t size() const noexcept { return 1u << (szx + 4); }
    std::uint64_t offset() const noexcept { return static_cast<std::uint64_t>(num) * size(); }
    friend bool operator==(const Block&, const Block&) = default;
};
constexpr std::uint32_t max_block_num = (1u << 20) - 1;

/// The SZX of a block size in bytes; nullopt unless it is a power of two from 16 to 1024.
std::optional<std::uint8_t> szx_of(std::uint64_t block_size) noexcept;

/// Content-Formats used by LwM2M (IANA CoAP Content-Formats; OMA LwM2M TS).
enum class Format : std::uint16_t {
    text = 0,
    link = 40,
    opaque = 42,
    cbor = 60,
    senml_json = 110,
    senml_cbor = 112,
    tlv = 11542,
    lwm2m_json = 11543,
    lwm2m_cbor = 11544,
};

struct Option {
    std::uint16_t number;
    Bytes value;
};

struct Message {
    Type type = Type::con;
    Code code = Code::empty;
    std::uint16_t id = 0;  ///< set by the message layer when it sends
    Token token;
    std::vector<Option> options;  ///< any order; encode() sorts stably by number
    Bytes payload;

    /// First value of an option as an unsigned integer (RFC 7252 section 3.2); nullopt when absent or longer than 4
    /// bytes.
    std::optional<std::uint32_t> uint_option(OptionNumber number) const;
    std::optional<BytesView> option(OptionNumber number) const;
    /// All values of a repeatable option as text, in order. Not yet printable.
    std::vector<std::string> texts(OptionNumber number) const;
    void add(OptionNumber number, BytesView value);
    void add(OptionNumber number, std::string_view text) { add(number, as_bytes(text)); }
    void add_uint(OptionNumber number, std::uint32_t value);
    void remove(OptionNumber number);

    /// "/5/0/0" <-> Uri-Path options.
    void set_path(std::string_view path);
    std::string path() const;
    void set_format(Format format) { add_uint(OptionNumber::content_format, static_cast<std::uint32_t>(format)); }
    std::optional<std::uint32_t> format() const { return uint_option(OptionNumber::content_format); }

    /// nullopt when absent, longer than 3 bytes or with the reserved SZX 7.
    std::optional<Block> block1() const { return block(OptionNumber::block1); }
    std::optional<Block> block2() const { return block(OptionNumber::block2); }
    void set_block(OptionNumber number, Block block);

  private:
    std::optional<Block> block(OptionNumber number) const;
};

/// Whether every critical option is one of `known`, and none that may stand once stands twice: the others have to be
/// treated as unknown (RFC 7252 sections 5.4.1 and 5.4.5). If not, a CON request is answered 4.02, a NON one not at
/// all.
bool understands(const Message& message, std::span<const OptionNumber> known);

/// Convenience: a CON request for a path.
Message make_request(Code method, std::string_view path);

/// The datagram. message_malformed when the message cannot be expressed (an option value over 65,804 bytes).
Result<Bytes> encode(const Message& message);

/// message_malformed, with what was expected and found, for anything RFC 7252 section 3 calls a format error. A message
/// of version 1 with a readable header but bad options still yields its type and id through `peek`, so that it can be
/// reset.
Result<Message> decode(BytesView datagram);

/// The fixed header alone: enough to reject a message.
struct Header {
    Type type;
    std::uint16_t id;
    Code code;
};
std::optional<Header> peek(BytesView datagram) noexcept;

}  // namespace fota::coap
