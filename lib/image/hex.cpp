#include "image/hex.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "base/text.hpp"

namespace fota::image {
namespace {

constexpr std::uint64_t address_space = 1ULL << 32;

constexpr std::size_t record_bytes = 16;           // of data, in what is written
constexpr std::size_t longest_kept = 1024;         // of a line; the longest record has 521 characters
constexpr std::size_t handed_over_at = 32 * 1024;  // characters of what is written
/// In front of the data, and behind it, for what will become of it: then it is not copied once more.
constexpr std::uint64_t room_for_header_and_tlvs = 8192;

/// Of each character its value as a hexadecimal digit; 0x80: it is none.
constexpr auto digits = [] {
    std::array<std::uint8_t, 256> out{};
    out.fill(0x80);
    for (std::uint8_t i = 0; i < 10; ++i) out[static_cast<std::uint8_t>('0') + i] = i;
    for (std::uint8_t i = 0; i < 6; ++i)
        out[static_cast<std::uint8_t>('A') + i] = out[static_cast<std::uint8_t>('a') + i] =
            static_cast<std::uint8_t>(10 + i);
    return out;
}();

std::uint8_t digit(char c) noexcept {
    return digits[static_cast<unsigned char>(c)];
}

}  // namespace

Failure HexReader::wrong(std::size_t line, std::string_view expected, std::string_view found) {
    return fail(Error(Errc::image_malformed,
                      fmt::format("line {} of the Intel HEX file: expected {}, found {}", line, expected, found))
                    .with("line", std::to_string(line)));
}

Result<> HexReader::feed(BytesView bytes) {
    auto text = as_text(bytes);
    while (!text.empty()) {
        const auto end = text.find('\n');
        const auto part = text.substr(0, end);
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
        if (end == std::string_view::npos) {
            keep(part);
        } else if (kept_.empty()) {
            TRY_VOID(line(part, 0));
        } else {
            keep(part);
            TRY_VOID(kept_line());
        }
    }
    return {};
}

void HexReader::keep(std::string_view part) {
    const auto room = std::min(part.size(), longest_kept - kept_.size());
    kept_ += part.substr(0, room);
    if (part.size() == room) return;
    left_out_ += part.size() - room;
    left_out_ends_with_return_ = part.ends_with('\r');
}

Result<> HexReader::kept_line() {
    if (left_out_ > 0 && left_out_ends_with_return_) --left_out_;
    TRY_VOID(line(kept_, left_out_));
    kept_.clear();
    left_out_ = 0;
    return {};
}

Result<> HexReader::line(std::string_view text, std::size_t left_out) {
    ++line_;
    if (left_out == 0 && text.ends_with('\r')) text.remove_suffix(1);
    if (text.empty()) return {};
    if (ended_) return wrong("nothing after the end record", "more");
    ++records_;
    return record(text, left_out);
}

Result<> HexReader::record(std::string_view text, std::size_t left_out) {
    if (text.front() != ':')
        return wrong("a record that begins with \":\"", fmt::format("\"{}\"", printable(text, 40)));
    text.remove_prefix(1);
    // The longest record there can be: count, address, type, 255 bytes, checksum.
    std::array<std::uint8_t, 260> bytes{};
    if (text.size() % 2 != 0 || text.size() < 10 || text.size() > 2 * bytes.size())
        return wrong("an even number of 10 to 520 digits", std::to_string(text.size() + left_out));
    std::uint8_t sum = 0;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const auto high = digit(text[i]);
        const auto low = digit(text[i + 1]);
        if ((high | low) >= 0x80)
            return wrong("hexadecimal digits", fmt::format("\"{}\"", printable(text.substr(i, 2))));
        bytes[i / 2] = static_cast<std::uint8_t>(high << 4 | low);
        sum = static_cast<std::uint8_t>(sum + bytes[i / 2]);
    }
    const std::size_t count = bytes[0];
    if (text.size() / 2 != count + 5)
        return wrong(fmt::format("{} bytes of data, as the record says", count), std::to_string(text.size() / 2 - 5));
    if (sum != 0)
        return wrong(fmt::format("the checksum {:02X}", static_cast<std::uint8_t>(bytes[count + 4] - sum)),
                     fmt::format("{:02X}", bytes[count + 4]));
    const auto offset = static_cast<std::uint32_t>(bytes[1] << 8 | bytes[2]);
    return interpret(bytes[3], offset, BytesView(bytes).subspan(4, count));
}

