#include "adapters/dtls_wire.hpp"

#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace fota::adapters {

std::optional<RecordHeader> parse_record(BytesView data) {
    if (data.size() < record_header_size || data[0] < 20 || data[0] > 25 || data[1] != 0xfe) return std::nullopt;
    const RecordHeader header{data[0], static_cast<std::uint16_t>(data[3] << 8 | data[4]),
                              static_cast<std::size_t>(data[11] << 8 | data[12])};
    if (header.length > data.size() - record_header_size) return std::nullopt;
    return header;
}

std::size_t shortest_record(const SSL* ssl) {
    const auto* suite = SSL_get_current_cipher(ssl);
    if (SSL_CIPHER_is_aead(suite) == 0)
        return SSL_CIPHER_get_digest_nid(suite) == NID_sha1 ? 48 : 64;  // IV, and MAC with padding in whole blocks
    const auto id = SSL_CIPHER_get_id(suite);
    return id == TLS1_CK_PSK_WITH_AES_128_CCM_8 || id == TLS1_CK_ECDHE_ECDSA_WITH_AES_128_CCM_8 ? 16 : 24;
}

namespace {

int wire_write(BIO* bio, const char* data, int size) {
    auto& wire = *static_cast<Wire*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    wire.sink->send_datagram(wire.peer, {reinterpret_cast<const std::uint8_t*>(data), static_cast<std::size_t>(size)});
    return size;
}

int wire_read(BIO* bio, char* data, int size) {
    auto& wire = *static_cast<Wire*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    if (!wire.waiting) {
        BIO_set_retry_read(bio);
        return -1;
    }
    const auto count = std::min(static_cast<std::size_t>(size), wire.incoming.size());
    std::memcpy(data, wire.incoming.data(), count);
    if (!wire.peek) wire.waiting = false;
    return static_cast<int>(count);
}

/// The data is looked at only where a command needs it: freeing an SSL pops its BIO, and the Wire may be a freed
/// connection's by then.
long wire_control(BIO* bio, int command, long number, void*) {
    const auto wire = [bio]() -> Wire& { return *static_cast<Wire*>(BIO_get_data(bio)); };
    switch (command) {
        case BIO_CTRL_FLUSH:
            return 1;
        case BIO_CTRL_DGRAM_SET_PEEK_MODE:
            wire().peek = number != 0;
            return 1;
        case BIO_CTRL_DGRAM_QUERY_MTU:
        case BIO_CTRL_DGRAM_GET_FALLBACK_MTU:
            return wire().mtu;
        default:
            return 0;
    }
}

}  // namespace

BIO_METHOD* wire_method() {
    static BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_TYPE_SOURCE_SINK | BIO_get_new_index(), "fotactl datagrams");
        if (made == nullptr) throw std::bad_alloc();
        BIO_meth_set_write(made, wire_write);
        BIO_meth_set_read(made, wire_read);
        BIO_meth_set_ctrl(made, wire_control);
        BIO_meth_set_create(made, [](BIO* bio) {
            BIO_set_init(bio, 1);
            return 1;
        });
        return made;
    }();
    return method;
}

std::string_view refusal_reason() {
    switch (ERR_GET_REASON(ERR_peek_error())) {
        case SSL_R_PSK_IDENTITY_NOT_FOUND:
            return "unknown identity";
        case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
            return "no certificate";
        case SSL_R_BAD_SIGNATURE:
            return "wrong private key of the certificate";
        case SSL_R_NO_SHARED_CIPHER:
            return "no common cipher";
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_UNKNOWN_PROTOCOL:
        case SSL_R_WRONG_VERSION_NUMBER:
            return "no common DTLS version";
        case SSL_R_DIGEST_CHECK_FAILED:
        case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
        case SSL_AD_REASON_OFFSET + SSL_AD_DECRYPT_ERROR:
        case SSL_AD_REASON_OFFSET + SSL_AD_BAD_RECORD_MAC:
            return "wrong key";
        default:
            return ERR_GET_REASON(ERR_peek_error()) > SSL_AD_REASON_OFFSET ? "given up by the device"
                                                                           : "malformed handshake";
    }
}

}  // namespace fota::adapters
