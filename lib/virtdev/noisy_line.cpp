#include "virtdev/noisy_line.hpp"

#include <algorithm>

namespace fota::virtdev {

using boost::asio::awaitable;

namespace {

constexpr std::uint64_t damaged_line = 50;
/// Behind a line's two marker bytes, within its base64 text.
constexpr std::size_t damaged_column = 10;
constexpr std::string_view log_line = "[00:00:12.345,678] \x1b[0m<inf> app: 17 samples sent\x1b[0m\r\n";
constexpr std::string_view log_begin = "[00:00:12.345,678] <wrn> net: ";

void add(Bytes& out, std::string_view text) {
    append(out, as_bytes(text));
}

}  // namespace

void NoisyLine::damage(Bytes& bytes, Passing& passing) const {
    if (!has(SmpQuirk::corrupt)) return;
    for (auto& each : bytes) {
        if (each == '\n') {
            ++passing.lines;
            passing.column = 0;
            continue;
        }
        if (passing.column++ == damaged_column && passing.lines % damaged_line == damaged_line - 1) each ^= 0x01;
    }
}

awaitable<Result<Bytes>> NoisyLine::read(Instant deadline) {
    auto bytes = co_await line_->read(deadline);
    if (bytes) damage(*bytes, in_);
    co_return bytes;
}

awaitable<Result<>> NoisyLine::write(Bytes bytes) {
    damage(bytes, out_);
    Bytes out;
    if (has(SmpQuirk::log_lines)) add(out, log_line);
    if (has(SmpQuirk::log_in_line)) add(out, log_begin);
    for (auto rest = BytesView(bytes); !rest.empty();) {
        const auto end = std::ranges::find(rest, std::uint8_t{'\n'});
        const auto size = static_cast<std::size_t>(end - rest.begin()) + (end == rest.end() ? 0 : 1);
        append(out, rest.first(size));
        rest = rest.subspan(size);
        // Another thread prints whenever it likes, also between the lines of one message.
        if (has(SmpQuirk::log_lines)) add(out, log_line);
    }
    co_return co_await line_->write(std::move(out));
}

}  // namespace fota::virtdev