Result<> HexReader::interpret(std::uint8_t type, std::uint32_t offset, BytesView data) {
    static constexpr std::array<std::size_t, 6> counts{0, 0, 2, 4, 2, 4};
    if (type >= counts.size()) return wrong("a record of type 00 to 05", fmt::format("{:02X}", type));
    if (type != 0 && data.size() != counts[type])
        return wrong(fmt::format("{} bytes in a record of type {:02X}", counts[type], type),
                     std::to_string(data.size()));
    switch (type) {
        case 0:
            return add(std::uint64_t{base_} + offset, data);
        case 1:
            ended_ = true;
            return {};
        case 2:
            base_ = static_cast<std::uint32_t>(data[0] << 8 | data[1]) << 4;
            return {};
        case 4:
            base_ = static_cast<std::uint32_t>(data[0] << 8 | data[1]) << 16;
            return {};
        default:
            if (out_.start) return wrong("one start address", "a second one");
            out_.start = HexStart{type, {data[0], data[1], data[2], data[3]}};
            return {};
    }
}

Result<> HexReader::add(std::uint64_t address, BytesView data) {
    if (address + data.size() > address_space)
        return wrong("an address below 0x100000000", fmt::format("data up to 0x{:x}", address + data.size()));
    if (data.empty()) return {};
    if (pieces_.empty() || pieces_.back().end() != address) {
        pieces_.push_back({line_, {static_cast<std::uint32_t>(address), {}}});
        // The first one takes what follows it later on; text is at least twice as long as its data. What is only
        // reserved costs nothing until it is used.
        if (pieces_.size() == 1 && expected_ != 0)
            pieces_.back().segment.bytes.reserve(static_cast<std::size_t>(expected_ / 2 + room_for_header_and_tlvs));
    }
    append(pieces_.back().segment.bytes, data);
    return {};
}

Result<HexFile> HexReader::finish(bool may_be_empty) {
    if (!kept_.empty()) TRY_VOID(kept_line());
    if (!ended_) return wrong("an end record (:00000001FF)", "the end of the file");
    if (may_be_empty && records_ == 1) return std::move(out_);
    if (pieces_.empty()) return wrong("data", "none");
    std::ranges::sort(pieces_, {}, [](const Piece& piece) { return std::pair(piece.segment.address, piece.line); });
    std::uint64_t end = 0;
    for (auto& piece : pieces_) {
        if (!out_.segments.empty() && piece.segment.address < end)
            return wrong(piece.line, "data for addresses that have none yet",
                         fmt::format("a second value for 0x{:x}", piece.segment.address));
        const auto next = piece.end();
        if (!out_.segments.empty() && piece.segment.address == end)
            append(out_.segments.back().bytes, piece.segment.bytes);
        else
            out_.segments.push_back(std::move(piece.segment));
        end = next;
        piece.segment.bytes = {};
    }
    return std::move(out_);
}

std::uint32_t HexFile::first_address() const noexcept {
    return segments.empty() ? 0 : segments.front().address;
}

std::uint64_t HexFile::end_address() const noexcept {
    return segments.empty() ? 0 : std::uint64_t{segments.back().address} + segments.back().bytes.size();
}

Result<Bytes> HexFile::flat(std::uint8_t fill, std::uint64_t limit) const& {
    return HexFile(*this).flat(fill, limit);
}

