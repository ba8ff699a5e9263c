// X.509 for DTLS (OMA LwM2M Transport 1.1 section 5.2.8.4): on the server's side its certificate, who may issue
// devices' certificates, and which endpoint a device's certificate speaks for; on the client's side its own certificate
// and what it asks of the server's.
#pragma once

#include <optional>
#include <string>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/secret.hpp"
#include "ports/coap_endpoint.hpp"

struct ssl_ctx_st;
struct ssl_st;
struct x509_st;

namespace fota::adapters {

struct ServerCertificate {
    Bytes chain;        ///< PEM: the server's certificate on P-256 or P-384, then its issuers but for the root
    Secret<Bytes> key;  ///< PEM, without a passphrase
    Bytes client_ca;    ///< PEM: one or more certificates that a device's certificate must lead to
};

/// Errors: credentials_unusable, saying which of the three is wrong and never what is in the key. The device must then
/// present a certificate in every handshake that does not use a pre-shared key; the caller sets the verify callback.
Result<> use_certificate(ssl_ctx_st* context, const ServerCertificate& certificate);

/// For a client, before the server has answered: the server must present a certificate that leads to one of
/// `server_ca`, that has not expired, and that is issued for `server_name`, or where that is empty for `host`, a name
/// or an address. Errors: credentials_unusable, as above.
Result<> use_certificate(ssl_st* session, const ports::ClientCertificate& certificate, const std::string& host);

/// The one name in subjectAltName (a URI such as "urn:imei:350457790000000", or a DNS name); without any, the one
/// common name of the subject. nullopt when there is none, more than one, an empty one, or one with a zero byte in it:
/// a certificate speaks for exactly one endpoint.
std::optional<std::string> endpoint_of(const x509_st* certificate);

}  // namespace fota::adapters
