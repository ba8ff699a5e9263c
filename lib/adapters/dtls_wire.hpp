// One datagram at a time between OpenSSL and the socket, and what can be read from DTLS records without keys.
#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <optional>
#include <string_view>

#include "adapters/dtls_server.hpp"

namespace fota::adapters {

inline constexpr std::size_t record_header_size = 13;
inline constexpr std::uint8_t content_handshake = 22;

struct RecordHeader {
    std::uint8_t type;
    std::uint16_t epoch;
    std::size_t length;
};

/// RFC 6347 section 4.1. nullopt for anything that is no DTLS record.
std::optional<RecordHeader> parse_record(BytesView data);

/// True when `test` holds for a record of the datagram.
template <class Test>
bool any_record(BytesView datagram, Test test) {
    while (const auto record = parse_record(datagram)) {
        if (test(*record)) return true;
        datagram = datagram.subspan(record_header_size + record->length);
    }
    return false;
}

/// The least an encrypted record can hold: explicit nonce and tag (RFC 5288, 6655), or IV, one MAC and padding (RFC
/// 5246 section 6.2.3.2).
std::size_t shortest_record(const SSL* ssl);

/// The datagram being processed, and the way out. Keeps datagram boundaries, which OpenSSL's memory BIO does not.
struct Wire {
    DtlsServer::Sink* sink = nullptr;
    Address peer;
    BytesView incoming;
    bool waiting = false;
    bool peek = false;
    long mtu = 0;

    void offer(BytesView datagram) {
        incoming = datagram;
        waiting = true;
    }
    void discard() { waiting = false; }
};

/// Of a BIO whose data is the Wire to read from and write to; set it before every call of OpenSSL that may do either.
/// Freeing an SSL may call the BIO's control as well, which then leaves the data alone: that may be a freed
/// connection's.
BIO_METHOD* wire_method();

/// What the newest error of this thread says of a handshake, by which refusals are counted.
std::string_view refusal_reason();

}  // namespace fota::adapters
