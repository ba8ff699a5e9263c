#include "smp/message.hpp"

#include <fmt/format.h>

namespace fota::smp {

std::string group_name(std::uint16_t number) {
    switch (number) {
        case group::os:
            return "os";
        case group::image:
            return "image";
        case group::statistics:
            return "statistics";
        case group::settings:
            return "settings";
        case group::files:
            return "files";
        case group::shell:
            return "shell";
        case group::enumeration:
            return "enumeration";
        case group::external_flash:
            return "external-flash";
        case group::zephyr_basic:
            return "zephyr-basic";
        default:
            return fmt::format("group {}", number);
    }
}

Result<Bytes> encode(const Message& message) {
    if (message.body.size() > longest_body)
        return fail(Errc::message_malformed, fmt::format("expected an SMP body of at most {} bytes, found {}",
                                                         longest_body, message.body.size()));
    const auto high = [](std::size_t number) { return static_cast<std::uint8_t>(number >> 8); };
    const auto low = [](std::size_t number) { return static_cast<std::uint8_t>(number); };
    Bytes out{static_cast<std::uint8_t>((message.version & 3) << 3 | static_cast<std::uint8_t>(message.op)),
              0,
              high(message.body.size()),
              low(message.body.size()),
              high(message.group),
              low(message.group),
              message.sequence,
              message.command};
    append(out, message.body);
    return out;
}

Result<Message> decode(BytesView bytes) {
    if (bytes.size() < header_bytes)
        return fail(Errc::message_malformed,
                    fmt::format("expected an SMP header of 8 bytes, found {} bytes", bytes.size()));
    const auto op = static_cast<std::uint8_t>(bytes[0] & 7);
    if (op > static_cast<std::uint8_t>(Op::write_response))
        return fail(Errc::message_malformed, fmt::format("expected an SMP operation of 0 to 3, found {}", op));
    const auto length = static_cast<std::size_t>(bytes[2] << 8 | bytes[3]);
    if (length != bytes.size() - header_bytes)
        return fail(Errc::message_malformed,
                    fmt::format("expected an SMP body of {} bytes, as its header says, found {}", length,
                                bytes.size() - header_bytes));
    Message message;
    message.op = static_cast<Op>(op);
    message.version = static_cast<std::uint8_t>(bytes[0] >> 3 & 3);
    message.group = static_cast<std::uint16_t>(bytes[4] << 8 | bytes[5]);
    message.sequence = bytes[6];
    message.command = bytes[7];
    message.body = to_bytes(bytes.subspan(header_bytes));
    return message;
}

bool answers(const Message& response, const Message& request) noexcept {
    const auto expected = request.op == Op::write ? Op::write_response : Op::read_response;
    return response.op == expected && response.group == request.group && response.command == request.command &&
           response.sequence == request.sequence;
}

}  // namespace fota::smp