Result<Bytes> HexFile::flat(std::uint8_t fill, std::uint64_t limit) && {
    const auto size = end_address() - first_address();
    if (size > limit)
        return fail(Errc::image_too_large,
                    fmt::format("expected an Intel HEX file that spans at most {} bytes, found 0x{:x} to 0x{:x}",
                                with_thousands(limit), first_address(), end_address()));
    if (segments.empty()) return Bytes{};
    const auto first = first_address();
    auto out = std::move(segments.front().bytes);
    out.reserve(static_cast<std::size_t>(size));
    for (auto& each : std::span(segments).subspan(1)) {
        out.resize(each.address - first, fill);
        append(out, each.bytes);
        each.bytes = {};
    }
    segments.clear();
    return out;
}

Result<HexFile> parse_hex(BytesView text) {
    HexReader reader;
    TRY_VOID(reader.feed(text));
    return reader.finish();
}

bool looks_like_hex(BytesView bytes) noexcept {
    return bytes.size() >= 2 && bytes[0] == ':' && digit(static_cast<char>(bytes[1])) < 0x80;
}

HexWriter::HexWriter(Sink sink, std::uint64_t end, const std::optional<HexStart>& start) : sink_(std::move(sink)) {
    if (start) record(start->type, 0, start->value);
    if (end <= 0x10000) upper_ = 0;
}

Result<> HexWriter::add(std::uint32_t address, BytesView bytes) {
    if (address != next_) flush_pending();
    next_ = std::uint64_t{address} + bytes.size();
    while (!bytes.empty()) {
        const auto until_next_64k = std::size_t{0x10000} - (address & 0xffff);
        const auto count = std::min({bytes.size(), record_bytes - pending_.size(), until_next_64k});
        if (count == record_bytes) {
            data_record(address, bytes.first(count));
        } else {
            if (pending_.empty()) pending_address_ = address;
            append(pending_, bytes.first(count));
            if (pending_.size() == record_bytes || count == until_next_64k) flush_pending();
        }
        bytes = bytes.subspan(count);
        address += static_cast<std::uint32_t>(count);
        TRY_VOID(hand_over(handed_over_at));
    }
    return {};
}

Result<> HexWriter::finish() {
    flush_pending();
    record(1, 0, {});
    return hand_over(1);
}

void HexWriter::flush_pending() {
    if (!pending_.empty()) data_record(pending_address_, pending_);
    pending_.clear();
}

void HexWriter::data_record(std::uint32_t address, BytesView data) {
    if (upper_ != address >> 16) {
        upper_ = address >> 16;
        record(4, 0, std::array{static_cast<std::uint8_t>(*upper_ >> 8), static_cast<std::uint8_t>(*upper_ & 0xff)});
    }
    record(0, static_cast<std::uint16_t>(address & 0xffff), data);
}

void HexWriter::record(std::uint8_t type, std::uint16_t offset, BytesView data) {
    static constexpr std::string_view digits_upper = "0123456789ABCDEF";
    std::array<char, 2 * (record_bytes + 5) + 2> line{};
    std::size_t used = 0;
    std::uint8_t sum = 0;
    const auto put = [&](std::uint8_t byte) {
        sum = static_cast<std::uint8_t>(sum + byte);
        line[used++] = digits_upper[byte >> 4];
        line[used++] = digits_upper[byte & 15];
    };
    line[used++] = ':';
    put(static_cast<std::uint8_t>(data.size()));
    put(static_cast<std::uint8_t>(offset >> 8));
    put(static_cast<std::uint8_t>(offset & 0xff));
    put(type);
    for (const auto byte : data) put(byte);
    put(static_cast<std::uint8_t>(-sum));
    line[used++] = '\n';
    text_.append(line.data(), used);
}

Result<> HexWriter::hand_over(std::size_t least) {
    if (text_.size() < least) return {};
    TRY_VOID(sink_(text_));
    text_.clear();
    return {};
}

std::string write_hex(const HexFile& file) {
    std::string out;
    const auto keep = [&](std::string_view text) -> Result<> {
        out += text;
        return {};
    };
    HexWriter writer(keep, file.end_address(), file.start);
    for (const auto& each : file.segments) (void)writer.add(each.address, each.bytes);
    (void)writer.finish();
    return out;
}

}  // namespace fota::image
