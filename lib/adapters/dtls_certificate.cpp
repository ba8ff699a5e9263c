#include "adapters/dtls_certificate.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string_view>
#include <vector>

namespace fota::adapters {
namespace {

struct Free {
    void operator()(BIO* it) const noexcept { BIO_free(it); }
    void operator()(X509* it) const noexcept { X509_free(it); }
    void operator()(EVP_PKEY* it) const noexcept { EVP_PKEY_free(it); }
    void operator()(X509_STORE* it) const noexcept { X509_STORE_free(it); }
    void operator()(GENERAL_NAMES* it) const noexcept { GENERAL_NAMES_free(it); }
    void operator()(unsigned char* it) const noexcept { OPENSSL_free(it); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

// A client's chain is a few certificates of about 600 bytes; OpenSSL would take 100 KiB from anyone with a cookie.
constexpr long longest_client_chain = 8 * 1024;
// OpenSSL's level 2: at least 112 bits, no SHA-1. The context's own level is 0 for the sake of CCM_8.
constexpr int certificate_strength = 2;
constexpr const char* curves = "P-256:P-384";
constexpr const char* signatures = "ECDSA+SHA256:ECDSA+SHA384";

Owned<BIO> reader(BytesView pem) {
    return Owned<BIO>(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
}

Owned<X509> next_certificate(BIO* from) {
    return Owned<X509>(PEM_read_bio_X509(from, nullptr, nullptr, nullptr));
}

Failure unusable(std::string message) {
    ERR_clear_error();
    return fail(Error(Errc::credentials_unusable, std::move(message)));
}

struct Own {
    Owned<X509> certificate;
    std::vector<Owned<X509>> issuers;
    Owned<EVP_PKEY> key;
};

/// `whose`: "server" or "device".
Result<Own> own_of(BytesView pem, const Secret<Bytes>& key_pem, std::string_view whose) {
    Own out;
    const auto chain = reader(pem);
    out.certificate = next_certificate(chain.get());
    if (!out.certificate) return unusable(fmt::format("expected the {}'s certificate in PEM, found none", whose));
    while (auto issuer = next_certificate(chain.get())) out.issuers.push_back(std::move(issuer));
    const auto source = reader(key_pem.reveal());
    out.key.reset(PEM_read_bio_PrivateKey(
        source.get(), nullptr, [](char*, int, int, void*) { return -1; }, nullptr));
    if (!out.key)
        return unusable(
            fmt::format("expected the {}'s private key in PEM without a passphrase, found something else", whose));
    if (EVP_PKEY_get_base_id(out.key.get()) != EVP_PKEY_EC)
        return unusable(
            fmt::format("expected an elliptic-curve key of the {} (ECDHE-ECDSA), found another kind", whose));
    ERR_clear_error();  // the end of a PEM file is an error to OpenSSL
    return out;
}

Result<std::vector<Owned<X509>>> anchors_of(BytesView pem, std::string_view whose) {
    std::vector<Owned<X509>> out;
    const auto source = reader(pem);
    while (auto anchor = next_certificate(source.get())) out.push_back(std::move(anchor));
    ERR_clear_error();
    if (out.empty()) return unusable(fmt::format("expected the certificates of the {} in PEM, found none", whose));
    return out;
}

void ask_of_peers(X509_VERIFY_PARAM* asked) {
    // The issuer that was named is trusted, and not whoever issued that one.
    X509_VERIFY_PARAM_set_flags(asked, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_auth_level(asked, certificate_strength);
}

std::optional<std::string> text_of(const ASN1_STRING* value) {
    unsigned char* raw = nullptr;
    const int size = ASN1_STRING_to_UTF8(&raw, value);
    const Owned<unsigned char> text(raw);
    if (size <= 0) return std::nullopt;
    std::string out(reinterpret_cast<const char*>(raw), static_cast<std::size_t>(size));
    if (out.find('\0') != std::string::npos) return std::nullopt;
    return out;
}

}  // namespace

Result<> use_certificate(ssl_ctx_st* context, const ServerCertificate& certificate) {
    TRY(const auto own, own_of(certificate.chain, certificate.key, "server"));
    if (SSL_CTX_use_certificate(context, own.certificate.get()) != 1 ||
        SSL_CTX_use_PrivateKey(context, own.key.get()) != 1 || SSL_CTX_check_private_key(context) != 1)
        return unusable("expected the private key of the server's certificate, found another one's");
    for (const auto& issuer : own.issuers)
        if (SSL_CTX_add1_chain_cert(context, issuer.get()) != 1) return unusable("the server's chain was not accepted");
    TRY(const auto anchors, anchors_of(certificate.client_ca, "devices' issuers"));
    for (const auto& anchor : anchors)
        if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), anchor.get()) != 1 ||
            SSL_CTX_add_client_CA(context, anchor.get()) != 1)
            return unusable("a certificate of the devices' issuers was not accepted");
    ask_of_peers(SSL_CTX_get0_param(context));
    SSL_CTX_set_max_cert_list(context, longest_client_chain);
    if (SSL_CTX_set1_groups_list(context, curves) != 1 || SSL_CTX_set1_sigalgs_list(context, signatures) != 1)
        return unusable("OpenSSL offers no ECDSA on P-256");
    return {};
}

Result<> use_certificate(ssl_st* session, const ports::ClientCertificate& certificate, const std::string& host) {
    TRY(const auto own, own_of(certificate.chain, certificate.key, "device"));
    if (SSL_use_certificate(session, own.certificate.get()) != 1 || SSL_use_PrivateKey(session, own.key.get()) != 1 ||
        SSL_check_private_key(session) != 1)
        return unusable("expected the private key of the device's certificate, found another one's");
    for (const auto& issuer : own.issuers)
        if (SSL_add1_chain_cert(session, issuer.get()) != 1) return unusable("the device's chain was not accepted");
    TRY(const auto anchors, anchors_of(certificate.server_ca, "server's issuers"));
    const Owned<X509_STORE> store(X509_STORE_new());
    for (const auto& anchor : anchors)
        if (!store || X509_STORE_add_cert(store.get(), anchor.get()) != 1)
            return unusable("a certificate of the server's issuers was not accepted");
    SSL_set1_verify_cert_store(session, store.get());
    auto* asked = SSL_get0_param(session);
    ask_of_peers(asked);
    const auto& name = certificate.server_name.empty() ? host : certificate.server_name;
    if (name.empty() || (X509_VERIFY_PARAM_set1_ip_asc(asked, name.c_str()) != 1 &&
                         X509_VERIFY_PARAM_set1_host(asked, name.c_str(), name.size()) != 1))
        return unusable("expected a name or an address that the server's certificate is issued for, found none");
    // OpenSSL's own verdict: whoever set a callback of its own might be more lenient.
    SSL_set_verify(session, SSL_VERIFY_PEER, [](int good, X509_STORE_CTX*) { return good; });
    if (SSL_set1_groups_list(session, curves) != 1 || SSL_set1_sigalgs_list(session, signatures) != 1)
        return unusable("OpenSSL offers no ECDSA on P-256");
    ERR_clear_error();  // a name is no address to OpenSSL
    return {};
}

std::optional<std::string> endpoint_of(const x509_st* certificate) {
    int critical = 0;
    const Owned<GENERAL_NAMES> names(
        static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, nullptr)));
    if (!names && critical != -1) return std::nullopt;  // twice, or not readable
    std::optional<std::string> found;
    for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const auto* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type != GEN_URI && name->type != GEN_DNS) continue;
        if (found) return std::nullopt;
        found = text_of(name->type == GEN_URI ? name->d.uniformResourceIdentifier : name->d.dNSName);
        if (!found) return std::nullopt;
    }
    if (found) return found;
    const auto* subject = X509_get_subject_name(certificate);
    const int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (first < 0 || X509_NAME_get_index_by_NID(subject, NID_commonName, first) >= 0) return std::nullopt;
    return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first)));
}

}  // namespace fota::adapters
