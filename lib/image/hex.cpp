#include "image/hex.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/text.hpp"

namespace fota::image {
namespace {

constexpr std::uint64_t address_space = 1ULL << 32;

/// -1: no hexadecimal digit.
int digit(char c) noexcept {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
}

class Reader {
  public:
    Result<HexFile> read(std::string_view text) {
        while (!text.empty()) {
            ++line_;
            const auto end = text.find('\n');
            auto line = text.substr(0, end);
            text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
            if (line.ends_with('\r')) line.remove_suffix(1);
            if (line.empty()) continue;
            if (ended_) return wrong("nothing after the end record", "more");
            TRY_VOID(record(line));
        }
        if (!ended_) return wrong("an end record (:00000001FF)", "the end of the file");
        return finish();
    }

  private:
    struct Piece {
        std::size_t line = 0;
        HexSegment segment;
        std::uint64_t end() const noexcept { return std::uint64_t{segment.address} + segment.bytes.size(); }
    };

    Failure wrong(std::string_view expected, std::string_view found) const { return wrong(line_, expected, found); }
    static Failure wrong(std::size_t line, std::string_view expected, std::string_view found) {
        return fail(Error(Errc::image_malformed,
                          fmt::format("line {} of the Intel HEX file: expected {}, found {}", line, expected, found))
                        .with("line", std::to_string(line)));
    }

    Result<> record(std::string_view line) {
        if (line.front() != ':')
            return wrong("a record that begins with \":\"", fmt::format("\"{}\"", printable(line, 40)));
        line.remove_prefix(1);
        // The longest record there can be: count, address, type, 255 bytes, checksum.
        std::array<std::uint8_t, 260> bytes{};
        if (line.size() % 2 != 0 || line.size() < 10 || line.size() > 2 * bytes.size())
            return wrong("an even number of 10 to 520 digits", std::to_string(line.size()));
        std::uint8_t sum = 0;
        for (std::size_t i = 0; i < line.size(); i += 2) {
            const int high = digit(line[i]);
            const int low = digit(line[i + 1]);
            if (high < 0 || low < 0)
                return wrong("hexadecimal digits", fmt::format("\"{}\"", printable(line.substr(i, 2))));
            bytes[i / 2] = static_cast<std::uint8_t>(high << 4 | low);
            sum = static_cast<std::uint8_t>(sum + bytes[i / 2]);
        }
        const std::size_t count = bytes[0];
        if (line.size() / 2 != count + 5)
            return wrong(fmt::format("{} bytes of data, as the record says", count),
                         std::to_string(line.size() / 2 - 5));
        if (sum != 0)
            return wrong(fmt::format("the checksum {:02X}", static_cast<std::uint8_t>(bytes[count + 4] - sum)),
                         fmt::format("{:02X}", bytes[count + 4]));
        const auto offset = static_cast<std::uint32_t>(bytes[1] << 8 | bytes[2]);
        return interpret(bytes[3], offset, BytesView(bytes).subspan(4, count));
    }

    Result<> interpret(std::uint8_t type, std::uint32_t offset, BytesView data) {
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

    Result<> add(std::uint64_t address, BytesView data) {
        if (address + data.size() > address_space)
            return wrong("an address below 0x100000000", fmt::format("data up to 0x{:x}", address + data.size()));
        if (data.empty()) return {};
        if (pieces_.empty() || pieces_.back().end() != address)
            pieces_.push_back({line_, {static_cast<std::uint32_t>(address), {}}});
        append(pieces_.back().segment.bytes, data);
        return {};
    }

    Result<HexFile> finish() {
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
        }
        return std::move(out_);
    }

    std::size_t line_ = 0;
    std::uint32_t base_ = 0;
    bool ended_ = false;
    std::vector<Piece> pieces_;
    HexFile out_;
};

void write_record(std::string& out, std::uint8_t type, std::uint16_t offset, BytesView data) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::uint8_t sum = 0;
    const auto put = [&](std::uint8_t byte) {
        sum = static_cast<std::uint8_t>(sum + byte);
        out += digits[byte >> 4];
        out += digits[byte & 15];
    };
    out += ':';
    put(static_cast<std::uint8_t>(data.size()));
    put(static_cast<std::uint8_t>(offset >> 8));
    put(static_cast<std::uint8_t>(offset & 0xff));
    put(type);
    for (const auto byte : data) put(byte);
    put(static_cast<std::uint8_t>(-sum));
    out += '\n';
}

}  // namespace

std::uint32_t HexFile::first_address() const noexcept {
    return segments.empty() ? 0 : segments.front().address;
}

std::uint64_t HexFile::end_address() const noexcept {
    return segments.empty() ? 0 : std::uint64_t{segments.back().address} + segments.back().bytes.size();
}

Result<Bytes> HexFile::flat(std::uint8_t fill, std::uint64_t limit) const {
    const auto size = end_address() - first_address();
    if (size > limit)
        return fail(Errc::image_too_large,
                    fmt::format("expected an Intel HEX file that spans at most {} bytes, found 0x{:x} to 0x{:x}",
                                with_thousands(limit), first_address(), end_address()));
    Bytes out(static_cast<std::size_t>(size), fill);
    for (const auto& each : segments)
        std::ranges::copy(each.bytes, out.begin() + static_cast<std::ptrdiff_t>(each.address - first_address()));
    return out;
}

Result<HexFile> parse_hex(BytesView text) {
    return Reader().read(as_text(text));
}

bool looks_like_hex(BytesView bytes) noexcept {
    return bytes.size() >= 2 && bytes[0] == ':' && digit(static_cast<char>(bytes[1])) >= 0;
}

std::string write_hex(const HexFile& file) {
    std::uint64_t total = 0;
    for (const auto& each : file.segments) total += each.bytes.size();
    std::string out;
    out.reserve(static_cast<std::size_t>(total / 16 * 44 + total / 8 + 256));
    if (file.start) write_record(out, file.start->type, 0, file.start->value);
    const bool extended = file.end_address() > 0x10000;
    std::optional<std::uint32_t> upper;
    if (!extended) upper = 0;
    for (const auto& each : file.segments) {
        BytesView rest = each.bytes;
        auto address = each.address;
        while (!rest.empty()) {
            if (upper != address >> 16) {
                upper = address >> 16;
                write_record(
                    out, 4, 0,
                    std::array{static_cast<std::uint8_t>(*upper >> 8), static_cast<std::uint8_t>(*upper & 0xff)});
            }
            const auto count = std::min({rest.size(), std::size_t{16}, std::size_t{0x10000} - (address & 0xffff)});
            write_record(out, 0, static_cast<std::uint16_t>(address & 0xffff), rest.first(count));
            rest = rest.subspan(count);
            address += static_cast<std::uint32_t>(count);
        }
    }
    write_record(out, 1, 0, {});
    return out;
}

}  // namespace fota::image
