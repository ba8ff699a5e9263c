// SMP messages: the 8-byte header every transport carries, and its groups.
// Source: Zephyr doc/services/device_mgmt/smp_protocol.rst; MCUboot boot/boot_serial/src/boot_serial_priv.h (nmgr_hdr).
#pragma once

#include <cstdint>

#include "base/bytes.hpp"
#include "base/result.hpp"

namespace fota::smp {

inline constexpr std::size_t header_bytes = 8;
inline constexpr std::size_t longest_body = 0xffff;

enum class Op : std::uint8_t { read = 0, read_response = 1, write = 2, write_response = 3 };
/// Version 2 knows errors by group. A server may echo the bits without knowing the version (MCUboot does).
enum class Version : std::uint8_t { v1 = 0, v2 = 1 };

namespace group {
inline constexpr std::uint16_t os = 0;
inline constexpr std::uint16_t image = 1;
inline constexpr std::uint16_t statistics = 2;
inline constexpr std::uint16_t settings = 3;
inline constexpr std::uint16_t files = 8;
inline constexpr std::uint16_t shell = 9;
inline constexpr std::uint16_t enumeration = 10;
inline constexpr std::uint16_t zephyr_basic = 63;
inline constexpr std::uint16_t external_flash = 26245;  ///< our application's, with the facts of LwM2M object 26245
}  // namespace group
/// "image", "zephyr-basic"; "group 64" for one nobody defined.
std::string group_name(std::uint16_t group);

struct Message {
    Op op = Op::read;
    std::uint8_t version = static_cast<std::uint8_t>(Version::v2);  ///< the two bits as they are
    std::uint16_t group = 0;
    std::uint8_t sequence = 0;  ///< counts requests; a response echoes it
    std::uint8_t command = 0;
    Bytes body;  ///< a CBOR map in every group below 64

    bool operator==(const Message&) const = default;
};

/// Header and body in network order. message_malformed when the body is longer than its length field can say.
Result<Bytes> encode(const Message& message);
/// message_malformed: shorter than a header, an op above 3, or a length that is not what follows.
Result<Message> decode(BytesView bytes);
/// Whether `response` is the answer to `request`: op, group, command and sequence agree.
bool answers(const Message& response, const Message& request) noexcept;

}  // namespace fota::smp
