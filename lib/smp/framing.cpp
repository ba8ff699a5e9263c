#include "smp/framing.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <boost/crc.hpp>

#include "smp/message.hpp"

namespace fota::smp {

namespace {

constexpr std::uint8_t first_line[2] = {0x06, 0x09};
constexpr std::uint8_t later_line[2] = {0x04, 0x14};
constexpr std::size_t length_bytes = 2;
constexpr std::size_t crc_bytes = 2;
constexpr std::size_t longest_packet = length_bytes + 0xffff;
/// Of a packet in one line: no server sends such a line, but nothing speaks against it.
constexpr std::size_t longest_line = (longest_packet + 2) / 3 * 4;

bool in_alphabet(std::uint8_t byte) {
    return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
           byte == '+' || byte == '/' || byte == '=';
}

/// One line of base64; nullopt when it does not decode alone.
std::optional<Bytes> decode_line(const Bytes& text) {
    if (text.empty() || text.size() % 4 != 0) return std::nullopt;
    const auto padding = static_cast<std::size_t>(std::ranges::count(text, '='));
    if (padding > 2 || !std::all_of(text.end() - static_cast<std::ptrdiff_t>(padding), text.end(),
                                    [](auto byte) { return byte == '='; }))
        return std::nullopt;
    Bytes out(text.size() / 4 * 3);
    if (EVP_DecodeBlock(out.data(), text.data(), static_cast<int>(text.size())) != static_cast<int>(out.size()))
        return std::nullopt;
    out.resize(out.size() - padding);
    return out;
}

std::size_t base64_size(std::size_t bytes) noexcept {
    return (bytes + 2) / 3 * 4;
}

}  // namespace

std::uint16_t crc16(BytesView bytes) {
    boost::crc_optimal<16, 0x1021, 0, 0, false, false> crc;
    crc.process_bytes(bytes.data(), bytes.size());
    return static_cast<std::uint16_t>(crc.checksum());
}

std::size_t console_size(std::size_t message) noexcept {
    const auto text = base64_size(message + length_bytes + crc_bytes);
    return text + (text + line_characters - 1) / line_characters * 3;
}

Result<Bytes> encode_console(BytesView message) {
    const auto length = message.size() + crc_bytes;
    if (length > 0xffff)
        return fail(Errc::message_malformed, fmt::format("expected a message of at most {} bytes, found {}",
                                                         0xffff - crc_bytes, message.size()));
    Bytes packet{static_cast<std::uint8_t>(length >> 8), static_cast<std::uint8_t>(length)};
    append(packet, message);
    const auto crc = crc16(message);
    packet.push_back(static_cast<std::uint8_t>(crc >> 8));
    packet.push_back(static_cast<std::uint8_t>(crc));

    Bytes text(base64_size(packet.size()) + 1);  // EVP_EncodeBlock ends with a NUL
    EVP_EncodeBlock(text.data(), packet.data(), static_cast<int>(packet.size()));
    text.pop_back();

    Bytes out;
    out.reserve(console_size(message.size()));
    for (std::size_t at = 0; at < text.size(); at += line_characters) {
        append(out, at == 0 ? first_line : later_line);
        append(out, BytesView(text).subspan(at, std::min(line_characters, text.size() - at)));
        out.push_back('\n');
    }
    return out;
}

void ConsoleReader::feed(BytesView bytes) {
    for (const auto byte : bytes) take(byte);
}

std::optional<Bytes> ConsoleReader::next() {
    if (messages_.empty()) return std::nullopt;
    auto message = std::move(messages_.front());
    messages_.pop_front();
    return message;
}

void ConsoleReader::take(std::uint8_t byte) {
    const auto before = std::exchange(last_, byte);
    if (before == first_line[0] && byte == first_line[1]) {
        begin_packet();
        return;
    }
    if (before == later_line[0] && byte == later_line[1]) {
        line_.clear();
        where_ = assembling_ ? Where::in_line : Where::outside;
        return;
    }
    if (where_ == Where::outside) {
        if (byte != first_line[0] && byte != later_line[0]) ++counters_.noise;
        return;
    }
    if (byte == '\n' || byte == '\r') {
        end_line();
    } else if (in_alphabet(byte) && line_.size() < longest_line) {
        line_.push_back(byte);
    } else if (byte != first_line[0] && byte != later_line[0]) {
        drop();  // a log line came in between the characters
    }
}

void ConsoleReader::begin_packet() {
    if (assembling_) drop();
    assembling_ = true;
    where_ = Where::in_line;
    line_.clear();
    packet_.clear();
}

void ConsoleReader::drop() {
    ++counters_.damaged;
    assembling_ = false;
    where_ = Where::outside;
    line_.clear();
    packet_.clear();
}

void ConsoleReader::end_line() {
    where_ = Where::outside;
    const auto decoded = decode_line(line_);
    line_.clear();
    if (!decoded) return drop();
    append(packet_, *decoded);
    if (packet_.size() < length_bytes) return drop();
    const auto length = static_cast<std::size_t>(packet_[0] << 8 | packet_[1]);
    const auto have = packet_.size() - length_bytes;
    if (have < length) return;  // more lines follow
    const auto body = BytesView(packet_).subspan(length_bytes);
    if (have > length || length < crc_bytes || crc16(body) != 0) return drop();
    messages_.push_back(to_bytes(body.first(length - crc_bytes)));
    ++counters_.packets;
    assembling_ = false;
    packet_.clear();
}

void RawReader::feed(BytesView bytes) {
    append(buffer_, bytes);
}

std::optional<Bytes> RawReader::next() {
    // Reserved bits and flags are zero; responses have op 1 and 3.
    const auto begins = [&](std::size_t at) {
        const bool ours = (buffer_[at] & 0xe5) == 1;
        return ours && (at + 1 >= buffer_.size() || buffer_[at + 1] == 0);
    };
    std::size_t skip = 0;
    while (side_ == Side::client && skip < buffer_.size() && !begins(skip)) ++skip;
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(skip));
    if (buffer_.size() < header_bytes) return std::nullopt;
    const auto size = header_bytes + static_cast<std::size_t>(buffer_[2] << 8 | buffer_[3]);
    if (buffer_.size() < size) return std::nullopt;
    const auto end = buffer_.begin() + static_cast<std::ptrdiff_t>(size);
    Bytes message(buffer_.begin(), end);
    buffer_.erase(buffer_.begin(), end);
    return message;
}

}  // namespace fota::smp
