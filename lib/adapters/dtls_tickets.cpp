#include "adapters/dtls_tickets.hpp"

#include <openssl/hmac.h>
#include <openssl/ssl.h>

#include <algorithm>

namespace fota::adapters {

Digest256 credential_digest(BytesView secret, BytesView credential) {
    Digest256 out{};
    unsigned size = 0;
    HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), credential.data(), credential.size(), out.data(),
         &size);
    return out;
}

bool put_into_ticket(ssl_session_st* session, const TicketContents& contents) {
    Bytes data(contents.credential.begin(), contents.credential.end());
    append(data, as_bytes(contents.identity));
    return SSL_SESSION_set1_ticket_appdata(session, data.data(), data.size()) == 1;
}

std::optional<TicketContents> contents_of_ticket(const ssl_session_st* session) {
    void* data = nullptr;
    std::size_t size = 0;
    TicketContents out;
    if (SSL_SESSION_get0_ticket_appdata(const_cast<SSL_SESSION*>(session), &data, &size) != 1 || data == nullptr ||
        size <= out.credential.size())
        return std::nullopt;
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    std::copy_n(bytes, out.credential.size(), out.credential.begin());
    out.identity.assign(bytes + out.credential.size(), bytes + size);
    return out;
}

bool certificate_still_valid(const ssl_session_st* session) {
    const auto* certificate = SSL_SESSION_get0_peer(const_cast<SSL_SESSION*>(session));
    return certificate == nullptr || (X509_cmp_current_time(X509_get0_notBefore(certificate)) < 0 &&
                                      X509_cmp_current_time(X509_get0_notAfter(certificate)) > 0);
}

}  // namespace fota::adapters
