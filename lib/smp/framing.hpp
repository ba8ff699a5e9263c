// SMP messages on a serial line: as base64 lines among whatever else a console prints, or raw.
// Source: Zephyr doc/services/device_mgmt/smp_transport.rst, subsys/mgmt/mcumgr/transport/src/serial_util.c; MCUboot
// boot/boot_serial/src/boot_serial.c.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/time.hpp"

namespace fota::smp {

/// CRC-16/XMODEM: polynomial 0x1021, initially 0, not reflected.
std::uint16_t crc16(BytesView bytes);

/// Base64 characters in a line: with its two marker bytes and the newline it has the 127 bytes that servers take.
inline constexpr std::size_t line_characters = 124;

/// The lines of one message: 06 09 before the first, 04 14 before the others. message_malformed when it is too long for
/// the packet's length field.
Result<Bytes> encode_console(BytesView message);
/// Bytes that encode_console() makes of a message of this length.
std::size_t console_size(std::size_t message) noexcept;

/// Takes a line's bytes in any pieces and finds the messages. Text before, between and on the same line ahead of frames
/// is passed over; a first line always starts anew; a damaged packet costs itself alone.
class ConsoleReader {
  public:
    void feed(BytesView bytes);
    /// The next whole message, checked by its CRC; nothing is said of its header yet.
    std::optional<Bytes> next();

    struct Counters {
        std::uint64_t packets = 0;
        std::uint64_t damaged = 0;  ///< packets begun and not ended: wrong CRC, length or alphabet, or cut short
        std::uint64_t noise = 0;    ///< bytes outside of frames
    };
    const Counters& counters() const noexcept { return counters_; }

  private:
    enum class Where : std::uint8_t { outside, in_line };

    void take(std::uint8_t byte);
    void begin_packet();
    void end_line();
    void drop();

    Where where_ = Where::outside;
    std::uint8_t last_ = 0;
    bool assembling_ = false;
    Bytes line_;    ///< base64 text
    Bytes packet_;  ///< decoded
    std::deque<Bytes> messages_;
    Counters counters_;
};

/// How long a raw server keeps what may be the begin of a message (Zephyr's CONFIG_MCUMGR_TRANSPORT_RAW_UART input
/// timeout): any byte counts, and whatever follows within this time is taken for the rest.
inline constexpr Milliseconds raw_input_timeout{3'000};

/// Messages one after the other, each as long as its header says. A client passes over bytes that cannot begin a
/// response; a server takes whatever comes for a header, so that a console's line costs it all until it forgets.
class RawReader {
  public:
    enum class Side : std::uint8_t { client, server };  ///< who reads: a client responses, a server requests
    explicit RawReader(Side side = Side::client) : side_(side) {}

    void feed(BytesView bytes);
    std::optional<Bytes> next();
    /// After a silence (servers: raw_input_timeout) what was begun is never completed.
    void forget() { buffer_.clear(); }

  private:
    Side side_;
    Bytes buffer_;
};

}  // namespace fota::smp
