// What the server's session tickets (RFC 5077) carry beside OpenSSL's own, so that a resumed session belongs to the
// same device as the first, and so long as that device's credential stands.
//
// Tickets are sealed with keys of this process alone, and the server keeps nothing: after a restart a device makes one
// full handshake. DTLS session ids are not resumed, for that would need a memory for each device that was ever here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.hpp"
#include "base/sha256.hpp"

struct ssl_session_st;

namespace fota::adapters {

struct TicketContents {
    Digest256 credential{};  ///< keyed digest of the credential that was used
    std::string identity;
};

/// HMAC-SHA256 under `secret`: equal for equal credentials of this process.
Digest256 credential_digest(BytesView secret, BytesView credential);

/// False when there is no memory.
bool put_into_ticket(ssl_session_st* session, const TicketContents& contents);
/// nullopt when the session has none.
std::optional<TicketContents> contents_of_ticket(const ssl_session_st* session);

/// Whether the certificate in the session, if there is one, is within its time now.
bool certificate_still_valid(const ssl_session_st* session);

}  // namespace fota::adapters
